// What happens when the inline check of translated code misses, and code fetch. Either the operand's host address
// comes back (and the TLB learns it), or the access has to be re-executed through the bounce buffer.
#include "../cpu/debug.h"
#include "../run/machine.h"
#include "dirty_log.h"
#include "phys_memory.h"
#include "spans.h"

namespace rz {
namespace {

/// Both pages of an access that crosses a page end: the operand itself where the soft TLB knows both and they are
/// neighbours in the host too, else null. A write hit says that no code is on either page.
u8* neighbours(Vcpu& vcpu, u64 linear, Access access) {
  const PrivClass cls = current_class(vcpu);
  u64 next = (linear | (kPageBytes - 1)) + 1;
  if (!vcpu.long_mode()) next = static_cast<u32>(next);
  u8* first = tlb_hit(vcpu, cls, linear, 1, access);
  const u8* second = tlb_hit(vcpu, cls, next, 1, access);
  return first && second && first + (kPageBytes - (linear & (kPageBytes - 1))) == second ? first : nullptr;
}

/// A load or store across a page end that goes on in its block: on the operand itself where the two pages are
/// neighbours in the host too; a load of other pages gets a copy in the bounce buffer. Other stores, accesses that read
/// and write, and devices, which are read once, are left to the instruction's own block.
SlowResult crossing_access(Vcpu& vcpu, u64 linear, unsigned bytes, Access access) {
  if (access != Access::kRead && access != Access::kWrite) return {nullptr, SlowAccess::kBounce};
  if (u8* host = neighbours(vcpu, linear, access)) return {host, SlowAccess::kHost};
  Spans spans;
  if (!resolve_spans(vcpu, linear, bytes, access, current_class(vcpu), spans)) return {nullptr, SlowAccess::kFault};
  const Vcpu::BounceSpan &first = spans.part[0], &second = spans.part[1];
  if (!first.host || !second.host) return {nullptr, SlowAccess::kBounce};
  if (vcpu.watch_data && data_breakpoints(vcpu, linear, bytes, access)) return {nullptr, SlowAccess::kBounce};
  if (access == Access::kWrite) {
    u8* host = neighbours(vcpu, linear, access);  // what was filled just now
    return {host, host ? SlowAccess::kHost : SlowAccess::kBounce};
  }
  if (first.host + first.bytes == second.host) return {first.host, SlowAccess::kHost};
  u8* copy = vcpu.bounce + (linear & 63);
  spans_read(vcpu, spans.part, spans.count, copy);
  return {copy, SlowAccess::kHost};
}

/// A store onto a page with code that the TLB knows for reads, as most of the stores are that write code.
bool store_beside_code(Vcpu& vcpu, PrivClass cls, u64 linear, unsigned bytes, SlowResult& out) {
  u8* host = tlb_code_write(vcpu, cls, linear);
  u64 gpa;
  if (!host || vcpu.watch_data || !vcpu.machine->memory->gpa_of(host, gpa)) return false;
  if (vcpu.machine->smp()) {
    note_recent_write(vcpu, host);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);  // before the looks below
  }
  if (!code_still_guarded(*vcpu.machine, gpa)) return false;  // not any more: the TLB may learn it
  const bool hit = code_hit(*vcpu.machine, gpa, bytes);
  out = {host, hit ? SlowAccess::kCode : SlowAccess::kHost, gpa};
  return true;
}

}  // namespace

SlowResult slow_access(Vcpu& vcpu, u64 linear, unsigned bytes, Access access) {
  vcpu.second_left = kSecondHits;
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  if (alignment_fault(vcpu, linear, bytes)) return {nullptr, SlowAccess::kFault};
  if ((linear & (kPageBytes - 1)) + bytes > kPageBytes) return crossing_access(vcpu, linear, bytes, access);
  const PrivClass cls = current_class(vcpu);
  SlowResult beside;
  if (writes(access) && store_beside_code(vcpu, cls, linear, bytes, beside)) return beside;
  Translation t;
  if (!walk(vcpu, linear, access, cls, t)) return {nullptr, SlowAccess::kFault};
  const MemorySlot* slot = vcpu.machine->memory->find(t.gpa);
  if (!slot) return {nullptr, SlowAccess::kBounce};
  if (vcpu.watch_data && data_breakpoints(vcpu, linear, bytes, access)) return {nullptr, SlowAccess::kBounce};
  if (writes(access) && vcpu.machine->smp()) note_recent_write(vcpu, slot->host + (t.gpa - slot->base));
  tlb_fill(vcpu, cls, linear, t, access);  // leaves the write side empty when code is on the page; its fence also
                                           // stands between the note above and the looks below
  if (writes(access)) {
    if (vcpu.machine->dirty && !slot->read_only) vcpu.machine->dirty->note(*slot, t.gpa);
    if (slot->read_only) return {nullptr, SlowAccess::kBounce};
    if (code_page(*vcpu.machine, t.gpa) && code_hit(*vcpu.machine, t.gpa, bytes))
      return {slot->host + (t.gpa - slot->base), SlowAccess::kCode, t.gpa};
  }
  return {slot->host + (t.gpa - slot->base), SlowAccess::kHost};
}

bool fetch_translate(Vcpu& vcpu, u64 linear, u64& gpa) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  const PrivClass cls = code_class(vcpu);
  const TlbTable& table = vcpu.context->tlb[cls];
  const unsigned index = exec_index(linear);
  if (table.exec_tag[index] == (linear & kPageMask)) {
    gpa = table.exec_page[index] | (linear & (kPageBytes - 1));
    return true;
  }
  Translation t;
  if (!walk(vcpu, linear, Access::kExecute, cls, t)) return false;
  if (vcpu.machine->memory->find(t.gpa)) tlb_fill_exec(vcpu, cls, linear, t);
  gpa = t.gpa;
  return true;
}

}  // namespace rz
