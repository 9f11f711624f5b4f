// The seam of engine.md: "give me a host operand for this guest operand". Nothing else in the translator knows
// how guest memory is reached; a later window mode replaces host_address() and nothing more.
//
// Fast path: the soft TLB's tag compare, with the page-crossing test folded in by comparing the page of the
// last byte. A miss goes to C++, which fills the table, raises the fault, or sends the instruction to be
// executed again alone with its operand in a bounce buffer (page crossings, MMIO, stores onto code).
#include "../mmu/mmu.h"
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

constexpr u32 seg_field(u8 seg, u32 field) {
  return static_cast<u32>(offsetof(Vcpu, seg) + sizeof(Segment) * seg + field);
}

constexpr u32 merged_slot(u8 group) { return static_cast<u32>(offsetof(Vcpu, merged) + 8u * group); }

/// AH to BH are among the operands.
bool forbids_rex(const Inst& inst) {
  const Row& row = *inst.row;
  return inst.rex == 0 && row.encoding == Encoding::kLegacy && row.ext < 0 && row.reg.cls == RegClass::kGpr &&
         row.reg.width == Width::k1 && inst.reg >= 4 && inst.reg <= 7;
}

constexpr u8 kTwo = 0xfe;
/// The one guest register of an address that is at home: kNoReg for none, kTwo for more.
u8 lone_home(u8 base, u8 index) {
  const bool first = base != kNoReg && kRegMap[base] == hNone, second = index != kNoReg && kRegMap[index] == hNone;
  if (first && second && base != index) return kTwo;
  return first ? base : second ? index : kNoReg;
}

/// With T1 for a register that is at home.
Mem in_registers(u8 base, u8 index, u8 scale, i32 disp) {
  const auto host = [](u8 reg) { return reg == kNoReg ? hNone : kRegMap[reg] == hNone ? kT1 : kRegMap[reg]; };
  return {host(base), host(index), scale, disp};
}

constexpr i32 addend_offset(bool write) { return write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add); }
constexpr i32 tag_offset(bool write) { return write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag); }

}  // namespace

void Translator::set_access(u32 meta) {
  a_.gs_store_imm32(offsetof(Vcpu, exit_meta), meta);
  a_.gs_store_imm32(offsetof(Vcpu, exit_meta) + 4, block_);
}

void Translator::leave_for(u32 thunk, u8* back) {
  u8* field = a_.lea_rip(kT1);
  t1_home_ = kNoReg;
  a_.jmp_to(code_.rw(thunk));
  Assembler::patch(field, back ? back : a_.at());
}

void Translator::emit_slow_stubs() {
  for (unsigned i = 0; i < slow_count_; i++) {
    const SlowStub& s = slow_[i];
    a_.bind(s.from);
    if (s.wants == SlowStub::kConstant)
      a_.mov_imm(kT0, s.address);
    else
      a_.rm(true, 0x33, kT0, kT1, tag_offset(s.write));  // the linear address again
    set_access(s.meta);
    leave_for(g_thunks_layout.slow_access, s.wants == SlowStub::kHost ? s.back : nullptr);
    if (s.wants == SlowStub::kHost) continue;
    if (s.home != kNoReg) a_.gs_load(kT1, home(s.home));
    if (s.wants == SlowStub::kAddend)
      a_.lea(kT1, s.linear);
    else
      a_.mov_imm(kT1, s.address);
    a_.rr(true, 0x2b, kT0, kT1);
    a_.jmp_to(s.back);
  }
}

bool Translator::is_flat(u8 seg) const {
  if (code64()) return seg != kFS && seg != kGS;
  if (seg == kSS) return (mode_ & kModeFlatSs) != 0;
  return seg != kFS && seg != kGS && (mode_ & kModeFlat) != 0;
}

void Translator::offset_to_t0(const Inst& inst, i32 extra_disp) {
  const i32 disp = inst.disp + extra_disp;
  if (inst.rip_relative) {
    u64 at = next_rip() + static_cast<i64>(disp);
    if (inst.address_bytes == 4) at = static_cast<u32>(at);
    a_.mov_imm(kT0, at);
    return;
  }
  if (inst.base == kNoReg && inst.index == kNoReg) {
    u64 at = static_cast<u64>(static_cast<i64>(disp));
    if (inst.address_bytes == 4) at = static_cast<u32>(at);
    if (inst.address_bytes == 2) at = static_cast<u16>(at);
    a_.mov_imm(kT0, at);
    return;
  }
  const Host base = inst.base == kNoReg ? hNone : read_reg(inst.base, kT0);
  const Host index = inst.index == kNoReg ? hNone : read_reg(inst.index, kT1);
  a_.lea(inst.address_bytes == 8, kT0, base, index, inst.scale, disp);
  if (inst.address_bytes == 2) a_.movzx16(kT0, kT0);
}

