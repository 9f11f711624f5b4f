// In front of the soft TLB, for 64-bit user code: is it the page to which this access went last time (mmu/last_page.h)?
// Two instructions fewer than a look into the TLB, and what is added to the linear address does not depend on it, so
// that one load that waits for another waits for nothing else. Out of line the memo is filled from the TLB. An access
// that keeps changing pages would pay for both: C++ finds it (rz_page_changes) and has its block made again without;
// or, when it chases pointers, with eight memos at first.
#include "mode.h"
#include "translator.h"

namespace rz {
/// How many memos an access has.
unsigned Translator::memos(const Mem& linear, unsigned bytes, bool write) const {
  // The soft TLB of a supervisor depends on EFLAGS.AC too; user code has one.
  if (!code64() || !(mode_ & kModeCpl3) || (mode_ & kModeCareful) || single()) return 0;
  if (vcpu_.machine->options.no_opt || last_page_class(bytes) == kLastPageClasses) return 0;
  switch (code_.wanders(inst_rip_)) {
    case 0: return 1;
    case 1: return !write && chases(linear) ? kLastPageWays : 0;
    default: return 0;
  }
}

/// The next address of this access comes from what is loaded here: a load of the base, through the base, by this
/// instruction or the next few.
bool Translator::chases(const Mem& linear) const {
  constexpr unsigned kFew = 8;
  for (unsigned i = i_; i < count_ && i < i_ + kFew && insts_[i].row; i++) {
    const Inst& inst = insts_[i];
    const Row& row = *inst.row;
    if (row.sem != Sem::kIdentity || row.encoding != Encoding::kLegacy || row.map != Map::kOne || inst.opcode != 0x8b)
      continue;
    if (inst.has_memory && inst.operand_bytes == 8 && inst.base == inst.reg && kRegMap[inst.base] == linear.base)
      return true;
  }
  return false;
}

bool Translator::recall_page(const Mem& linear, unsigned bytes, bool write, u32 meta, bool careful, u8 home) {
  const unsigned ways = memos(linear, bytes, write);
  if (ways == 0) return false;
  t1_home_ = home;  // others are lost out of line
  const unsigned cls = last_page_class(bytes), number = code_.next_memo();
  const unsigned memo = ways == 1 ? last_page_index(cls, write, number) : last_page_set(cls, number);
  u8* from = compare_page(linear, memo, cAE);
  a_.gs_load(kT0, memo_field(memo, offsetof(LastPage, add)));
  forgotten_[forgotten_count_++] = {from,
                                    a_.at(),
                                    linear,
                                    inst_rip_,
                                    meta,
                                    static_cast<u16>(bytes),
                                    static_cast<u16>(memo),
                                    static_cast<u8>(ways),
                                    write,
                                    careful,
                                    live_ != 0,
                                    t1_target_,
                                    false,
                                    home};
  return true;
}

/// Jumps on `condition`, cB or cAE, of the address less the memo's page and the memo's room. T0 is clobbered.
u8* Translator::compare_page(const Mem& linear, unsigned memo, Cond condition) {
  linear_to_t0(linear);
  a_.gs(true, 0x2b, kT0, memo_field(memo, offsetof(LastPage, base)));
  a_.gs(true, 0x3b, kT0, memo_field(memo, offsetof(LastPage, room)));
  return a_.jcc(condition);
}

void Translator::emit_forgotten_pages() {
  for (unsigned i = 0; i < forgotten_count_; i++) {
    const ForgottenPage& f = forgotten_[i];
    u8* back = f.back;
    if (f.target || f.home != kNoReg) {
      back = a_.at();
      a_.gs_load(kT1, f.target ? static_cast<u32>(offsetof(Vcpu, scratch) + 8) : home(f.home));
      a_.jmp_to(f.back);
    }
    a_.bind(f.from);
    if (f.target) a_.gs_store(kT1, offsetof(Vcpu, scratch) + 8);
    u8* hits[kLastPageWays];
    for (unsigned way = 1; way < f.memos; way++) hits[way] = compare_page(f.linear, f.memo + way, cB);
    linear_to_t0(f.linear);
    set_access(f.meta);
    a_.gs_store_imm32(offsetof(Vcpu, last_page_at), memo_field(f.memo, 0) | last_page_room(f.memo) << 16);
    leave_for(f.memos > 1 ? g_thunks_layout.last_page_set : g_thunks_layout.last_page[f.write]);
    if (f.run) {
      u8* elsewhere = compare_page(f.linear, f.memo, cAE);
      a_.jmp_to(f.back);
      careful_[careful_count_++] = {elsewhere, f.rip, f.unpark};
      continue;
    }
    if (f.home != kNoReg) a_.gs_load(kT1, home(f.home));
    linear_to_t0(f.linear);
    u8* miss = check_tlb(f.bytes, f.write);
    a_.rm(true, 0x8b, kT0, kT1, f.write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add));
    a_.jmp_to(back);
    for (unsigned way = 1; way < f.memos; way++) {
      a_.bind(hits[way]);
      a_.gs_load(kT0, memo_field(f.memo + way, offsetof(LastPage, add)));
      a_.jmp_to(back);
    }
    if (f.careful)
      careful_[careful_count_++] = {miss, f.rip, f.unpark};
    else
      slow_[slow_count_++] = {miss, back, f.meta, f.write, SlowStub::kAddend, f.linear, 0, f.home};
  }
}

}  // namespace rz
