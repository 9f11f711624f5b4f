// Reading and setting vCPUs' time-stamp counters.
#include "tsc.h"

#include "msrs.h"

namespace rz::kvm {

namespace {

constexpr int kLooks = 8;  // a look that the host interrupts is wide; one of these will not be

// KVM API, "Generic vcpu interface: KVM_VCPU_TSC_CTRL".
kvm_device_attr offset_attribute(u64& offset) {
  kvm_device_attr attribute = {};
  attribute.group = 0;  // KVM_VCPU_TSC_CTRL
  attribute.attr = 0;   // KVM_VCPU_TSC_OFFSET
  attribute.addr = reinterpret_cast<u64>(&offset);
  return attribute;
}

/// What all looks allow; one alone, the narrowest, where a host's counters are not one.
TscDistance look(int vcpu) {
  TscDistance all = {0, ~0ull}, narrowest = all;
  for (int i = 0; i < kLooks; ++i) {
    const u64 before = host_tsc();
    u64 value = 0;
    if (!get_msr(vcpu, kMsrTsc, value)) return {0, 0};
    const u64 after = host_tsc();
    const TscDistance one = {value - after, value - before};
    if (i == 0 || one.high - one.low < narrowest.high - narrowest.low) narrowest = one;
    if (i == 0) all = one;
    if (static_cast<i64>(one.low - all.low) > 0) all.low = one.low;
    if (static_cast<i64>(all.high - one.high) > 0) all.high = one.high;
  }
  return static_cast<i64>(all.high - all.low) >= 0 ? all : narrowest;
}

}  // namespace

std::vector<u64> agreed_distances(const std::vector<TscDistance>& looks) {
  std::vector<TscDistance> groups;
  std::vector<size_t> group_of;
  for (const TscDistance& one : looks) {
    size_t g = 0;
    for (; g < groups.size(); ++g) {
      TscDistance common = groups[g];
      if (static_cast<i64>(one.low - common.low) > 0) common.low = one.low;
      if (static_cast<i64>(common.high - one.high) > 0) common.high = one.high;
      if (static_cast<i64>(common.high - common.low) < 0) continue;
      groups[g] = common;
      break;
    }
    if (g == groups.size()) groups.push_back(one);
    group_of.push_back(g);
  }
  std::vector<u64> distances;
  for (size_t g : group_of) distances.push_back(groups[g].low + (groups[g].high - groups[g].low) / 2);
  return distances;
}

std::vector<u64> tsc_distances(const std::vector<int>& vcpus) {
  std::vector<TscDistance> looks;
  for (int vcpu : vcpus) {
    TscDistance range = look(vcpu);
    u64 offset = 0;
    kvm_device_attr attribute = offset_attribute(offset);
    // Exactly, where KVM tells; it tells the distance itself only while it does not scale, which the look shows.
    if (call(vcpu, kGetDeviceAttr, &attribute).ok() && static_cast<i64>(offset - range.low) >= 0 &&
        static_cast<i64>(range.high - offset) >= 0)
      range = {offset, offset};
    looks.push_back(range);
  }
  return agreed_distances(looks);
}

bool set_tsc_distance(int vcpu, u64 distance) {
  kvm_device_attr attribute = offset_attribute(distance);
  if (call(vcpu, kSetDeviceAttr, &attribute).ok()) return true;
  return set_msr(vcpu, kMsrTsc, host_tsc() + distance);  // KVM makes writes that are nearly the same the same
}

}  // namespace rz::kvm
