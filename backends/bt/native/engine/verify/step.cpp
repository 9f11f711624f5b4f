// One straight-line instruction: may it stand in emitted code, and what is known behind it? The instructions that make
// addresses are followed exactly (move, add, xor, and, compare, shifts by constants); of every other one only what it
// writes counts. See values.h for what can be known.
#include "step.h"

#include "../cpu/vcpu.h"
#include "../decode/registers.h"
#include "vcpu_fields.inc"

namespace rz::verify {
namespace {

constexpr u64 kScratchAt = offsetof(Vcpu, scratch), kMetaAt = offsetof(Vcpu, exit_meta),
              kMemoAt = offsetof(Vcpu, last_page_at);

struct FieldRange {
  u64 first, bytes;
  bool writable;
};
constexpr FieldRange kFields[] = {
#define RZ_FIELD_ROW(name, first, bytes, writable) {first, bytes, writable},
    RZ_EMITTED_FIELDS(RZ_FIELD_ROW)
#undef RZ_FIELD_ROW
};

constexpr u64 kMergedAt = offsetof(Vcpu, merged), kHomesAt = offsetof(Vcpu, regs) + 14 * 8;
constexpr i32 addend_offset(bool write) { return write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add); }
bool op_writes(const Field& f) { return (static_cast<u8>(f.use) & 2) != 0; }

/// What a memory operand turned out to be.
enum class Place : u8 { kNowhere, kField, kEntry, kTable, kHost };
struct Operand {
  Place place = Place::kNowhere;
  u64 field = 0;  // kField: offset in the vCPU
};

class Stepper {
 public:
  Stepper(State& state, const Inst& inst, u32 at) : s_(state), inst_(inst), at_(at) {}

  const char* run() {
    if (const char* why = allowed()) return why;
    if (inst_.has_memory && inst_.row->sem != Sem::kLea && inst_.row->sem != Sem::kNop)
      if (const char* why = check_memory()) return why;
    if (rotated_index()) return nullptr;
    if (inst_.row->encoding != Encoding::kLegacy || inst_.row->map != Map::kOne || !followed()) anything_else();
    return nullptr;
  }

 private:
  const char* allowed() const {
    switch (inst_.row->sem) {
      case Sem::kIdentity:
      case Sem::kX87Identity:
      case Sem::kMovImm:
      case Sem::kLea:
      case Sem::kBitTest:
      case Sem::kNop:
      case Sem::kClc:
      case Sem::kStc:
      case Sem::kCmc:
      case Sem::kLahf:
      case Sem::kSahf: break;
      case Sem::kHelper:
        if (inst_.row->helper == Helper::k_pause) break;
        [[fallthrough]];
      default: return "an instruction that emitted code may not hold";
    }
    if (inst_.row->attrs & (kVsib | kCpl0)) return "a privileged instruction or one with many addresses";
    if (inst_.has_67) return "an address-size prefix";
    if (inst_.seg_override != kNoReg && inst_.seg_override != kGS) return "a segment override other than GS";
    return nullptr;
  }

  const char* check_memory() {
    const unsigned bytes = inst_.row->sem == Sem::kBitTest ? inst_.operand_bytes : inst_.memory_bytes;
    const bool writes = op_writes(inst_.row->rm);
    if (bytes == 0) return "a memory operand of unknown width";
    if (inst_.rip_relative) return "a memory operand of a form that is never emitted";
    const i64 disp = inst_.disp;
    if (inst_.seg_override == kGS)
      return inst_.base == kNoReg && inst_.index == kNoReg ? check_field(bytes, writes) : "GS with a base register";
    if (inst_.base == kNoReg) return "an absolute address";
    if (inst_.index != kNoReg) return check_host(bytes, writes);
    const Value& base = s_.slot[inst_.base];
    if (base.kind == Kind::kEntry) {
      if (writes) return "a write to the TLB";
      if (disp < 0 || disp + bytes > static_cast<i64>(sizeof(TlbEntry))) return "beyond the TLB entry";
      memory_.place = Place::kEntry;
      return nullptr;
    }
    if (base.kind == Kind::kTlb) {
      if (writes) return "a write to the TLB";
      if (disp < 0 || disp + bytes > static_cast<i64>(sizeof(TlbTable::entries))) return "beyond the TLB's entries";
      memory_.place = Place::kTable;
      return nullptr;
    }
    return check_host(bytes, writes);
  }

