// CPUID: invariants between leaves, nothing advertised that is not there, and MSR rules that follow from it.
#include "guest.h"

#include <cstring>

#include "cpuid/cpuid_features.h"
#include "isa/features.h"

namespace rz::test {
namespace {

CpuidResult leaf(Guest& g, u32 n, u32 sub = 0) { return cpuid_read(g.v, n, sub); }

void invariants(const char* name, unsigned vcpus) {
  Guest g(name, vcpus);
  const CpuidResult zero = leaf(g, 0), one = leaf(g, 1), seven = leaf(g, 7), ext = leaf(g, 0x80000001);
  CHECK(zero.eax >= 0xd);
  CHECK_EQ(zero.ebx, host_cpuid(0, 0).ebx);
  CHECK_EQ(zero.edx, host_cpuid(0, 0).edx);
  CHECK(one.ecx >> 31 & 1);  // hypervisor
  CHECK(one.ecx >> 21 & 1 && one.ecx >> 24 & 1);
  const bool more = std::strcmp(name, "x86-64-v1") != 0;  // what that level is without
  const bool aibrs = more && std::strstr(name, "-aibrs") == nullptr;
  CHECK_EQ(one.ecx >> 17 & 1, more);    // PCID
  CHECK(!(one.ecx >> 5 & 1));           // no VMX
  CHECK(!(one.ecx >> 3 & 1));           // no MONITOR
  CHECK_EQ(seven.ebx >> 20 & 1, more);  // SMAP
  CHECK_EQ(seven.ecx >> 2 & 1, more);   // UMIP
  CHECK(!(seven.ebx >> 16 & 1));        // no AVX-512
  CHECK(ext.edx >> 29 & 1 && ext.edx >> 11 & 1 && ext.edx >> 20 & 1);
  CHECK_EQ(ext.edx >> 26 & 1, more);  // 1 GiB pages
  CHECK(leaf(g, 0x80000007).edx >> 8 & 1);
  CHECK_EQ(leaf(g, 0x80000008).eax & 0xff, g.profile.phys_bits);
  CHECK_EQ(one.edx >> 28 & 1, vcpus > 1 ? 1 : 0);
  CHECK_EQ(leaf(g, 0xb, 1).ebx, vcpus);
  CHECK((1u << leaf(g, 0xb, 1).eax) >= vcpus);
  // XSAVE and everything that needs it come and go together.
  const bool xsave = one.ecx >> 26 & 1;
  CHECK_EQ(xsave, g.profile.xcr0 != 0);
  if (!xsave) CHECK(!(one.ecx >> 28 & 1) && !(seven.ebx >> 5 & 1) && !(one.ecx >> 12 & 1) && leaf(g, 0xd).eax == 0);
  if (xsave) {
    CHECK_EQ(leaf(g, 0xd).eax, g.profile.xcr0);
    CHECK_EQ(leaf(g, 0xd).ebx, 576);  // XCR0 is 1 after reset
    CHECK_EQ(leaf(g, 0xd, 2).ebx, 576);
    CHECK_EQ(leaf(g, 0xd, 2).eax, 256);
    CHECK_EQ(leaf(g, 0xd).ecx, 832);
    CHECK(!(one.ecx >> 27 & 1));
    g.v.cr4 |= kCr4OSXSAVE;
    CHECK(leaf(g, 1).ecx >> 27 & 1);
  }
  // A row of the instruction table exists exactly when its CPUID bit is set.
  for (u8 f = 1; f < static_cast<u8>(Feature::Count); ++f) {
    const FeatureBit& bit = kFeatureBits[f];
    const CpuidResult r = leaf(g, bit.leaf, bit.subleaf);
    const u32 words[] = {r.eax, r.ebx, r.ecx, r.edx};
    CHECK_EQ(profile_has(g.profile, f), words[bit.reg] >> bit.bit & 1);
  }
  char signature[13] = {};
  const CpuidResult kvm = leaf(g, 0x40000000);
  std::memcpy(signature, &kvm.ebx, 12);
  CHECK(!std::memcmp(signature, "KVMKVMKVM\0\0\0", 12));
  CHECK(leaf(g, 0x40000001).eax >> 3 & leaf(g, 0x40000001).eax >> 24 & 1);
  CHECK_EQ(leaf(g, 0x40000010).eax, 2'600'000);
  if (!g.profile.intel) {
    CHECK_EQ(leaf(g, 0x80000021).eax >> 8 & 1, aibrs);  // automatic IBRS, so EFER must accept it
    CHECK_EQ(msr_write(g.v, 0xc0000080, kEferAIBRSE), aibrs);
    CHECK_EQ(leaf(g, 0x8000001e).ebx & 0xff, 0);
    CHECK_EQ(leaf(g, 0x20000000).eax, 0);
  }
}

void profiles() {
  CpuidProfile p;
  CHECK(!cpuid_profile("x86-64-v9", 1, 1, p));
  CHECK(cpuid_profile("x86-64-v3", 2, 1, p));
  CpuidProfile low;
  CHECK(cpuid_profile("x86-64-v2", 2, 1, low));
  CHECK_EQ(low.f1_ecx & ~p.f1_ecx, 0);  // each level holds the one below
  CHECK_EQ(low.f7_ebx & ~p.f7_ebx, 0);
  CHECK(std::strstr(low.brand, "x86-64-v2") != nullptr);
  CpuidProfile lowest;
  CHECK(cpuid_profile("x86-64-v1", 2, 1, lowest));
  CHECK_EQ(lowest.f1_ecx & ~low.f1_ecx, 0);
  CHECK_EQ(lowest.f1_ecx & (1u << 0 | 1u << 17 | 1u << 26), 0);  // none of SSE3, PCID, XSAVE
}

/// "-aibrs" takes away automatic IBRS and nothing else, behind whatever was added.
void without_automatic_ibrs() {
  constexpr u32 kAibrs = 1u << 8;  // CPUID 80000021h EAX
  for (const char* name : {"x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v3+pku", "x86-64-v2+la57", "host"}) {
    CpuidProfile full, cut, twice;
    if (!cpuid_profile(name, 2, 1, full)) continue;  // protection keys, on a host without XSAVE
    CHECK(cpuid_profile((std::string(name) + "-aibrs").c_str(), 2, 1, cut));
    for (u32 word = 0; word < static_cast<u32>(Word::kCount); ++word) {
      const u32 gone = word == static_cast<u32>(Word::kX21Eax) ? kAibrs : 0;
      CHECK_EQ(feature_word(cut, word), feature_word(full, word) & ~gone);
    }
    CHECK_EQ(cut.efer, full.efer & ~u64{kEferAIBRSE});
    CHECK(cut.cr4 == full.cr4 && cut.xcr0 == full.xcr0 && cut.linear_bits == full.linear_bits);
    CHECK(!cpuid_profile((std::string(name) + "-aibrs2").c_str(), 2, 1, twice));
  }
}

void msrs() {
  Guest g;
  u64 value;
  CHECK(!msr_read(g.v, 0x12345, value));
  CHECK(!msr_write(g.v, 0x12345, 0));
  CHECK(msr_read(g.v, 0x277, value));
  CHECK_EQ(value, 0x0007040600070406);
  CHECK(!msr_write(g.v, 0x277, 2));  // a reserved memory type
  CHECK(msr_write(g.v, 0x277, 0x0007010600070106));
  CHECK(!msr_write(g.v, 0xc0000080, 1ull << 14));
  CHECK(msr_write(g.v, 0x2ff, 0xc06));
  CHECK(!msr_write(g.v, 0x2ff, 0x2));
  CHECK(msr_write(g.v, 0x200, 0x80000000));
  CHECK(msr_write(g.v, 0x201, 0x3fff80000800));
  CHECK(!msr_write(g.v, 0x201, 1ull << 60));
  CHECK(msr_read(g.v, 0x201, value));
  CHECK_EQ(value, 0x3fff80000800);
  CHECK(msr_read(g.v, 0x179, value));
  CHECK_EQ(value, kMceBanks | 0x100);  // machine check: banks that stay empty, MCG_CTL
  for (u32 bank = 0; bank < kMceBanks; ++bank) {
    CHECK(msr_read(g.v, 0x400 + 4 * bank, value));
    CHECK_EQ(value, ~0ull);
    CHECK(msr_write(g.v, 0x400 + 4 * bank, 0));
    CHECK(!msr_write(g.v, 0x400 + 4 * bank, 1));
    for (u32 other = 1; other < 4; ++other) {
      CHECK(msr_read(g.v, 0x400 + 4 * bank + other, value));
      CHECK_EQ(value, 0);
      CHECK(msr_write(g.v, 0x400 + 4 * bank + other, 0));
      CHECK(!msr_write(g.v, 0x400 + 4 * bank + other, 1));
    }
  }
  CHECK(!msr_read(g.v, 0x400 + 4 * kMceBanks, value));
  CHECK(!msr_read(g.v, 0xda0, value));  // IA32_XSS: no XSAVES
  CHECK(!msr_write(g.v, 0xda0, 0));
  CHECK(!msr_write(g.v, 0xfe, 0));
  g.long_mode();
  CHECK(!msr_write(g.v, 0xc0000100, 1ull << 47));
  CHECK(msr_write(g.v, 0xc0000101, 0xffff800000000000));
  CHECK_EQ(g.v.seg[kGS].base, 0xffff800000000000);
  CHECK(!msr_write(g.v, 0xc0000103, 1ull << 32));
  CHECK(!msr_write(g.v, 0x1b, 0));  // no interrupt controller in this machine
}

}  // namespace

void cpuid_tests() {
  for (const char* name : {"x86-64-v1", "x86-64-v2", "x86-64-v3", "x86-64-v2-aibrs", "x86-64-v3-aibrs", "host"})
    for (const unsigned vcpus : {1u, 2u, 6u}) invariants(name, vcpus);
  profiles();
  without_automatic_ibrs();
  msrs();
}

}  // namespace rz::test
