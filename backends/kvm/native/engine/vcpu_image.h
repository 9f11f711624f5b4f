// Between what KVM knows of a vCPU (vcpu_state.h) and its part of a machine's image, all but MSRs. What KVM can say in
// more detail than the format is turned back into what the guest could see: an interrupt that was taken and not yet
// delivered is pending again in its controller. No ioctl: tests make up what a host rarely shows.
#pragma once

#include "state/machine_image.h"
#include "vcpu_state.h"

namespace rz::kvm {

/// @param pic       the chips of the image, which may get an interrupt back
/// @param deadline  IA32_TSC_DEADLINE
void save_vcpu(VcpuState s, u32 index, bool shut_down, u64 deadline, PicState (&pic)[2], state::OneVcpu& one);

/// @param s  of this vCPU, as it is; becomes what the image says, without MSRs
void load_vcpu(const state::OneVcpu& one, VcpuState& s);

}  // namespace rz::kvm