  /// One register holds a host address or what makes one of the sum of the rest of the operand.
  const char* check_host(unsigned bytes, bool writes) {
    const bool swapped = s_.slot[inst_.base].kind != Kind::kHost && inst_.index != kNoReg && inst_.scale == 0;
    const u8 to = swapped ? inst_.index : inst_.base, rest = swapped ? inst_.base : inst_.index;
    const Value& host = s_.slot[to];
    if (host.kind != Kind::kHost) return "an address that was not checked";
    Value left = host;
    if (rest != kNoReg && !subtract(left, s_.slot[rest], inst_.scale))
      return "another address than the one that was checked";
    if (left.base || left.index) return "an address that was not checked";
    const i64 from = static_cast<i64>(static_cast<u64>(static_cast<i64>(inst_.disp)) - left.offset), far = 1ll << 40;
    if (from < -far || from > far || from < -static_cast<i64>(host.lo) || from + bytes > static_cast<i64>(host.hi))
      return "wider than what was checked";
    if (writes && !host.write) return "a write through an address that was checked for reading";
    memory_.place = Place::kHost;
    if (inst_.row->sem == Sem::kBitTest) {  // a bit offset in a register reaches beyond the operand
      const Value& offset = s_.slot[inst_.reg];
      if (offset.kind != Kind::kNumber || offset.hi >= bytes * 8) return "a bit offset of unknown size";
    }
    return nullptr;
  }

  /// `host` gets `by` << `scale` added: its terms lose that. False: `by` is none of them.
  static bool subtract(Value& host, const Value& by, u8 scale) {
    if (!host.known) return false;
    if (by.kind == Kind::kNumber && by.known && scale == 0 && by.index && by.same_terms(host)) {
      host.base = host.index = host.scale = 0;
      host.offset -= by.offset;
      return true;
    }
    const Term t = term(by);
    if (!t.known) return false;
    host.offset -= t.offset << scale;
    if (t.root == 0) return true;
    if (host.index == t.root && host.scale == scale) {
      host.index = host.scale = 0;
    } else if (host.base == t.root && scale == 0) {
      host.base = 0;
    } else {
      return false;
    }
    return true;
  }

  /// A value as a root and an offset.
  struct Term {
    bool known;
    u32 root;
    u64 offset;
  };
  static Term term(const Value& v) {
    if (v.kind == Kind::kNumber && v.known && v.index == 0) return {true, v.base, v.offset};
    return {v.id != 0 && v.kind == Kind::kNumber, v.id, 0};
  }

  const char* check_field(unsigned bytes, bool writes) {
    const u64 first = static_cast<u32>(inst_.disp);
    const bool table =
        inst_.row->map == Map::kOne && inst_.opcode == 0x89 && bytes == 8 && s_.slot[inst_.reg].kind == Kind::kTlb;
    if (writes && first == offsetof(Vcpu, tlb) && table) {  // one of our tables for another
      memory_ = {Place::kField, first};
      return nullptr;
    }
    for (const FieldRange& f : kFields) {
      if (first < f.first || first + bytes > f.first + f.bytes || (writes && !f.writable)) continue;
      memory_ = {Place::kField, first};
      return nullptr;
    }
    return writes ? "a write outside the vCPU's fields for emitted code" : "outside the vCPU's fields for emitted code";
  }

