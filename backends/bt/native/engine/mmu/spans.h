// Internal to mmu/: an access split into its pages, every page translated before any byte moves.
#pragma once

#include "mmu.h"

namespace rz {

/// The one or two pages of an access of 1..4096 bytes.
struct Spans {
  Vcpu::BounceSpan part[2];
  unsigned count;
};

/// Translate all pages of an access. False: exception pending, nothing touched but A/D bits of the first page.
[[nodiscard]] bool resolve_spans(Vcpu& vcpu, u64 linear, unsigned bytes, Access access, PrivClass cls, Spans& out);
/// Move the bytes; MMIO goes to the bus at exact width (other sizes in the largest power-of-two pieces).
void spans_read(Vcpu& vcpu, const Vcpu::BounceSpan* part, unsigned count, void* into);
void spans_write(Vcpu& vcpu, const Vcpu::BounceSpan* part, unsigned count, const void* from);

/// Remember a translation in the soft TLB when it may be (RAM or ROM only).
void tlb_fill(Vcpu& vcpu, PrivClass cls, u64 linear, const Translation& translation, Access access);
void tlb_fill_exec(Vcpu& vcpu, PrivClass cls, u64 linear, const Translation& translation);
/// The host address of a byte that may be written, on a page that was found to hold code; null: walk.
u8* tlb_code_write(const Vcpu& vcpu, PrivClass cls, u64 linear);

inline PrivClass code_class(const Vcpu& vcpu) { return vcpu.cpl == 3 ? kUser : kSupervisor; }
inline PrivClass current_class(const Vcpu& vcpu) {
  return vcpu.cpl == 3 ? kUser : vcpu.rflags & kFlagAC ? kSupervisorAc : kSupervisor;
}

/// Host address from the soft TLB, or null. A write hit implies that no code lives on the page.
inline u8* tlb_hit(Vcpu& vcpu, PrivClass cls, u64 linear, unsigned bytes, Access access) {
  if ((linear & (kPageBytes - 1)) + bytes > kPageBytes) return nullptr;
  const TlbEntry& e = vcpu.context->tlb[cls].entries[tlb_index(linear)];
  const u64 tag = writes(access) ? e.write_tag : e.read_tag;
  const u64 addend = writes(access) ? e.write_add : e.read_add;
  return tag == (linear & kPageMask) ? reinterpret_cast<u8*>(linear + addend) : nullptr;
}

}  // namespace rz
