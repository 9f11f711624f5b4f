// In front of the soft TLB, for 64-bit user code: is it the page to which this access went last time (mmu/last_page.h)?
// Two instructions fewer than a look into the TLB, and what is added to the linear address does not depend on it, so
// that one load that waits for another waits for nothing else. Out of line the memo is filled from the TLB. An access
// that keeps changing pages would pay for both: C++ finds it (rz_page_changes) and has its block made again without.
#include "mode.h"
#include "translator.h"

namespace rz {

bool Translator::has_memo(unsigned bytes) const {
  // The soft TLB of a supervisor depends on EFLAGS.AC too; user code has one.
  if (!code64() || !(mode_ & kModeCpl3) || (mode_ & kModeCareful) || single()) return false;
  if (vcpu_.machine->options.no_opt || last_page_class(bytes) == kLastPageClasses) return false;
  return !code_.wanders(inst_rip_);
}

bool Translator::recall_page(const Mem& linear, unsigned bytes, bool write, u32 meta, bool careful) {
  if (!has_memo(bytes)) return false;
  const unsigned memo = last_page_index(last_page_class(bytes), write, code_.next_memo());
  const u32 field = static_cast<u32>(offsetof(Vcpu, last_page) + sizeof(LastPage) * memo);
  linear_to_t0(linear);
  a_.gs(true, 0x2b, kT0, field + offsetof(LastPage, base));
  a_.gs(true, 0x3b, kT0, field + offsetof(LastPage, room));
  u8* from = a_.jcc(cAE);
  a_.gs_load(kT0, field + offsetof(LastPage, add));
  forgotten_[forgotten_count_++] = {
      from,  a_.at(), linear,    inst_rip_, meta, static_cast<u16>(bytes), static_cast<u16>(memo),
      write, careful, live_ != 0};
  return true;
}

void Translator::emit_forgotten_pages() {
  for (unsigned i = 0; i < forgotten_count_; i++) {
    const ForgottenPage& f = forgotten_[i];
    a_.bind(f.from);
    linear_to_t0(f.linear);
    set_access(f.meta);
    const u32 at = static_cast<u32>(offsetof(Vcpu, last_page) + sizeof(LastPage) * f.memo);
    a_.gs_store_imm32(offsetof(Vcpu, last_page_at), at | last_page_room(f.memo) << 16);
    leave_for(g_thunks_layout.last_page[f.write]);
    linear_to_t0(f.linear);
    u8* miss = check_tlb(f.bytes, f.write);
    a_.rm(true, 0x8b, kT0, kT1, f.write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add));
    a_.jmp_to(f.back);
    if (f.careful)
      careful_[careful_count_++] = {miss, f.rip, f.unpark};
    else
      slow_[slow_count_++] = {miss, f.back, f.meta, f.write, SlowStub::kAddend, f.linear, 0};
  }
}

}  // namespace rz