  /// The instructions that make addresses. False: not one of them, or not in a form that needs to be followed.
  bool followed() {
    const u8 op = inst_.opcode;
    const bool plain_rm = !inst_.has_memory;
    const unsigned bytes = inst_.operand_bytes;
    if (bytes != 4 && bytes != 8) return false;
    switch (op) {
      case 0x8b: return plain_rm ? move(inst_.reg, inst_.rm) : load(inst_.reg);
      case 0x89: return plain_rm ? move(inst_.rm, inst_.reg) : store(s_.slot[inst_.reg]);
      case 0xc7: {
        const u64 value = bytes == 4 ? static_cast<u32>(inst_.imm) : inst_.imm;
        if (plain_rm) {
          s_.define_constant(inst_.rm, at_, value);
          return true;
        }
        Value constant;
        constant.lo = constant.hi = value;
        constant.zeros = zeros_of(value);
        return store(constant);
      }
      case 0x8d: return lea();
      case 0x33: return plain_rm ? false : xor_tag();
      case 0x2b: return plain_rm ? subtract_linear() : subtract_page();
      case 0x3b: return plain_rm ? false : compare_memory();
      case 0xff: return plain_rm && count();
      case 0x03: return plain_rm ? false : add_memory();
      case 0x81:
      case 0x83: return group1();
      case 0xc1: return plain_rm && shift();
      default: break;
    }
    if (op >= 0xb8 && op <= 0xbf && inst_.row->sem == Sem::kMovImm) {
      s_.define_constant(inst_.rm, at_, bytes == 4 ? static_cast<u32>(inst_.imm) : inst_.imm);
      return true;
    }
    return false;
  }

  bool move(u8 to, u8 from) {
    const Value v = s_.slot[from];
    if (inst_.operand_bytes == 8) {
      if (to == from) return true;
      s_.define(to, at_);
      s_.slot[to] = v;
      return true;
    }
    Value& low = s_.define(to, at_);
    low.hi = 0xffffffff;
    if (v.kind != Kind::kNumber) return true;
    if (v.hi <= 0xffffffff) {
      low.lo = v.lo;
      low.hi = v.hi;
    }
    low.zeros = v.zeros < 32 ? v.zeros : 32;
    if (v.id && v.id != low.id) {
      low.from = From::kLow32;
      low.of = v.id;
    }
    return true;
  }

  bool load(u8 to) {
    const bool wide = inst_.operand_bytes == 8;
    Value v;
    bool copied = false;
    if (memory_.place == Place::kField && wide) {
      if (const int slot = slot_of(memory_.field); slot >= 0) {
        v = s_.slot[slot];
        copied = true;
      } else if (memory_.field == offsetof(Vcpu, tlb) || memory_.field == offsetof(Vcpu, tlb_by_ac[0]) ||
                 memory_.field == offsetof(Vcpu, tlb_by_ac[1])) {
        v.kind = Kind::kTlb;
      } else if (const i64 memo = memo_at(memory_.field, offsetof(LastPage, add)); memo >= 0) {
        for (const Value& x : s_.slot)
          if (x.kind == Kind::kRecalled && static_cast<i64>(x.of) == memo && x.hi == 0 && x.known) {
            v.kind = Kind::kHost;
            v.take_terms(x);
            v.write = last_page_writes(x.of);
            v.hi = last_page_bytes(x.of);
            v.range = x.id;
          }
      } else if (const i64 memo = memo_at(memory_.field, offsetof(LastPage, base)); memo >= 0) {
        for (const Value& x : s_.slot)
          if (x.kind == Kind::kRecalled && static_cast<i64>(x.of) == memo && x.hi == 0 && x.id) {
            v.kind = Kind::kFirst;
            v.of = x.of;
            v.range = x.id;
          }
      } else if (memory_.field == offsetof(Vcpu, jump)) {
        v.kind = Kind::kJump;
        v.zeros = 63;
        v.lo = v.hi = 0;
      }
    }
    if (memory_.place == Place::kEntry && wide) {
      for (const Value& x : s_.slot)
        if (x.kind == Kind::kXor && x.of && x.of == s_.slot[inst_.base].of && x.hi < kPageBytes && x.known &&
            inst_.disp == addend_offset(x.write)) {
          v.kind = Kind::kHost;
          v.take_terms(x);
          v.write = x.write;
          v.hi = kPageBytes - x.hi;
          v.range = x.id;
        }
    } else if (memory_.place == Place::kTable && wide) {
      const Value& table = s_.slot[inst_.base];
      if (table.known && inst_.disp == static_cast<i64>(table.base) + addend_offset(table.write)) {
        v.kind = Kind::kHost;
        v.known = true;
        v.offset = table.offset;
        v.write = table.write;
        v.hi = kPageBytes;
      }
    }
    Value& r = s_.define(to, at_);
    if (!copied) v.id = r.id;
    if (!copied && v.kind == Kind::kNumber) v.take_terms(r);
    r = v;
    if (!wide) r.hi = 0xffffffff;
    return true;
  }