/// What the slow path is told about an access of the current instruction.
u32 Translator::access_meta(u8 seg, unsigned bytes, Access access) const {
  const u32 attrs = inst_->row->attrs;
  // CVTPI2PS and CVTPI2PD with a memory operand touch no MMX register.
  const bool mmx = (attrs & kNeedsMmx) && inst_->row->reg.cls == RegClass::kMmx;
  const bool waits = (attrs & kFaultsOnHost) && ((attrs & kNeedsFpu) || mmx);
  return AccessMeta::make(offsets_[i_], bytes, access, seg, (attrs & kAligned) != 0, waits);
}

void Translator::host_address(u8 seg, unsigned bytes, Access access) {
  leave_t1();
  const u32 meta = access_meta(seg, bytes, access);
  may_clobber_flags();
  if (bounce()) {
    set_access(meta);
    leave_for(g_thunks_layout.bounce_prepare);
    if (writes(access)) write_pending_ = true;
    return;
  }
  if (!is_flat(seg)) {
    if (!code64()) {
      auto to_bounce = [&](Cond c) { bounce_[bounce_count_++] = {a_.jcc(c), inst_rip_}; };
      a_.gs_cmp_imm8(seg_field(seg, offsetof(Segment, fast_ok)), 0);
      to_bounce(cE);
      if (writes(access)) {
        a_.gs_cmp_imm8(seg_field(seg, offsetof(Segment, fast_read_only)), 0);
        to_bounce(cNE);
      }
      a_.gs_load32(kT1, seg_field(seg, offsetof(Segment, fast_limit)));
      a_.op_imm(true, 5, kT1, static_cast<i32>(bytes) - 1);  // limit - (bytes - 1) must not be below the offset
      to_bounce(cB);
      a_.rr(true, 0x3b, kT1, kT0);
      to_bounce(cB);
    }
    a_.gs_load(kT1, seg_field(seg, offsetof(Segment, base)));
    a_.lea(code64(), kT0, kT0, kT1, 0, 0);
  }
  if ((mode_ & kModeAlign) && alignment_of(bytes) > 1 && !(inst_->row->attrs & kAligned)) {
    a_.mov32(kT1, kT0);
    a_.op_imm(false, 4, kT1, static_cast<i32>(alignment_of(bytes) - 1));
    bounce_[bounce_count_++] = {a_.jcc(cNE), inst_rip_};  // which raises #AC
  }
  u8* miss = check_tlb(bytes, writes(access));
  a_.rm(true, 0x03, kT0, kT1, tag_offset(writes(access)));  // the linear address again
  a_.rm(true, 0x03, kT0, kT1, addend_offset(writes(access)));
  add_slow({miss, a_.at(), meta, writes(access), SlowStub::kHost, kNoMem, 0, kNoReg});
}

u8* Translator::check_tlb(unsigned bytes, bool write) {
  leave_t1();
  // T1 = &tlb->entries[index of T0]
  emit_shifted(a_, false, kT1, kT0, 12 - kTlbEntryShift);
  a_.op_imm(false, 4, kT1, static_cast<i32>((kTlbEntries - 1) << kTlbEntryShift));
  a_.gs(true, 0x03, kT1, offsetof(Vcpu, tlb));
  // T0 ^ tag is the offset in the page on a hit, and beyond any offset otherwise. One compare serves the tag and the
  // page crossing.
  a_.rm(true, 0x33, kT0, kT1, tag_offset(write));
  a_.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes - bytes));
  return a_.jcc(cA);
}

Mem Translator::host_operand(const Inst& inst, unsigned bytes, Access access) {
  const bool plain = forbids_rex(inst);
  const u8 group = group_of_[i_][0];
  if (group != kNoGroup && groups_[group].members > 1)
    return merged_operand(group, inst.base, inst.index, inst.scale, inst.disp, plain);
  leave_t0();
  const u32 meta = access_meta(inst.seg, bytes, access);
  if (code64() && !bounce() && !(mode_ & kModeAlign) && inst.address_bytes == 8 && is_flat(inst.seg)) {
    const bool no_base = inst.base == kNoReg, no_index = inst.index == kNoReg;
    if (inst.rip_relative || (no_base && no_index)) {
      const u64 linear = (inst.rip_relative ? next_rip() : 0) + static_cast<u64>(static_cast<i64>(inst.disp));
      if ((linear & ~kPageMask) + bytes <= kPageBytes) return constant_operand(linear, meta, access);
    } else {
      // The address stays in its registers: what is added to it arrives while the check is still under way.
      const Mem linear = in_registers(inst.base, inst.index, inst.scale, inst.disp);
      const u8 home = lone_home(inst.base, inst.index);
      if (home == kNoReg || (home != kTwo && memos(linear, bytes, writes(access)))) {
        may_clobber_flags();
        if (home != kNoReg) load_home(kT1, home);
        addend_to_t0(linear, meta, bytes, writes(access), home);
        return add_to_t0(inst.base, inst.index, inst.scale, inst.disp, plain);
      }
    }
  }
  offset_to_t0(inst);
  host_address(inst.seg, bytes, access);
  return {kT0, hNone, 0, 0};
}

