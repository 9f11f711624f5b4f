// The time-stamp counter. The guest's TSC runs at the host's rate: guest = host + tsc_offset.
#pragma once

#include "shared/clock_look.h"
#include "vcpu.h"

namespace rz {

inline u64 host_tsc() {
  u32 low, high;
  asm volatile("rdtsc" : "=a"(low), "=d"(high));
  return static_cast<u64>(high) << 32 | low;
}

/// The counter that the guest's is derived from: the host's, or the machine's virtual one.
u64 base_tsc(const Vcpu& vcpu);
inline u64 guest_tsc(const Vcpu& vcpu) { return base_tsc(vcpu) + vcpu.msr.tsc_offset; }

/// Rate of the host's TSC in Hz: from CPUID leaf 15h or a hypervisor's leaf 40000010h, else measured over at least
/// 10 ms against CLOCK_MONOTONIC_RAW. The first call decides; later calls return the same value.
u64 tsc_hz();

/// Whoever started this process looked at both clocks: measuring begins there. Before the first call of `tsc_hz`.
void tsc_looked_at(const shared::ClockLook& look);

}  // namespace rz