  /// Into a field; guest memory and homes need no remembering.
  bool store(const Value& v) {
    if (memory_.place == Place::kField) store_field(memory_.field, inst_.operand_bytes, &v);
    return true;
  }

  /// The slot of a quadword of the vCPU that is remembered, or -1.
  static int slot_of(u64 field) {
    if (field & 7) return -1;
    if (field >= kScratchAt && field < kScratchAt + sizeof(Vcpu::scratch))
      return static_cast<int>(kScratchSlot + (field - kScratchAt) / 8);
    if (field >= kMergedAt && field < kMergedAt + sizeof(Vcpu::merged))
      return static_cast<int>(kMergedSlot + (field - kMergedAt) / 8);
    if (field >= kHomesAt && field < kHomesAt + 16) return static_cast<int>(kHomeSlot + (field - kHomesAt) / 8);
    return -1;
  }

  void store_field(u64 field, unsigned bytes, const Value* v) {
    for (u64 at = field & ~7ull; at < field + bytes; at += 8) {
      const int slot = slot_of(at);
      if (slot < 0) continue;
      s_.define(static_cast<unsigned>(slot), at_);
      if (v && field == at && bytes == 8) s_.slot[slot] = *v;
    }
    for (unsigned i = 0; i < 2; i++) {
      const u64 at = kMetaAt + 4 * i;
      if (field >= at + 4 || field + bytes <= at) continue;
      s_.define(kMetaSlot + i, at_);
      if (v && field == at && bytes == 4) s_.slot[kMetaSlot + i] = *v;
    }
    if (field < kMemoAt + 4 && field + bytes > kMemoAt) {
      s_.define(kMemoSlot, at_);
      if (v && field == kMemoAt && bytes == 4) s_.slot[kMemoSlot] = *v;
    }
  }

  bool lea() {
    const u8 base = inst_.base;
    const bool wide = inst_.operand_bytes == 8;
    if (inst_.rip_relative) {
      Value& v = s_.define(inst_.reg, at_);
      if (!wide) return true;
      v.kind = Kind::kCode;
      v.lo = v.hi = static_cast<u64>(static_cast<i64>(at_) + inst_.length + inst_.disp);
      return true;
    }
    const Value from = base == kNoReg ? Value{} : s_.slot[base];
    const Value index = inst_.index == kNoReg ? Value{} : s_.slot[inst_.index];
    Value& v = s_.define(inst_.reg, at_);
    if (!wide) {
      v.hi = 0xffffffff;
      return true;
    }
    const u64 disp = static_cast<u64>(static_cast<i64>(inst_.disp));
    if (base != kNoReg && from.kind == Kind::kHost) {
      Value sum = from;
      sum.id = v.id;
      if (inst_.index != kNoReg && !subtract(sum, index, inst_.scale)) return true;
      sum.offset -= disp;
      v = sum;
      return true;
    }
    if (base != kNoReg && inst_.index == kNoReg && (from.kind == Kind::kFirst || from.kind == Kind::kEnd)) {
      const u32 id = v.id;
      v = from;
      v.id = id;
      v.offset += disp;
      return true;
    }
    if (base != kNoReg && inst_.index == kNoReg && from.kind == Kind::kNumber && from.known && from.base != v.id &&
        from.index != v.id) {
      v.take_terms(from);
      v.offset += disp;
      return true;
    }
    const Term a = base == kNoReg ? Term{true, 0, 0} : term(from);
    const Term b = inst_.index == kNoReg ? Term{true, 0, 0} : term(index);
    if (!a.known || !b.known || a.root == v.id || b.root == v.id) return true;
    v.base = a.root;
    v.index = b.root;
    v.scale = b.root ? inst_.scale : 0;
    v.offset = a.offset + (b.offset << inst_.scale) + disp;
    return true;
  }

