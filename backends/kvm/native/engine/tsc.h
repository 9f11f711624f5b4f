// The time-stamp counters of a machine's vCPUs, as distances from the host's: read and set as of one moment, so that a
// thread that the host interrupts between two vCPUs does not move their counters apart.
#pragma once

#include <vector>

#include "ioctls.h"

namespace rz::kvm {

/// This processor's counter.
inline u64 host_tsc() { return __builtin_ia32_rdtsc(); }

/// Guest's counter − host's counter lies in low ..= high, modulo 2^64; high − low is small.
struct TscDistance {
  u64 low, high;
};

/// One distance for each vCPU. Those whose ranges have a part in common have the same: a look at a counter takes longer
/// than what a KVM that does not tell distances lets them differ.
std::vector<u64> agreed_distances(const std::vector<TscDistance>& looks);

/// Guest's counter − host's counter of each vCPU. While none runs.
std::vector<u64> tsc_distances(const std::vector<int>& vcpus);

/// Set it. False: this host's KVM refuses both ways.
[[nodiscard]] bool set_tsc_distance(int vcpu, u64 distance);

}  // namespace rz::kvm
