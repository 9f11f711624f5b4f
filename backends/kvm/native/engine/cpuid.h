// What the guest's CPUID reports on KVM.
#pragma once

#include <vector>

#include "ioctls.h"

namespace rz::kvm {

/// The leaves for one vCPU.
/// @param profile  "host": all that this processor and its KVM have
/// @param index    number of the vCPU, 0-based; also its APIC id
/// @param vcpus    of the machine
Outcome cpuid_leaves(int kvm, const char* profile, u32 index, u32 vcpus, std::vector<kvm_cpuid_entry2>& out);

/// Give a vCPU its leaves.
Outcome set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& leaves);

}  // namespace rz::kvm