  /// A host address less a linear address: what makes one of the other.
  bool subtract_linear() {
    const Value host = s_.slot[inst_.reg], linear = s_.slot[inst_.rm];
    Value& r = s_.define(inst_.reg, at_);
    s_.compared = Compared{};
    if (inst_.operand_bytes != 8 || host.kind != Kind::kHost || !host.known || host.base || host.index ||
        linear.kind != Kind::kNumber || !linear.known || linear.base == r.id || linear.index == r.id)
      return true;
    const u32 id = r.id;
    r = host;
    r.id = id;
    r.take_terms(linear);
    r.offset += host.offset;
    return true;
  }

  /// The memo of a last page that has `field` of the vCPU at `part` of LastPage, or -1.
  static i64 memo_at(u64 field, u64 part) {
    const u64 offset = field - offsetof(Vcpu, last_page) - part;
    return offset % sizeof(LastPage) == 0 && offset / sizeof(LastPage) < kLastPages
               ? static_cast<i64>(offset / sizeof(LastPage))
               : -1;
  }

  /// A linear address less its own offset in its page, or less one near it.
  bool subtract_offset(int slot) {
    const Value v = s_.slot[inst_.reg], x = s_.slot[slot];
    Value& r = s_.define(inst_.reg, at_);
    s_.compared = Compared{};
    if (v.kind != Kind::kNumber || x.kind != Kind::kXor || x.hi >= kPageBytes || !x.known || !x.same_terms(v))
      return true;
    if (r.id == x.id) return true;
    r.kind = Kind::kFirst;
    r.range = x.id;
    r.offset = v.offset - x.offset;
    r.of = kNoMemo;
    r.hi = kPageBytes;
    return true;
  }

  /// A linear address less the page in a memo.
  bool subtract_page() {
    if (memory_.place != Place::kField || inst_.operand_bytes != 8) return false;
    if (const int slot = slot_of(memory_.field); slot >= 0) return subtract_offset(slot);
    const i64 memo = memo_at(memory_.field, offsetof(LastPage, base));
    const Value v = s_.slot[inst_.reg];
    if (memo < 0 || v.kind != Kind::kNumber || !v.known) return false;
    Value& r = s_.define(inst_.reg, at_);
    s_.compared = Compared{};
    if (v.base == r.id || v.index == r.id) return true;
    r.kind = Kind::kRecalled;
    r.take_terms(v);
    r.of = static_cast<u32>(memo);
    return true;
  }

  /// CMP of a known page with a tag of the TLB, or of what is left of an address with the room of a memo.
  bool compare_memory() {
    s_.compared = Compared{};
    const Value& page = s_.slot[inst_.reg];
    if (memory_.place == Place::kField && inst_.operand_bytes == 8 && page.kind == Kind::kRecalled)
      if (const i64 memo = memo_at(memory_.field, offsetof(LastPage, room)); memo == static_cast<i64>(page.of))
        s_.compared = {.slot = inst_.reg, .wide = true, .with = page.of, .room = true};
    if (memory_.place == Place::kField && inst_.operand_bytes == 8)
      if (const int slot = slot_of(memory_.field);
          slot >= 0 && (s_.slot[slot].kind == Kind::kFirst || s_.slot[slot].kind == Kind::kEnd))
        s_.compared = {.slot = inst_.reg, .wide = true, .with = static_cast<u64>(slot), .limit = true};
    if (memory_.place == Place::kTable && inst_.operand_bytes == 8 && page.is_constant())
      s_.compared = {inst_.base, true, page.lo, true, static_cast<u32>(inst_.disp)};
    return true;
  }

  // INC, DEC.
  bool count() {
    const unsigned op = inst_.modrm >> 3 & 7;
    if (op > 1) return false;
    s_.compared = Compared{};
    changed_by(inst_.rm, op == 0 ? 1 : ~0ull);
    return true;
  }

  /// A number that changed by a constant.
  Value& changed_by(u8 reg, u64 by) {
    const Value v = s_.slot[reg];
    Value& r = s_.define(reg, at_);
    if (inst_.operand_bytes != 8) {
      r.hi = 0xffffffff;
    } else if (v.kind == Kind::kNumber && v.known && v.base != r.id && v.index != r.id) {
      r.take_terms(v);
      r.offset += by;
    }
    return r;
  }

