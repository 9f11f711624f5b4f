// The instruction decoder: prefixes, opcode map, ModRM/SIB, immediates. Table-driven: which row the bytes mean
// is decided by decode/index.h alone; this file knows only the encoding scheme.
// Runs once per translated instruction: no heap, no vector registers.
// Source: SDM volume 2, "Instruction Format"; AMD APM volume 3, "Instruction Encoding".
#include "index.h"
#include "inst.h"

#include "../isa/list.h"

namespace rz {
namespace {

using namespace decode_index;

constexpr u8 segment_of_prefix(u8 b) {
  switch (b) {
    case 0x26: return kES;
    case 0x2e: return kCS;
    case 0x36: return kSS;
    case 0x3e: return kDS;
    case 0x64: return kFS;
    default: return kGS;
  }
}

struct Base16 {
  u8 base, index;
};
constexpr Base16 kBase16[8] = {{3, 6}, {3, 7}, {5, 6}, {5, 7}, {6, kNoReg}, {7, kNoReg}, {5, kNoReg}, {3, kNoReg}};

template <typename T>
inline T load(const u8* p) {
  T v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

u8 memory_width(const Field& f, const Inst& inst, bool is64) {
  const unsigned v = inst.operand_bytes, vector = 16u << inst.vex_l;
  unsigned n = 0;
  switch (f.width) {
    case Width::k1: n = 1; break;
    case Width::k2: n = 2; break;
    case Width::k4: n = 4; break;
    case Width::k8: n = 8; break;
    case Width::k10: n = 10; break;
    case Width::k16: n = 16; break;
    case Width::k32: n = 32; break;
    case Width::k64: n = 64; break;
    case Width::kV:
    case Width::kStack: n = v; break;
    case Width::kZ: n = v == 8 ? 4 : v; break;
    case Width::kY: n = inst.rex_w ? 8 : 4; break;
    case Width::kVec: n = vector; break;
    case Width::kHalfVec: n = vector / 2; break;
    case Width::kQuarterVec: n = vector / 4; break;
    case Width::kEighthVec: n = vector / 8; break;
    case Width::kFar: n = v + 2; break;
    case Width::kBound: n = 2 * v; break;
    case Width::kDescriptor: n = is64 ? 10 : 6; break;
    case Width::kX87Env: n = v == 2 ? 14 : 28; break;
    case Width::kX87State: n = v == 2 ? 94 : 108; break;
    case Width::kNone:
    case Width::kFxState:
    case Width::kXState: break;
  }
  return static_cast<u8>(n);
}

// Rules about register numbers that a row cannot state.
bool registers_allowed(const Row& row, const Inst& inst) {
  switch (row.reg.cls) {
    case RegClass::kSegment:
      if ((inst.reg & 7) > kGS) return false;
      return !(row.helper == Helper::k_mov_to_seg && (inst.reg & 7) == kCS);
    case RegClass::kControl: return inst.reg == 0 || inst.reg == 2 || inst.reg == 3 || inst.reg == 4 || inst.reg == 8;
    case RegClass::kDebug: return inst.reg < 8;
    default: break;
  }
  if (row.attrs & kVsib) {
    if ((inst.modrm & 7) != 4 || inst.address_bytes == 2) return false;
    return inst.reg != inst.index && inst.reg != inst.vvvv && inst.index != inst.vvvv;
  }
  return true;
}

}  // namespace

DecodeStatus decode(const u8* bytes, unsigned available, CodeSize size, Inst& out) {
  const bool is64 = size == CodeSize::k64;
  const u8* p = bytes;
  const u8* const end = bytes + (available < kMaxInstBytes ? available : kMaxInstBytes);
  const DecodeStatus short_of_bytes =
      available >= kMaxInstBytes ? DecodeStatus::kTooLong : DecodeStatus::kNeedMoreBytes;

  if (available > 0 && size != CodeSize::k16) {
    if (const u8 n = kOneByte.number[is64][*p]) {
      out = kOneByte.inst[n];
      return DecodeStatus::kOk;
    }
  }
  out = kOneByte.inst[0];

  // Prefixes, in any order; REX counts only right before the opcode.
  u8 rex = 0, rep = 0, byte;
  for (;;) {
    if (p == end) return short_of_bytes;
    byte = *p;
    const u8 kind = kPrefixes.kind[byte];
    if (kind == kNotPrefix || kind == kVexEscape) break;
    if (kind == kRexPrefix) {
      if (!is64) break;
      rex = byte;
      p++;
      continue;
    }
    rex = 0;
    switch (kind) {
      case kSegPrefix: {
        const u8 seg = segment_of_prefix(byte);
        if (!is64 || seg >= kFS) out.seg_override = seg;
        break;
      }
      case k66Prefix: out.has_66 = true; break;
      case k67Prefix: out.has_67 = true; break;
      case kLockPrefix: out.lock = true; break;
      default: rep = byte; break;
    }
    p++;
  }

  out.address_bytes = is64 ? (out.has_67 ? 4 : 8) : (size == CodeSize::k32) != out.has_67 ? 4 : 2;

  // VEX, or the instructions whose opcodes it took over.
  unsigned map = 0, prefix = rep == 0xf3 ? 2 : rep == 0xf2 ? 3 : out.has_66 ? 1 : 0;
  bool vex = false, vvvv_given = false;
  if (kPrefixes.kind[byte] == kVexEscape) {
    if (p + 1 == end) return short_of_bytes;
    if (is64 || (p[1] & 0xc0) == 0xc0) {
      if (byte == 0x62) return DecodeStatus::kInvalid;  // EVEX: not offered to guests yet
      if (out.has_66 || rep || out.lock || rex) return DecodeStatus::kInvalid;
      vex = true;
      u8 last;
      if (byte == 0xc5) {
        if (p + 2 >= end) return short_of_bytes;
        last = p[1];
        rex = static_cast<u8>(0x40 | (last & 0x80 ? 0 : 4));
        map = 1;
        last &= 0x7f;
        p += 2;
      } else {
        if (p + 3 >= end) return short_of_bytes;
        rex = static_cast<u8>(0x40 | ((~p[1] >> 5) & 7));
        map = p[1] & 31;
        if (map < 1 || map > 3) return DecodeStatus::kInvalid;
        last = p[2];
        if (last & 0x80) rex |= 8;
        p += 3;
      }
      if (!is64) rex &= 0x48;  // eight registers only
      vvvv_given = (last & 0x78) != 0x78;
      out.vvvv = (~last >> 3) & (is64 ? 15 : 7);
      out.vex_l = (last >> 2) & 1;
      constexpr u8 kPrefixOfPp[4] = {0, 1, 2, 3};  // none, 66, F3, F2
      prefix = kPrefixOfPp[last & 3];
      byte = *p;
    }
  }
  if (!vex && byte == 0x0f) {
    if (++p == end) return short_of_bytes;
    byte = *p;
    map = 1;
    if (byte == 0x38 || byte == 0x3a) {
      map = byte == 0x38 ? 2 : 3;
      if (++p == end) return short_of_bytes;
      byte = *p;
    }
  }
  p++;
  out.opcode = byte;
  out.rex = rex;
  out.rex_w = (rex & 8) != 0;
  out.rep = rep == 0xf3;
  out.repne = rep == 0xf2;

  const Entry entry = kIndex.entry[vex][map][byte];
  if (entry.count == 0) return DecodeStatus::kInvalid;
  u8 modrm = 0;
  if (entry.has_modrm) {
    if (p == end) return short_of_bytes;
    modrm = *p++;
    if (map == 1 && (byte & 0xfc) == 0x20 && !vex) modrm |= 0xc0;  // MOV to and from CR and DR ignore mod
  }

  // Which row?
  const u32 query = 1u << (kPrefixShift + prefix) | 1u << (kExtShift + ((modrm >> 3) & 7)) |
                    1u << (kModShift + (modrm >= 0xc0)) | 1u << (kWModeShift + (is64 ? 0 : 2) + out.rex_w) |
                    1u << (kLShift + out.vex_l) | 1u << (kBShift + (rex & 1));
  // Opcodes without ModRM have no mod constraint, so the bit for memory does no harm there.
  const Row* row = nullptr;
  for (const Candidate *c = kIndex.candidates + entry.first, *last = c + entry.count; c != last; c++) {
    if ((query & ~c->mask) == 0 && (c->modrm < 0 || c->modrm == modrm)) {
      row = rows() + c->row;
      break;
    }
  }
  if (row == nullptr) return DecodeStatus::kInvalid;
  out.row = row;
  if (vex) {
    if (!(row->attrs & kVvvvUsed) && vvvv_given) return DecodeStatus::kInvalid;
    if (!is64 && (row->attrs & kVexWGpr)) {
      out.rex_w = false;
      out.rex = rex &= 0x47;
    }
  }
  out.operand_bytes = operand_size(*row, out, size);

  const u8 r_bit = (rex & 4) ? 8 : 0, x_bit = (rex & 2) ? 8 : 0, b_bit = (rex & 1) ? 8 : 0;
  if (row->attrs & kOpcodeReg) out.rm = static_cast<u8>((byte & 7) | b_bit);

  if (entry.has_modrm) {
    out.modrm = modrm;
    out.mod = modrm >> 6;
    out.reg = static_cast<u8>(((modrm >> 3) & 7) | r_bit);
    out.rm = static_cast<u8>((modrm & 7) | b_bit);
    if (row->reg.cls == RegClass::kMmx || row->reg.cls == RegClass::kSegment) out.reg &= 7;
    if (out.mod == 3) {
      if (row->rm.cls == RegClass::kMmx || row->rm.cls == RegClass::kX87) out.rm &= 7;
    } else {
      out.has_memory = true;
      unsigned disp_bytes = out.mod == 1 ? 1 : 0;
      if (out.address_bytes == 2) {
        const u8 rm = modrm & 7;
        if (out.mod == 0 && rm == 6) {
          disp_bytes = 2;
        } else {
          out.base = kBase16[rm].base;
          out.index = kBase16[rm].index;
          if (out.base == 5) out.seg = kSS;
          if (out.mod == 2) disp_bytes = 2;
        }
      } else {
        if (out.mod == 2) disp_bytes = 4;
        u8 base = modrm & 7;
        bool sib_form = false;
        if (base == 4) {
          if (p == end) return short_of_bytes;
          const u8 sib = *p++;
          sib_form = true;
          base = sib & 7;
          out.scale = sib >> 6;
          out.index = static_cast<u8>(((sib >> 3) & 7) | x_bit);
          if (out.index == 4 && !(row->attrs & kVsib)) {
            out.index = kNoReg;
            out.scale = 0;
          }
        }
        if (base == 5 && out.mod == 0) {
          disp_bytes = 4;
          out.rip_relative = is64 && !sib_form;
        } else {
          out.base = static_cast<u8>(base | b_bit);
          if (out.base == 4 || out.base == 5) out.seg = kSS;
        }
      }
      if (disp_bytes) {
        if (static_cast<unsigned>(end - p) < disp_bytes) return short_of_bytes;
        out.disp = disp_bytes == 1 ? load<i8>(p) : disp_bytes == 2 ? load<i16>(p) : load<i32>(p);
        p += disp_bytes;
      }
      out.memory_bytes = memory_width(row->rm, out, is64);
    }
  }
  if (out.seg_override != kNoReg) out.seg = out.seg_override;

  // Immediate.
  if (row->imm != Imm::kNone) {
    const unsigned v = out.operand_bytes, z = v == 8 ? 4 : v;
    unsigned n = 0, extra = 0;
    bool is_signed = false;
    switch (row->imm) {
      case Imm::k8:
      case Imm::kIs4: n = 1; break;
      case Imm::k8s:
      case Imm::kRel8:
        n = 1;
        is_signed = true;
        break;
      case Imm::k16: n = 2; break;
      case Imm::kZ:
        n = z;
        is_signed = true;
        break;
      case Imm::kRelZ:
        n = z;
        is_signed = true;
        break;
      case Imm::kV: n = v; break;
      case Imm::kMoffs: n = out.address_bytes; break;
      case Imm::kFar:
        n = v;
        extra = 2;
        break;
      case Imm::k16_8:
        n = 2;
        extra = 1;
        break;
      case Imm::kNone: break;
    }
    if (static_cast<unsigned>(end - p) < n + extra) return short_of_bytes;
    switch (n) {
      case 1: out.imm = is_signed ? static_cast<u64>(static_cast<i64>(load<i8>(p))) : *p; break;
      case 2: out.imm = is_signed ? static_cast<u64>(static_cast<i64>(load<i16>(p))) : load<u16>(p); break;
      case 4: out.imm = is_signed ? static_cast<u64>(static_cast<i64>(load<i32>(p))) : load<u32>(p); break;
      default: out.imm = load<u64>(p); break;
    }
    p += n;
    if (extra) out.imm2 = extra == 2 ? load<u16>(p) : *p;
    p += extra;
    out.imm_bytes = static_cast<u8>(n + extra);
    if (row->imm == Imm::kIs4 && !is64) out.imm &= 0x7f;
  }
  out.length = static_cast<u8>(p - bytes);

  if (out.lock && !((row->attrs & kLockable) && out.has_memory)) return DecodeStatus::kInvalid;
  if (!registers_allowed(*row, out)) return DecodeStatus::kInvalid;
  return DecodeStatus::kOk;
}

void decode_plain(const u8* bytes, CodeSize size, Inst& out) {
  u8 plain[kMaxInstBytes] = {};
  const u8 length = out.length;
  unsigned n = 0;
  bool before_opcode = true;
  for (unsigned i = 0; i < length; i++) {
    const u8 kind = kPrefixes.kind[bytes[i]];
    before_opcode &= kind != kNotPrefix && (kind != kRexPrefix || size == CodeSize::k64);
    if (!before_opcode || kind != kRepPrefix) plain[n++] = bytes[i];
  }
  decode(plain, n, size, out);
  out.length = length;
}

}  // namespace rz
