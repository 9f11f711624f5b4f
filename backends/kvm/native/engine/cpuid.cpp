// CPUID from what KVM supports, with the machine's own topology.
#include "cpuid.h"

#include <errno.h>
#include <string.h>

namespace rz::kvm {

namespace {

constexpr u32 kMostLeaves = 256;

/// struct kvm_cpuid2 with room: a header of 8 bytes, then entries.
struct Leaves {
  u32 count = kMostLeaves;
  u32 pad = 0;
  kvm_cpuid_entry2 entry[kMostLeaves] = {};
};

u32 bits_for(u32 n) {  // smallest k with 2^k >= n
  u32 k = 0;
  while ((1u << k) < n) ++k;
  return k;
}

void place(kvm_cpuid_entry2& leaf, u32 index, u32 vcpus) {
  switch (leaf.function) {
    case 1: {
      const u32 logical = vcpus > 1 ? 1u << bits_for(vcpus) : 1;
      leaf.ebx = (leaf.ebx & 0xffff) | (logical & 0xff) << 16 | index << 24;
      leaf.edx = vcpus > 1 ? leaf.edx | 1u << 28 : leaf.edx & ~(1u << 28);
      leaf.ecx |= 1u << 24 | 1u << 31;  // KVM leaves to us: TSC deadline timer, and that a hypervisor is there
      break;
    }
    case 4:
    case 0x8000001d: {
      const u32 cores = (1u << bits_for(vcpus)) - 1;
      const u32 level = leaf.eax >> 5 & 7;
      leaf.eax &= 0x3fff;
      if (level == 3) leaf.eax |= cores << 14;
      if (leaf.function == 4) leaf.eax |= cores << 26;
      break;
    }
    case 0xb:
    case 0x1f:
      leaf.edx = index;
      if (leaf.index == 0) leaf.eax = 0, leaf.ebx = 1, leaf.ecx = 0x100;
      if (leaf.index == 1) leaf.eax = bits_for(vcpus), leaf.ebx = vcpus, leaf.ecx = 0x201;
      if (leaf.index > 1) leaf.eax = leaf.ebx = 0, leaf.ecx = leaf.index;
      break;
    case 0x80000001: leaf.ecx = vcpus > 1 ? leaf.ecx | 1u << 1 : leaf.ecx & ~(1u << 1); break;
    case 0x80000008: leaf.ecx = vcpus > 1 ? (vcpus - 1) | bits_for(vcpus) << 12 : 0; break;
    case 0x8000001e: leaf.eax = index, leaf.ebx = index & 0xff, leaf.ecx = 0; break;
    case 0x40000001:
      leaf.eax &= 1u << 0 | 1u << 1 | 1u << 3 | 1u << 24;
      break;  // clocks only: state that both engines have
    default: break;
  }
}

}  // namespace

Outcome cpuid_leaves(int kvm, const char* profile, u32 index, u32 vcpus, std::vector<kvm_cpuid_entry2>& out) {
  if (strcmp(profile, "host") != 0) return Outcome::failed("CPU profile", EINVAL);
  Leaves leaves;
  if (Outcome asked = call(kvm, kGetSupportedCpuid, &leaves); !asked.ok()) return asked;
  out.assign(leaves.entry, leaves.entry + leaves.count);
  for (kvm_cpuid_entry2& leaf : out) place(leaf, index, vcpus);
  return {};
}

Outcome set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& from) {
  Leaves leaves;
  if (from.size() > kMostLeaves) return Outcome::failed(kSetCpuid2.name, E2BIG);
  leaves.count = static_cast<u32>(from.size());
  std::copy(from.begin(), from.end(), leaves.entry);
  return call(vcpu, kSetCpuid2, &leaves);
}

}  // namespace rz::kvm