  /// `v` := `from` + `by`, where `from` is a host address.
  void moved(Value& v, const Value& from, i64 by) {
    if (from.kind != Kind::kHost) return;
    const u32 id = v.id;
    v = from;
    v.id = id;
    v.offset -= static_cast<u64>(by);
  }

  bool xor_tag() {
    const Value v = s_.slot[inst_.reg];
    const bool tag = memory_.place == Place::kEntry && inst_.operand_bytes == 8 &&
                     (inst_.disp == offsetof(TlbEntry, read_tag) || inst_.disp == offsetof(TlbEntry, write_tag));
    const u32 of = memory_.place == Place::kEntry ? s_.slot[inst_.base].of : 0;
    Value& r = s_.define(inst_.reg, at_);
    s_.compared = Compared{};
    if (!tag || of == 0 || v.id != of || r.id == of) return true;
    r.kind = Kind::kXor;
    r.take_terms(v);
    r.of = of;
    r.write = inst_.disp == offsetof(TlbEntry, write_tag);
    return true;
  }

  bool add_memory() {
    const Value v = s_.slot[inst_.reg];
    const u32 of = memory_.place == Place::kEntry ? s_.slot[inst_.base].of : 0;
    Value& r = s_.define(inst_.reg, at_);
    s_.compared = Compared{};
    if (inst_.operand_bytes != 8) return true;
    if (memory_.place == Place::kField && v.kind == Kind::kFirst) {
      if (memo_at(memory_.field, offsetof(LastPage, room)) == static_cast<i64>(v.of) && v.offset == 0) {
        r.kind = Kind::kEnd;
        r.range = v.range;
        r.offset = static_cast<u64>(1 - static_cast<i64>(last_page_bytes(v.of)));
      }
    } else if (memory_.place == Place::kField && v.kind == Kind::kNumber) {
      if (memory_.field == offsetof(Vcpu, tlb) && v.from == From::kIndex && v.of != r.id) {
        r.kind = Kind::kEntry;
        r.of = v.of;
      } else if (memory_.field == offsetof(Vcpu, jump) && v.hi < sizeof(JumpTable::host)) {
        r.kind = Kind::kJump;
        r.lo = v.lo;
        r.hi = v.hi;
        r.zeros = v.zeros;
      }
    } else if (memory_.place == Place::kEntry && of != 0 && v.of == of && v.hi < kPageBytes) {
      const i32 tag = v.write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
      if (v.kind == Kind::kXor && inst_.disp == tag) {
        r.kind = Kind::kLinear;
        r.of = of;
        r.write = v.write;
        r.hi = v.hi;
      } else if (v.kind == Kind::kLinear && inst_.disp == addend_offset(v.write)) {
        r.kind = Kind::kHost;
        r.base = 0;
        r.write = v.write;
        r.lo = 0;
        r.hi = kPageBytes - v.hi;
      }
    }
    return true;
  }

  // ADD, OR, AND, SUB, XOR, CMP with a constant.
  bool group1() {
    const unsigned op = inst_.modrm >> 3 & 7;
    const bool wide = inst_.operand_bytes == 8;
    const u64 imm = wide ? inst_.imm : static_cast<u32>(inst_.imm);
    s_.compared = Compared{};
    if (inst_.has_memory) {
      if (op == 7 && memory_.place == Place::kTable && wide)
        s_.compared = {inst_.base, true, imm, true, static_cast<u32>(inst_.disp)};
      if (op != 7 && memory_.place == Place::kField) {
        Value v;
        if (op == 4) v.hi = imm;
        store_field(memory_.field, inst_.operand_bytes, op == 4 ? &v : nullptr);
      }
      return true;
    }
    if (op == 7) {
      s_.compared = {inst_.rm, wide, imm};
      return true;
    }
    const Value v = s_.slot[inst_.rm];
    if (v.kind != Kind::kHost && (op == 0 || op == 5)) {
      changed_by(inst_.rm, op == 0 ? imm : -imm);
      return true;
    }
    Value& r = s_.define(inst_.rm, at_);
    if (op == 4) {
      r.hi = imm;
      r.zeros = zeros_of(imm);
      if (v.kind == Kind::kNumber && v.zeros > r.zeros) r.zeros = v.zeros;
      constexpr u64 kIndexMask = (kTlbEntries - 1) << kTlbEntryShift;
      if (!wide && v.kind == Kind::kNumber && v.from == From::kShifted && imm == kIndexMask && v.of != r.id) {
        r.from = From::kIndex;
        r.of = v.of;
      }
    } else if (wide && (op == 0 || op == 5)) {
      moved(r, v, op == 0 ? static_cast<i64>(imm) : -static_cast<i64>(imm));
    } else if (!wide) {
      r.hi = 0xffffffff;
    }
    return true;
  }

