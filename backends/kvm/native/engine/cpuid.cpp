// The leaves of a named profile, the same as on every engine, for KVM to answer with; `host` is what KVM lists. KVM
// itself keeps up what depends on the vCPU's state: OSXSAVE, OSPKE, the APIC bit, the size of the XSAVE area.
#include "cpuid.h"

#include <errno.h>
#include <string.h>

#include <algorithm>
#include <iterator>
#include <string>

#include "cpuid/cpuid_features.h"

namespace rz::kvm {

namespace {

constexpr u32 kMostLeaves = 256, kMostNamed = 4;

/// struct kvm_cpuid2 with room: a header of 8 bytes, then entries.
struct Leaves {
  u32 count = kMostLeaves;
  u32 pad = 0;
  kvm_cpuid_entry2 entry[kMostLeaves] = {};
};

struct Span {
  u32 leaf, subleaves;  // 0: the leaf has none
};
constexpr Span kSpans[] = {
    {0, 0},          {1, 0},          {2, 0},          {3, 0},          {4, 5},          {5, 0},
    {6, 0},          {7, 2},          {8, 0},          {9, 0},          {0xa, 0},        {0xb, 3},
    {0xc, 0},        {0xd, 63},       {0xe, 0},        {0xf, 0},        {0x10, 0},       {0x11, 0},
    {0x12, 0},       {0x13, 0},       {0x14, 0},       {0x15, 0},       {0x16, 0},       {0x40000000, 0},
    {0x40000001, 0}, {0x40000010, 0}, {0x80000000, 0}, {0x80000001, 0}, {0x80000002, 0}, {0x80000003, 0},
    {0x80000004, 0}, {0x80000005, 0}, {0x80000006, 0}, {0x80000007, 0}, {0x80000008, 0}, {0x8000001d, 5},
    {0x8000001e, 0}, {0x80000021, 0},
};

enum Register { kEax, kEbx, kEcx, kEdx };

/// A feature word of the profile, where CPUID has it, and the bits that KVM gives whatever it lists: by its own chips
/// (x2APIC, TSC deadline, hypervisor bit), or because they promise the absence of a fault. Automatic IBRS is none of
/// those: a guest switches it on in EFER, which such a KVM refuses.
struct FeatureWord {
  Word word;
  u32 leaf, subleaf;
  Register reg;
  const char* place;
  u32 always;
};
constexpr FeatureWord kWords[] = {
    {Word::kF1Ecx, 1, 0, kEcx, "1.ECX", 1u << 21 | 1u << 24 | 1u << 31},
    {Word::kF1Edx, 1, 0, kEdx, "1.EDX", 0},
    {Word::kF7Ebx, 7, 0, kEbx, "7.EBX", 0},
    {Word::kF7Ecx, 7, 0, kEcx, "7.ECX", 0},
    {Word::kF7Edx, 7, 0, kEdx, "7.EDX", 0},
    {Word::kF71Eax, 7, 1, kEax, "7.1.EAX", 0},
    {Word::kXd1Eax, 0xd, 1, kEax, "D.1.EAX", 0},
    {Word::kX1Ecx, 0x80000001, 0, kEcx, "80000001.ECX", 1u << 8 | 1u << 22},
    {Word::kX1Edx, 0x80000001, 0, kEdx, "80000001.EDX", 0},
    {Word::kX8Ebx, 0x80000008, 0, kEbx, "80000008.EBX", 1u << 2 | 1u << 26 | 1u << 29},
    {Word::kX21Eax, 0x80000021, 0, kEax, "80000021.EAX", 1u << 0 | 1u << 2 | 1u << 6 | 1u << 29},
};
static_assert(std::size(kWords) == static_cast<size_t>(Word::kCount), "every word of the profiles is looked at");

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

/// "host": all that KVM lists, with the machine's own topology.
Outcome host_leaves(int kvm, u32 index, u32 vcpus, std::vector<kvm_cpuid_entry2>& out) {
  Leaves leaves;
  if (Outcome asked = call(kvm, kGetSupportedCpuid, &leaves); !asked.ok()) return asked;
  out.assign(leaves.entry, leaves.entry + leaves.count);
  for (kvm_cpuid_entry2& leaf : out) place(leaf, index, vcpus);
  return {};
}

std::string feature_name(const FeatureWord& word, int bit) {
  const std::string place = std::string("CPUID ") + word.place + " bit " + std::to_string(bit);
  for (const FeatureRow& row : kFeatureRows) {
    if (row.word == word.word && row.bit == bit) return std::string(row.name) + " (" + place + ")";
  }
  return place;  // of those that AMD repeats from leaf 1, say
}

u32 of(const kvm_cpuid_entry2& entry, Register reg) {
  return reg == kEax ? entry.eax : reg == kEbx ? entry.ebx : reg == kEcx ? entry.ecx : entry.edx;
}

}  // namespace

Outcome lacks(int kvm, const CpuidProfile& profile, std::string& what) {
  Leaves leaves;
  what.clear();
  u32 missing = 0;
  if (Outcome asked = call(kvm, kGetSupportedCpuid, &leaves); !asked.ok()) return asked;
  for (const FeatureWord& word : kWords) {
    u32 has = word.always;
    for (u32 i = 0; i < leaves.count; ++i) {
      const kvm_cpuid_entry2& entry = leaves.entry[i];
      if (entry.function == word.leaf && entry.index == word.subleaf) has |= of(entry, word.reg);
    }
    for (u32 rest = feature_word(profile, static_cast<u32>(word.word)) & ~has; rest != 0; rest &= rest - 1) {
      if (++missing <= kMostNamed) what += (what.empty() ? "" : ", ") + feature_name(word, __builtin_ctz(rest));
    }
  }
  if (missing > kMostNamed) what += " and " + std::to_string(missing - kMostNamed) + " more";
  return {};
}

std::string lacks(int kvm, const char* name) {
  CpuidProfile profile;
  std::string what;
  if (!cpuid_profile(name, 1, 1'000'000'000, profile)) return "a profile of that name";
  if (Outcome asked = lacks(kvm, profile, what); !asked.ok()) return describe(asked);
  return what;
}

Outcome cpuid_leaves(int kvm, const char* name, u32 index, u32 vcpus, u64 tsc_hz, std::vector<kvm_cpuid_entry2>& out) {
  if (strcmp(name, "host") == 0) return host_leaves(kvm, index, vcpus, out);
  CpuidProfile profile;
  if (!cpuid_profile(name, vcpus, tsc_hz, profile)) return Outcome::failed("CPU profile of an unknown name", EINVAL);
  std::string lacking;
  if (Outcome asked = lacks(kvm, profile, lacking); !asked.ok()) return asked;
  if (!lacking.empty()) return Outcome::failed("CPU profile with a feature that this KVM lacks", EINVAL);
  const CpuidView view = {profile, index, 0, true, 1, true};
  const u32 max_basic = cpuid_leaf(view, 0, 0).eax, max_extended = cpuid_leaf(view, 0x80000000, 0).eax;
  out.clear();
  for (const Span& span : kSpans) {
    if (span.leaf < 0x40000000 && span.leaf > max_basic) continue;
    if (span.leaf >= 0x80000000 && span.leaf > max_extended) continue;
    if (span.leaf == 0xd && profile.xcr0 == 0) continue;  // KVM would tell a size of what is not there
    for (u32 subleaf = 0; subleaf < std::max(1u, span.subleaves); ++subleaf) {
      const CpuidResult r = cpuid_leaf(view, span.leaf, subleaf);
      if (span.leaf == 0xd && subleaf > 1 && r.eax == 0) continue;
      kvm_cpuid_entry2 entry = {};
      entry.function = span.leaf;
      entry.index = subleaf;
      entry.flags = span.subleaves != 0 ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
      entry.eax = r.eax;
      entry.ebx = r.ebx;
      entry.ecx = r.ecx;
      entry.edx = r.edx;
      out.push_back(entry);
    }
  }
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