// The page is known, so its TLB entry is, and nothing is computed.
Mem Translator::constant_operand(u64 linear, u32 meta, Access access) {
  t1_home_ = kNoReg;
  may_clobber_flags();
  const u64 page = linear & kPageMask;
  const i32 entry = static_cast<i32>(tlb_index(linear) << kTlbEntryShift);
  a_.gs_load(kT1, offsetof(Vcpu, tlb));
  if (static_cast<i64>(page) == static_cast<i32>(page)) {
    a_.cmp_imm32(kT1, entry + tag_offset(writes(access)), static_cast<i32>(page));
  } else {
    a_.mov_imm(kT0, page);
    a_.rm(true, 0x3b, kT0, kT1, entry + tag_offset(writes(access)));
  }
  u8* miss = a_.jcc(cNE);
  a_.rm(true, 0x8b, kT0, kT1, entry + addend_offset(writes(access)));
  add_slow({miss, a_.at(), meta, writes(access), SlowStub::kConstant, kNoMem, linear, kNoReg});
  if (static_cast<i64>(linear) == static_cast<i32>(linear)) return {kT0, hNone, 0, static_cast<i32>(linear)};
  a_.mov_imm(kT1, linear);
  a_.lea(true, kT0, kT0, kT1, 0, 0);
  return {kT0, hNone, 0, 0};
}

Mem Translator::stack_operand(i32 disp, unsigned bytes, Access access, u8 base) {
  const u8 group = group_of_[i_][1];
  if (group != kNoGroup && groups_[group].members > 1)
    return merged_operand(group, base, kNoReg, 0, disp + stack_owed_, false);
  leave_t0();
  const Host r = kRegMap[base];
  if (code64() && !bounce() && !(mode_ & kModeAlign)) {
    may_clobber_flags();
    addend_to_t0({r, hNone, 0, disp}, access_meta(kSS, bytes, access), bytes, writes(access));
    return {r, kT0, 0, disp};
  }
  a_.lea(stack_bytes() == 8, kT0, r, hNone, 0, disp);
  if (stack_bytes() == 2) a_.movzx16(kT0, kT0);
  host_address(kSS, bytes, access);
  return {kT0, hNone, 0, 0};
}

/// A store whose page was checked already is still to come, in this instruction or behind it.
bool Translator::merged_store_ahead() const {
  for (unsigned g = 0; g < group_count_; g++)
    if (groups_[g].checked && groups_[g].write && groups_[g].members > 1 && groups_[g].last >= i_) return true;
  return false;
}

/// Where a check's miss goes. Behind a call of C++ nothing that was checked for stores before may be relied on when
/// there are other vCPUs (run/sync.h), so with such stores ahead the rest is left to a careful block.
void Translator::add_slow(const SlowStub& stub) {
  if (vcpu_.machine->smp() && merged_store_ahead())
    careful_[careful_count_++] = {stub.from, inst_rip_, live_ != 0};
  else
    slow_[slow_count_++] = stub;
}

void Translator::check_group(u8 group) {
  const MergeGroup& m = groups_[group];
  may_clobber_flags();
  const Mem linear = in_registers(m.base, m.index, m.scale, static_cast<i32>(m.lo - m.moved));
  const u8 home = lone_home(m.base, m.index);
  const unsigned bytes = static_cast<unsigned>(m.hi - m.lo);
  if (home != kTwo && memos(linear, bytes, m.write)) {
    if (home != kNoReg) load_home(kT1, home);
    const Access access = m.write ? Access::kWrite : Access::kRead;
    if (recall_page(linear, bytes, m.write, access_meta(kDS, 1, access), true, home)) return;
  }
  const Host base = m.base == kNoReg ? hNone : read_reg(m.base, kT0);
  const Host index = m.index == kNoReg ? hNone : read_reg(m.index, kT1);
  a_.lea(true, kT0, base, index, m.scale, static_cast<i32>(m.lo - m.moved));
  u8* miss = check_tlb(bytes, m.write);
  careful_[careful_count_++] = {miss, inst_rip_, live_ != 0};
  a_.rm(true, 0x8b, kT0, kT1, addend_offset(m.write));
}