  /// RORX by what makes a TLB index of an address: in the bits of the index, the same as a shift of its low half.
  bool rotated_index() {
    if (inst_.row->encoding != Encoding::kVex || inst_.row->map != Map::k0F3A || inst_.opcode != 0xf0) return false;
    if (inst_.has_memory || inst_.operand_bytes == 8 || inst_.rex_w || inst_.imm != 12 - kTlbEntryShift) return false;
    const Value v = s_.slot[inst_.rm];
    Value& r = s_.define(inst_.reg, at_);
    r.hi = 0xffffffff;
    if (v.kind != Kind::kNumber || !v.id || v.id == r.id) return true;
    r.from = From::kShifted;
    r.of = v.id;
    return true;
  }

  bool shift() {
    const unsigned op = inst_.modrm >> 3 & 7;
    const bool wide = inst_.operand_bytes == 8;
    const unsigned n = static_cast<unsigned>(inst_.imm) & (wide ? 63 : 31);
    if (op != 4 && op != 5) return false;
    const Value v = s_.slot[inst_.rm];
    Value& r = s_.define(inst_.rm, at_);
    s_.compared = Compared{};
    if (!wide) r.hi = 0xffffffff;
    if (v.kind != Kind::kNumber || n == 0) return true;
    if (op == 5) {
      r.hi = (wide || v.hi <= 0xffffffff ? v.hi : 0xffffffff) >> n;
      if (!wide && v.from == From::kLow32 && n == 12 - kTlbEntryShift && v.of != r.id) {
        r.from = From::kShifted;
        r.of = v.of;
      }
    } else if (v.hi <= 0xffffffffull >> n) {
      r.lo = v.lo << n;
      r.hi = v.hi << n;
      r.zeros = static_cast<u8>(v.zeros + n < 63 ? v.zeros + n : 63);
    }
    return true;
  }

  /// Any other instruction: what it writes is unknown behind it.
  void anything_else() {
    const Row& row = *inst_.row;
    if (row.flags.written | row.flags.undefined | row.flags.maybe) s_.compared = Compared{};
    if (memory_.place == Place::kField && op_writes(row.rm))
      store_field(memory_.field, inst_.row->sem == Sem::kBitTest ? inst_.operand_bytes : inst_.memory_bytes, nullptr);
    if (row.sem == Sem::kNop || row.sem == Sem::kClc || row.sem == Sem::kStc || row.sem == Sem::kCmc) return;
    const u16 written = registers_written(inst_);
    for (u8 r = 0; r < 16; r++)
      if (written >> r & 1) s_.define(r, at_);
  }

  State& s_;
  const Inst& inst_;
  const u32 at_;
  Operand memory_;
};

}  // namespace

const char* step(State& state, const Inst& inst, u32 at) { return Stepper(state, inst, at).run(); }

const char* check_jump_operand(const State& state, const Inst& inst) {
  if (!inst.has_memory) return "a jump through a register";
  if (inst.base == kNoReg || inst.index != kNoReg || inst.rip_relative || inst.seg_override != kNoReg || inst.has_67)
    return "a jump through memory other than the jump table";
  const Value& base = state.slot[inst.base];
  if (base.kind != Kind::kJump) return "a jump through memory other than the jump table";
  const i64 disp = inst.disp;
  if (base.zeros < 3 || (disp & 7) != 0) return "a jump through a misaligned slot";
  if (static_cast<i64>(base.lo) + disp < 0 ||
      static_cast<i64>(base.hi) + disp + 8 > static_cast<i64>(sizeof(JumpTable::host)))
    return "a jump through a slot beyond the table";
  return nullptr;
}

}  // namespace rz::verify
