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

constexpr i32 host_offset(bool write) { return write ? offsetof(TlbEntry, write_host) : offsetof(TlbEntry, read_host); }
constexpr i32 tag_offset(bool write) { return write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag); }

}  // namespace

void Translator::set_access(u32 meta) {
  a_.gs_store_imm32(offsetof(Vcpu, exit_meta), meta);
  a_.gs_store_imm32(offsetof(Vcpu, exit_meta) + 4, block_);
}

void Translator::leave_for(u32 thunk, u8* back) {
  u8* field = a_.lea_rip(kT1);
  a_.jmp_to(code_.rw(thunk));
  Assembler::patch(field, back ? back : a_.at());
}

void Translator::emit_slow_stubs() {
  for (unsigned i = 0; i < slow_count_; i++) {
    a_.bind(slow_[i].from);
    a_.rm(true, 0x33, kT0, kT1, tag_offset(slow_[i].write));  // the linear address again
    set_access(slow_[i].meta);
    leave_for(g_thunks_layout.slow_access, slow_[i].back);
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

void Translator::host_address(u8 seg, unsigned bytes, Access access) {
  const u32 attrs = inst_->row->attrs;
  const bool waits = (attrs & kFaultsOnHost) && (attrs & (kNeedsFpu | kNeedsMmx));
  const u32 meta = AccessMeta::make(offsets_[i_], bytes, access, seg, (attrs & kAligned) != 0, waits);
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
  // T1 = &tlb->entries[index of T0]
  a_.mov32(kT1, kT0);
  a_.shift(false, 5, kT1, 12 - kTlbEntryShift);
  a_.op_imm(false, 4, kT1, static_cast<i32>((kTlbEntries - 1) << kTlbEntryShift));
  a_.gs(true, 0x03, kT1, offsetof(Vcpu, tlb));
  // T0 ^ tag is the offset in the page on a hit, and beyond any offset otherwise. One compare serves the tag and the
  // page crossing.
  a_.rm(true, 0x33, kT0, kT1, tag_offset(writes(access)));
  a_.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes - bytes));
  u8* miss = a_.jcc(cA);
  a_.rm(true, 0x03, kT0, kT1, host_offset(writes(access)));
  slow_[slow_count_++] = {miss, a_.at(), meta, writes(access)};
}

void Translator::host_operand(const Inst& inst, unsigned bytes, Access access) {
  offset_to_t0(inst);
  host_address(inst.seg, bytes, access);
}

void Translator::finish_write() {
  if (!write_pending_) return;
  write_pending_ = false;
  if (!parked_) park();
  leave_for(g_thunks_layout.bounce_commit);
}

}  // namespace rz
