// The paravirtual clock of KVM guests: time parameters in guest memory, read by the guest without an exit.
// Source: Linux, "KVM-specific MSRs".
#pragma once

#include "vcpu.h"

namespace rz {

/// Nanoseconds of machine time at a host TSC value; the same on every vCPU.
u64 machine_time_ns(const Vcpu& vcpu, u64 host_tsc_value);
/// Fill the vCPU's time structure at the guest-physical address in `msr` (bit 0: enabled).
void pvclock_write_system_time(Vcpu& vcpu, u64 msr);
/// Fill the wall-clock structure: the time of day when machine time was zero.
void pvclock_write_wall_clock(Vcpu& vcpu, u64 gpa);

}  // namespace rz
