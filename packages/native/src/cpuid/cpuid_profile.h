// What the guest's CPUID reports, on every engine. A profile is a named set of features, cut down to what the host (for
// re-encoded instructions) and the engine (for emulated ones) really provide; nothing is advertised that is not
// implemented. Machines that must move between hosts use a named profile, not `host`.
#pragma once

#include "../shared/types.h"

namespace rz {

struct CpuidResult {
  u32 eax, ebx, ecx, edx;
};

/// CPUID of the host. About 15 us inside a virtual machine: never on a hot path.
CpuidResult host_cpuid(u32 leaf, u32 subleaf);

struct CpuidProfile {
  const char* name;
  bool intel;           // vendor GenuineIntel, else AuthenticAMD
  u32 fms;              // leaf 1 EAX: family, model, stepping
  u32 vcpus;            // for the topology leaves
  u8 phys_bits;         // guest-physical address width
  u8 linear_bits;       // 48, or 57 with LA57
  bool gigantic_pages;  // 1 GiB pages
  char brand[48];
  u64 tsc_hz;
  // Feature words, by leaf and register.
  u32 f1_ecx, f1_edx, f7_ebx, f7_ecx, f7_edx, f7_1_eax, x1_ecx, x1_edx, x8_ebx, x21_eax, xd1_eax;
  u64 xcr0;              // bits that XSETBV may set; 0 without XSAVE
  u64 cr4;               // bits that MOV CR4 may set
  u64 efer;              // bits that WRMSR EFER may set
  u32 xsave_bytes[64];   // per state component: size ...
  u32 xsave_offset[64];  // ... and offset in the standard format

  u32 signature() const { return fms; }
};

/// Fill `out` for a profile name: "x86-64-v1", "x86-64-v2", "x86-64-v3" or "host". The first has what every x86-64
/// processor has and what every KVM adds, for machines that must move to old ones, or to emulated ones. "+la57" behind
/// it adds 5-level paging, which no profile has by itself: kernels that find it use it, and every page walk takes a
/// step more. "+pku" adds protection keys to a profile with XSAVE. They are emulated; but `host` has them by itself
/// only where the processor does, so that a machine with that profile may move to KVM, and the named levels never do.
/// "-aibrs" takes AMD's automatic IBRS away, which many a KVM does not give.
/// @param vcpus   processors of the machine, 1..255
/// @param tsc_hz  see tsc_hz()
/// @returns false for an unknown name
[[nodiscard]] bool cpuid_profile(const char* name, u32 vcpus, u64 tsc_hz, CpuidProfile& out);

/// One of a profile's feature words, by its place in CPUID; see FeatureRow in cpuid_features.h for the names of its
/// bits.
[[nodiscard]] u32 feature_word(const CpuidProfile& profile, u32 word);

/// What CPUID depends on besides the profile.
struct CpuidView {
  const CpuidProfile& profile;
  u32 index;          // of the vCPU, 0-based; its APIC id
  u64 cr4;            // OSXSAVE, OSPKE
  bool apic_enabled;  // IA32_APIC_BASE bit 11
  u64 xcr0;
  bool code64;  // runs 64-bit code
};

/// One leaf.
CpuidResult cpuid_leaf(const CpuidView& view, u32 leaf, u32 subleaf);

}  // namespace rz
