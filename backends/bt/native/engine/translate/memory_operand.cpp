// The seam of engine.md: "give me a host operand for this guest operand". Nothing else in the translator knows
// how guest memory is reached; a later window mode replaces host_address() and nothing more.
//
// Fast path: the soft TLB's tag compare, with the page-crossing test folded in by comparing the page of the
// last byte. A miss goes to C++, which fills the table, raises the fault, or sends the instruction to be
// executed again alone with its operand in a bounce buffer (page crossings, MMIO, stores onto code).
#include "../mmu/tlb.h"
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

constexpr u32 seg_field(u8 seg, u32 field) { return static_cast<u32>(offsetof(Vcpu, seg) + sizeof(Segment) * seg + field); }

}  // namespace

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

void Translator::host_address(u8 seg, unsigned bytes, Access access) {
  const u32 meta = AccessMeta::make(offsets_[i_], bytes, access, seg, (inst_->row->attrs & kAligned) != 0);
  may_clobber_flags();
  if (bounce()) {
    a_.gs_store_imm32(offsetof(Vcpu, exit_meta), meta);
    a_.mov_imm(kT1, block_);
    a_.call_to(code_.rw(g_thunks_layout.bounce_prepare));
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
      a_.lea(true, kT1, kT0, hNone, 0, static_cast<i32>(bytes) - 1);
      a_.gs_load32(kT2, seg_field(seg, offsetof(Segment, fast_limit)));
      a_.rr(true, 0x3b, kT1, kT2);
      to_bounce(cA);
    }
    a_.gs_load(kT1, seg_field(seg, offsetof(Segment, base)));
    a_.lea(code64(), kT0, kT0, kT1, 0, 0);
  }
  // T1 = &tlb->entries[index of T0]
  a_.mov32(kT1, kT0);
  a_.shift(false, 5, kT1, 12 - kTlbEntryShift);
  a_.op_imm(false, 4, kT1, static_cast<i32>((kTlbEntries - 1) << kTlbEntryShift));
  a_.gs(true, 0x03, kT1, offsetof(Vcpu, tlb));
  a_.lea(true, kT2, kT0, hNone, 0, static_cast<i32>(bytes) - 1);
  a_.op_imm(true, 4, kT2, -4096);
  a_.rm(true, 0x3b, kT2, kT1, writes(access) ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag));
  u8* miss = a_.jcc(cNE);
  a_.rm(true, 0x03, kT0, kT1, offsetof(TlbEntry, addend));
  slow_[slow_count_++] = {miss, a_.at(), meta};
}

void Translator::host_operand(const Inst& inst, unsigned bytes, Access access) {
  offset_to_t0(inst);
  host_address(inst.seg, bytes, access);
}

void Translator::finish_write() {
  if (!write_pending_) return;
  write_pending_ = false;
  if (!parked_) park();
  a_.call_to(code_.rw(g_thunks_layout.bounce_commit));
}

}  // namespace rz
