// The MSRs that are part of a machine's state (docs/state-format.md), one at a time: a list would be cut off at the
// first that a host's KVM lacks.
#pragma once

#include <vector>

#include "ioctls.h"

namespace rz::kvm {

inline constexpr u32 kMsrTsc = 0x10, kMsrTscDeadline = 0x6e0;

struct MsrRow {
  u32 index;
  u64 absent;  // what stands for it where this host's KVM does not have it
};

/// In the order of the format, without the TSC and its deadline: those follow the clock and the APIC.
const std::vector<MsrRow>& msr_rows();

/// False: this host's KVM does not have it.
[[nodiscard]] bool get_msr(int vcpu, u32 index, u64& value);
/// False: it does not have it, or refuses the value.
[[nodiscard]] bool set_msr(int vcpu, u32 index, u64 value);

}  // namespace rz::kvm