void Translator::keep_t0() {
  if (t0_group_ == kNoGroup) return;
  MergeGroup& m = groups_[t0_group_];
  if (m.kept || m.last < i_ || (m.last == i_ && keeps_t0(inst_->row->sem))) return;
  a_.gs_store(kT0, merged_slot(t0_group_));
  m.kept = true;
}

void Translator::leave_t0() {
  keep_t0();
  t0_group_ = kNoGroup;
}

void Translator::leave_t1() {
  if (t1_target_) a_.gs_store(kT1, offsetof(Vcpu, scratch) + 8);
  t1_target_ = false;
  t1_home_ = kNoReg;
}

/// A host operand has room for T0 and one register: an index beside a base, or all of the address where the base is at
/// home, is added to T0 once for the group.
Mem Translator::merged_operand(u8 group, u8 base, u8 index, u8 scale, i32 disp, bool plain) {
  MergeGroup& m = groups_[group];
  const bool adds_base = base != kNoReg && kRegMap[base] == hNone,
             adds = base != kNoReg && (adds_base || index != kNoReg);
  if (!m.checked) {
    leave_t0();
    check_group(group);
    if (adds_base) a_.lea(true, kT0, kT0, read_reg(base, kT1), 0, 0);
    if (adds && index != kNoReg) a_.lea(true, kT0, kT0, read_reg(index, kT1), scale, 0);
    m.checked = true;
    t0_group_ = group;
    if (!keeps_t0(inst_->row->sem)) keep_t0();
  } else if (t0_group_ != group) {
    leave_t0();
    a_.gs_load(kT0, merged_slot(group));
    t0_group_ = group;
  }
  if (!adds) return add_to_t0(base, index, scale, disp, plain);
  return add_to_t0(adds_base ? kNoReg : base, kNoReg, 0, static_cast<i32>(disp + added_moved_[i_] - m.added_moved),
                   plain);
}

/// T1 may be part of the instruction's memory operand: it is wanted for nothing else before the access.
bool Translator::spares_t1() const {
  const Row& row = *inst_->row;
  if (row.sem != Sem::kIdentity && row.sem != Sem::kX87Identity) return false;
  const bool flags = (row.flags.read | row.flags.written | row.flags.undefined | row.flags.maybe) != 0;
  if (flags && parked_ && live_) return false;  // they come back through it
  const auto wants = [&](const Field& f, u8 number) {
    if (f.cls != RegClass::kGpr || kRegMap[number & 15] != hNone) return false;
    return f.use != Operand::kWrites || f.width != Width::kV || inst_->operand_bytes < 4;
  };
  return !(row.ext < 0 && wants(row.reg, inst_->reg)) &&
         !(row.encoding != Encoding::kLegacy && wants(row.vvvv, inst_->vvvv));
}

/// The operand whose linear address is that of the guest's plus T0.
/// @param plain  the instruction cannot have a REX prefix
Mem Translator::add_to_t0(u8 base, u8 index, u8 scale, i32 disp, bool plain) {
  const Mem out{kT0, hNone, 0, disp};
  if (index != kNoReg) {
    const Host r = read_reg(index, kT1);
    if (base == kNoReg && (r != kT1 || spares_t1()) && !(plain && r >= 8)) return {kT0, r, scale, disp};
    leave_t0();
    a_.lea(true, kT0, kT0, r, scale, 0);
  }
  if (base != kNoReg) {
    const Host r = read_reg(base, kT1);
    if ((r != kT1 || spares_t1()) && !(plain && r >= 8)) return {r, kT0, 0, disp};
    leave_t0();
    a_.lea(true, kT0, kT0, r, 0, 0);
  }
  return out;
}

void Translator::linear_to_t0(const Mem& linear) {
  if (linear.disp || linear.index != hNone)
    a_.lea(kT0, linear);
  else
    a_.mov(kT0, linear.base);
}

/// T0 = what turns the linear address `linear` into a host address, or the slow path.
void Translator::addend_to_t0(const Mem& linear, u32 meta, unsigned bytes, bool write, u8 home) {
  if (recall_page(linear, bytes, write, meta, vcpu_.machine->smp() && merged_store_ahead(), home)) return;
  linear_to_t0(linear);
  u8* miss = check_tlb(bytes, write);
  a_.rm(true, 0x8b, kT0, kT1, addend_offset(write));
  add_slow({miss, a_.at(), meta, write, SlowStub::kAddend, linear, 0, home});
}

void Translator::finish_write() {
  if (!write_pending_) return;
  write_pending_ = false;
  if (!parked_) park();
  leave_for(g_thunks_layout.bounce_commit);
}

}  // namespace rz
