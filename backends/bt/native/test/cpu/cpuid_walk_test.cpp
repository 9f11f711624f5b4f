// CPUID, every leaf of every profile: features stand on those that they need, and the leaves that tell the same thing
// in several ways (sizes of XSAVE areas and caches, widths of addresses, processors and their ids) agree with each
// other.
#include <cstring>

#include "guest.h"

namespace rz::test {
namespace {

constexpr const char* kProfiles[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3", "host", "host+la57", "host+pku"};

CpuidResult leaf(Guest& g, u32 n, u32 sub = 0) { return cpuid_read(g.v, n, sub); }
bool any(const CpuidResult& r) { return (r.eax | r.ebx | r.ecx | r.edx) != 0; }
bool same(const CpuidResult& a, const CpuidResult& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

struct Bit {
  u32 leaf, subleaf;
  u8 reg, bit;
  const char* name;
};
bool has(Guest& g, const Bit& b) {
  const CpuidResult r = leaf(g, b.leaf, b.subleaf);
  const u32 words[] = {r.eax, r.ebx, r.ecx, r.edx};
  return (words[b.reg] >> b.bit & 1) != 0;
}

constexpr Bit kSse{1, 0, 3, 25, "SSE"}, kSse2{1, 0, 3, 26, "SSE2"}, kSse3{1, 0, 2, 0, "SSE3"},
    kSsse3{1, 0, 2, 9, "SSSE3"}, kSse41{1, 0, 2, 19, "SSE4.1"}, kSse42{1, 0, 2, 20, "SSE4.2"},
    kFxsr{1, 0, 3, 24, "FXSR"}, kXsave{1, 0, 2, 26, "XSAVE"}, kAvx{1, 0, 2, 28, "AVX"}, kAvx2{7, 0, 1, 5, "AVX2"},
    kAes{1, 0, 2, 25, "AES"}, kPclmul{1, 0, 2, 1, "PCLMULQDQ"}, kFma{1, 0, 2, 12, "FMA"}, kF16c{1, 0, 2, 29, "F16C"},
    kVaes{7, 0, 2, 9, "VAES"}, kVpclmul{7, 0, 2, 10, "VPCLMULQDQ"}, kGfni{7, 0, 2, 8, "GFNI"}, kSha{7, 0, 1, 29, "SHA"},
    kPku{7, 0, 2, 3, "PKU"}, kXsaveopt{0xd, 1, 0, 0, "XSAVEOPT"}, kXsavec{0xd, 1, 0, 1, "XSAVEC"},
    kXgetbv1{0xd, 1, 0, 2, "XGETBV(1)"}, kLong{0x80000001, 0, 3, 29, "long mode"}, kPae{1, 0, 3, 6, "PAE"},
    kNx{0x80000001, 0, 3, 20, "NX"}, kPcid{1, 0, 2, 17, "PCID"}, kInvpcid{7, 0, 1, 10, "INVPCID"},
    kApic{1, 0, 3, 9, "APIC"}, kX2apic{1, 0, 2, 21, "x2APIC"}, kDeadline{1, 0, 2, 24, "TSC deadline"},
    kTsc{1, 0, 3, 4, "TSC"}, kRdtscp{0x80000001, 0, 3, 27, "RDTSCP"}, kMce{1, 0, 3, 7, "MCE"}, kMca{1, 0, 3, 14, "MCA"},
    kMsr{1, 0, 3, 5, "MSR"}, kPse{1, 0, 3, 3, "PSE"}, kPse36{1, 0, 3, 17, "PSE-36"}, kMmx{1, 0, 3, 23, "MMX"},
    kFpu{1, 0, 3, 0, "x87"}, kBmi1{7, 0, 1, 3, "BMI1"}, kBmi2{7, 0, 1, 8, "BMI2"},
    kGigantic{0x80000001, 0, 3, 26, "1 GiB pages"}, kLa57{7, 0, 2, 16, "LA57"}, kMtrr{1, 0, 3, 12, "MTRR"},
    kPat{1, 0, 3, 16, "PAT"};

/// The first cannot be without the second.
constexpr Bit kNeeds[][2] = {
    {kSse, kFxsr},       {kSse2, kSse},     {kSse3, kSse2},     {kSsse3, kSse3},     {kSse41, kSsse3},
    {kSse42, kSse41},    {kAes, kSse2},     {kPclmul, kSse2},   {kSha, kSsse3},      {kGfni, kSse2},
    {kAvx, kXsave},      {kAvx, kSse42},    {kFma, kAvx},       {kF16c, kAvx},       {kAvx2, kAvx},
    {kVaes, kAvx},       {kVaes, kAes},     {kVpclmul, kAvx},   {kVpclmul, kPclmul}, {kXsave, kFxsr},
    {kXsaveopt, kXsave}, {kXsavec, kXsave}, {kXgetbv1, kXsave}, {kPku, kXsave},      {kPku, kLong},
    {kLong, kPae},       {kNx, kPae},       {kPcid, kLong},     {kInvpcid, kPcid},   {kX2apic, kApic},
    {kDeadline, kApic},  {kDeadline, kTsc}, {kRdtscp, kTsc},    {kMca, kMce},        {kMce, kMsr},
    {kApic, kMsr},       {kPse36, kPse},    {kMmx, kFpu},       {kBmi1, kAvx},       {kBmi2, kAvx},
    {kGigantic, kLong},  {kLa57, kLong},    {kMtrr, kMsr},      {kPat, kMsr},        {kLong, kSse2},
};

void features(Guest& g) {
  for (const auto& pair : kNeeds) {
    const bool fine = !has(g, pair[0]) || has(g, pair[1]);
    if (!fine) printf("  %s without %s\n", pair[0].name, pair[1].name);
    CHECK(fine);
  }
  // What this engine does not do, whatever the host has.
  static constexpr Bit kNever[] = {{1, 0, 2, 3, "MONITOR"},
                                   {1, 0, 2, 5, "VMX"},
                                   {1, 0, 2, 15, "PDCM"},
                                   {1, 0, 3, 18, "PSN"},
                                   {1, 0, 3, 21, "DS"},
                                   {7, 0, 1, 4, "HLE"},
                                   {7, 0, 1, 11, "RTM"},
                                   {7, 0, 1, 14, "MPX"},
                                   {7, 0, 1, 16, "AVX512F"},
                                   {7, 0, 1, 2, "SGX"},
                                   {7, 0, 2, 7, "CET_SS"},
                                   {7, 0, 3, 20, "CET_IBT"},
                                   {7, 0, 2, 5, "WAITPKG"},
                                   {7, 0, 3, 22, "AMX"},
                                   {0xd, 1, 0, 3, "XSAVES"},
                                   {0x80000001, 0, 2, 2, "SVM"},
                                   {0x80000001, 0, 3, 25, "FFXSR"}};
  for (const Bit& bit : kNever) {
    if (has(g, bit)) printf("  %s\n", bit.name);
    CHECK(!has(g, bit));
  }
  // Bits of CR4 and EFER exist with their feature.
  const u64 cr4 = g.profile.cr4;
  CHECK_EQ((cr4 & kCr4PCIDE) != 0, has(g, kPcid));
  CHECK_EQ((cr4 & kCr4OSXSAVE) != 0, has(g, kXsave));
  CHECK_EQ((cr4 & kCr4PKE) != 0, has(g, kPku));
  CHECK_EQ((cr4 & kCr4LA57) != 0, has(g, kLa57));
  CHECK((g.profile.efer & kEferNXE) != 0);
}

void xsave_areas(Guest& g) {
  const u64 all = g.profile.xcr0;
  if (!all) {
    for (u32 i = 0; i < 63; ++i) CHECK(!any(leaf(g, 0xd, i)));
    return;
  }
  CHECK_EQ(all & 3, 3);
  CHECK_EQ(all >> 2 & 1, has(g, kAvx));
  CHECK_EQ(all >> 9 & 1, has(g, kPku));
  for (const u64 xcr0 : {u64{1}, u64{3}, all & 7, all}) {
    g.v.xcr0 = xcr0;
    u32 end = 576, compact = 576, whole = 576;
    u32 last = 576;
    for (u32 i = 2; i < 63; ++i) {
      const CpuidResult part = leaf(g, 0xd, i);
      CHECK_EQ(part.eax != 0, all >> i & 1);
      if (!part.eax) {
        CHECK(!any(part));
        continue;
      }
      CHECK_EQ(part.ecx | part.edx, 0);  // not of IA32_XSS, not aligned
      CHECK(part.ebx >= last);           // behind the one before
      last = part.ebx + part.eax;
      whole = last;
      if (!(xcr0 >> i & 1)) continue;
      end = last;
      compact += part.eax;
    }
    CHECK_EQ(leaf(g, 0xd).eax, static_cast<u32>(all));
    CHECK_EQ(leaf(g, 0xd).edx, all >> 32);
    CHECK_EQ(leaf(g, 0xd).ebx, end);
    CHECK_EQ(leaf(g, 0xd).ecx, whole);
    if (has(g, kXsavec)) CHECK_EQ(leaf(g, 0xd, 1).ebx, compact);
    CHECK_EQ(leaf(g, 0xd, 1).ecx | leaf(g, 0xd, 1).edx, 0);
  }
  g.v.xcr0 = 1;
}

u32 cache_bytes(const CpuidResult& c) {
  return ((c.ebx >> 22) + 1) * ((c.ebx >> 12 & 0x3ff) + 1) * ((c.ebx & 0xfff) + 1) * (c.ecx + 1);
}

void caches(Guest& g, unsigned vcpus) {
  const u32 where = g.profile.intel ? 4 : 0x8000001d;
  u32 size[4][4] = {};  // by level and type
  unsigned n = 0;
  for (; n < 8; ++n) {
    const CpuidResult c = leaf(g, where, n);
    const u32 type = c.eax & 31, level = c.eax >> 5 & 7, sharing = (c.eax >> 14 & 0xfff) + 1;
    if (!type) break;
    CHECK(type <= 3 && level >= 1 && level <= 3);
    if (type > 3 || level > 3) return;
    CHECK((c.ebx & 0xfff) == 63);
    CHECK(level < 3 ? sharing == 1 : sharing >= vcpus);
    size[level][type] = cache_bytes(c);
  }
  CHECK_EQ(n, 4);
  CHECK(!any(leaf(g, where, n)));
  if (g.profile.intel) return;
  CHECK_EQ(leaf(g, 0x80000005).ecx >> 24, size[1][1] >> 10);
  CHECK_EQ(leaf(g, 0x80000005).edx >> 24, size[1][2] >> 10);
  CHECK_EQ(leaf(g, 0x80000006).ecx >> 16, size[2][3] >> 10);
  CHECK_EQ(leaf(g, 0x80000006).edx >> 18, size[3][3] >> 19);  // units of 512 KiB
}

void processors(Guest& g, unsigned vcpus) {
  for (u32 index = 0; index < vcpus; ++index) {
    g.v.index = index;
    CHECK_EQ(leaf(g, 1).ebx >> 24, index);
    CHECK_EQ(leaf(g, 0xb, 0).edx, index);
    CHECK_EQ(leaf(g, 0xb, 1).edx, index);
    CHECK_EQ(leaf(g, 0xb, 0).ecx, 0x100);
    CHECK_EQ(leaf(g, 0xb, 1).ecx, 0x201);
    CHECK_EQ(leaf(g, 0xb, 2).ecx, 2);
    CHECK_EQ(leaf(g, 0xb, 2).ebx, 0);
    CHECK(index >> leaf(g, 0xb, 1).eax == 0);  // one package
    if (!g.profile.intel) CHECK_EQ(leaf(g, 0x8000001e).eax, index);
  }
  g.v.index = 0;
  const bool several = leaf(g, 1).edx >> 28 & 1;
  CHECK_EQ(several, vcpus > 1);
  if (several) CHECK((leaf(g, 1).ebx >> 16 & 0xff) >= vcpus);
  if (g.profile.intel) return;
  const CpuidResult size = leaf(g, 0x80000008);
  CHECK_EQ((size.ecx & 0xff) + 1, vcpus);
  CHECK((1u << (size.ecx >> 12 & 15)) >= vcpus);
  CHECK_EQ(1u << leaf(g, 0xb, 1).eax, 1u << (size.ecx >> 12 & 15));
}

void ranges(Guest& g) {
  const u32 basic = leaf(g, 0).eax, extended = leaf(g, 0x80000000).eax, hypervisor = leaf(g, 0x40000000).eax;
  CHECK(basic >= 0xd && basic < 0x20);
  CHECK(extended >= 0x80000008 && extended < 0x80000040);
  CHECK(hypervisor >= 0x40000001 && hypervisor < 0x40000100);
  const CpuidResult beyond = g.profile.intel ? leaf(g, basic) : CpuidResult{};
  for (const u32 n : {basic + 1, basic + 0x100, 0x20000000u, extended + 1, extended + 0x100, 0xffffffffu})
    CHECK(same(leaf(g, n), beyond));
  for (u32 n = hypervisor + 1; n < 0x40000100; ++n) CHECK(!any(leaf(g, n)));
  // AMD repeats bits of leaf 1.
  if (!g.profile.intel) CHECK_EQ((leaf(g, 0x80000001).edx ^ leaf(g, 1).edx) & 0x0183f3ff, 0);
  const CpuidResult widths = leaf(g, 0x80000008);
  CHECK_EQ(widths.eax >> 8 & 0xff, has(g, kLa57) ? 57 : 48);
  CHECK((widths.eax & 0xff) >= 36 && (widths.eax & 0xff) <= 52);
  // The clock, told three ways.
  const u64 khz = leaf(g, 0x40000010).eax;
  CHECK_EQ(khz, g.profile.tsc_hz / 1000);
  if (basic >= 0x15) {
    const CpuidResult ratio = leaf(g, 0x15);
    CHECK(ratio.eax != 0 && static_cast<u64>(ratio.ecx) * ratio.ebx / ratio.eax / 1'000'000 == khz / 1000);
  }
}

}  // namespace

void cpuid_walk_tests() {
  for (const char* name : kProfiles) {
    CpuidProfile known;
    if (!cpuid_profile(name, 1, 1, known)) {
      printf("skipped: profile %s, which needs a host with XSAVE\n", name);
      continue;
    }
    for (unsigned vcpus = 1; vcpus <= 8; ++vcpus) {
      Guest g(name, vcpus);
      ranges(g);
      features(g);
      xsave_areas(g);
      caches(g, vcpus);
      processors(g, vcpus);
    }
  }
}

}  // namespace rz::test
