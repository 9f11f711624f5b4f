// What the guest's CPUID reports on KVM.
#pragma once

#include <string>
#include <vector>

#include "cpuid/cpuid_profile.h"
#include "ioctls.h"

namespace rz::kvm {

/// The leaves for one vCPU.
/// @param profile  "host": what this KVM lists; else by name, as on every engine (cpuid/cpuid_profile.h)
/// @param tsc_hz   rate of the guest's TSC
/// @param index    number of the vCPU, 0-based; also its APIC id
/// @param vcpus    of the machine
Outcome cpuid_leaves(int kvm, const char* profile, u32 index, u32 vcpus, u64 tsc_hz,
                     std::vector<kvm_cpuid_entry2>& out);

/// The features that a profile promises and KVM here lacks, by name, for people; empty: it has them all.
Outcome lacks(int kvm, const CpuidProfile& profile, std::string& what);

/// The same by the profile's name, a failure to ask included.
std::string lacks(int kvm, const char* name);

/// Give a vCPU its leaves.
Outcome set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& leaves);

}  // namespace rz::kvm
