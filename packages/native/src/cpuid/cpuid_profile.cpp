// Builds CPUID profiles from the feature table and answers leaves. Bits are chosen so that stock kernels need
// neither page-table isolation nor retpolines, and find TSC, x2APIC and TSC-deadline good enough to rely on.
#include "cpuid_profile.h"

#include <initializer_list>

#include "control_bits.h"
#include "cpuid_features.h"

namespace rz {
namespace {

constexpr u32 kFmsAmd = 0x00a00f11;    // family 19h model 1
constexpr u32 kFmsIntel = 0x000806f8;  // family 6 model 8Fh
constexpr u8 kPhysBits = 46;           // pure engine quantity: page tables are walked in software
constexpr u32 kMaxBasic = 0x16, kMaxBasicAmd = 0xd, kMaxExtended = 0x80000021;
constexpr u32 kHypervisorBase = 0x40000000;

constexpr u32 kF7Pku = 1u << 3, kX21Aibrs = 1u << 8;

u32* word_of(CpuidProfile& p, Word w) {
  switch (w) {
    case Word::kF1Ecx: return &p.f1_ecx;
    case Word::kF1Edx: return &p.f1_edx;
    case Word::kF7Ebx: return &p.f7_ebx;
    case Word::kF7Ecx: return &p.f7_ecx;
    case Word::kF7Edx: return &p.f7_edx;
    case Word::kF71Eax: return &p.f7_1_eax;
    case Word::kX1Ecx: return &p.x1_ecx;
    case Word::kX1Edx: return &p.x1_edx;
    case Word::kX8Ebx: return &p.x8_ebx;
    case Word::kX21Eax: return &p.x21_eax;
    default: return &p.xd1_eax;
  }
}

void read_host_words(u32 (&host)[static_cast<unsigned>(Word::kCount)]) {
  for (u32& w : host) w = 0;
  const u32 max_basic = host_cpuid(0, 0).eax, max_extended = host_cpuid(0x80000000, 0).eax;
  const CpuidResult one = host_cpuid(1, 0);
  host[static_cast<unsigned>(Word::kF1Ecx)] = one.ecx;
  host[static_cast<unsigned>(Word::kF1Edx)] = one.edx;
  if (max_basic >= 7) {
    const CpuidResult seven = host_cpuid(7, 0);
    host[static_cast<unsigned>(Word::kF7Ebx)] = seven.ebx;
    host[static_cast<unsigned>(Word::kF7Ecx)] = seven.ecx;
    host[static_cast<unsigned>(Word::kF7Edx)] = seven.edx;
    if (seven.eax >= 1) host[static_cast<unsigned>(Word::kF71Eax)] = host_cpuid(7, 1).eax;
  }
  if (max_basic >= 0xd) host[static_cast<unsigned>(Word::kXd1Eax)] = host_cpuid(0xd, 1).eax;
  if (max_extended >= 0x80000001) {
    const CpuidResult x = host_cpuid(0x80000001, 0);
    host[static_cast<unsigned>(Word::kX1Ecx)] = x.ecx;
    host[static_cast<unsigned>(Word::kX1Edx)] = x.edx;
  }
  // The host's OS must have enabled the vector state too.
  const bool osxsave = (one.ecx >> 27 & 1) != 0;
  u64 xcr0 = 0;
  if (osxsave) {
    u32 low, high;
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    xcr0 = static_cast<u64>(high) << 32 | low;
  }
  if ((xcr0 & 6) != 6) {
    host[static_cast<unsigned>(Word::kF1Ecx)] &= ~(1u << 12 | 1u << 26 | 1u << 28 | 1u << 29);
    host[static_cast<unsigned>(Word::kF7Ebx)] &= ~(1u << 5);
    host[static_cast<unsigned>(Word::kF7Ecx)] &= ~(1u << 9 | 1u << 10);
    host[static_cast<unsigned>(Word::kXd1Eax)] = 0;
  }
}

void put_text(char* to, unsigned room, const char* a, const char* b) {
  unsigned n = 0;
  for (const char* part : {a, b})
    for (; *part && n + 1 < room; ++part) to[n++] = *part;
  for (; n < room; ++n) to[n] = 0;
}

void brand_of_host(CpuidProfile& p) {
  for (u32 i = 0; i < 3; ++i) {
    const CpuidResult r = host_cpuid(0x80000002 + i, 0);
    __builtin_memcpy(p.brand + i * 16, &r, 16);
  }
}

u64 allowed_cr4(const CpuidProfile& p) {
  u64 cr4 = kCr4TSD | kCr4DE | kCr4PSE | kCr4PAE | kCr4MCE | kCr4PGE | kCr4PCE | kCr4OSFXSR | kCr4OSXMMEXCPT;
  if (p.f1_edx >> 1 & 1) cr4 |= kCr4VME | kCr4PVI;
  if (p.f7_ecx >> 2 & 1) cr4 |= kCr4UMIP;
  if (p.f7_ecx >> 16 & 1) cr4 |= kCr4LA57;
  if (p.f7_ebx & 1) cr4 |= kCr4FSGSBASE;
  if (p.f1_ecx >> 17 & 1) cr4 |= kCr4PCIDE;
  if (p.f1_ecx >> 26 & 1) cr4 |= kCr4OSXSAVE;
  if (p.f7_ecx >> 3 & 1) cr4 |= kCr4PKE;
  if (p.f7_ebx >> 7 & 1) cr4 |= kCr4SMEP;
  if (p.f7_ebx >> 20 & 1) cr4 |= kCr4SMAP;
  return cr4;
}

u32 xsave_size(const CpuidProfile& p, u64 xcr0) {
  u32 bytes = 576;
  for (unsigned i = 2; i < 63; ++i)
    if ((xcr0 >> i & 1) && p.xsave_offset[i] + p.xsave_bytes[i] > bytes) bytes = p.xsave_offset[i] + p.xsave_bytes[i];
  return bytes;
}

u32 xsave_compact_size(const CpuidProfile& p, u64 xcr0) {
  u32 bytes = 576;
  for (unsigned i = 2; i < 63; ++i)
    if (xcr0 >> i & 1) bytes += p.xsave_bytes[i];
  return bytes;
}

unsigned bits_for(u32 n) {  // smallest k with 2^k >= n
  unsigned k = 0;
  while ((1u << k) < n) ++k;
  return k;
}

CpuidResult topology(const CpuidView& v, u32 subleaf) {
  const u32 n = v.profile.vcpus;
  if (subleaf == 0) return {0, 1, 0x100, v.index};            // SMT level: one thread
  if (subleaf == 1) return {bits_for(n), n, 0x201, v.index};  // core level
  return {0, 0, subleaf & 0xff, v.index};
}

// Deterministic cache parameters: leaf 4 (Intel) and 8000001Dh (AMD) share their layout.
CpuidResult cache_leaf(const CpuidView& v, u32 subleaf) {
  struct Cache {
    u32 type, level, ways, sets;
    bool shared;
  };
  static constexpr Cache kCaches[] = {
      {1, 1, 8, 64, false},     // L1 data, 32 KiB
      {2, 1, 8, 64, false},     // L1 instruction, 32 KiB
      {3, 2, 8, 1024, false},   // L2, 512 KiB
      {3, 3, 16, 16384, true},  // L3, 16 MiB
  };
  if (subleaf >= sizeof kCaches / sizeof kCaches[0]) return {};
  const Cache& c = kCaches[subleaf];
  const u32 n = v.profile.vcpus;
  const u32 sharing = c.shared ? (1u << bits_for(n)) - 1 : 0;
  u32 eax = c.type | c.level << 5 | 1u << 8 | sharing << 14;
  if (v.profile.intel) eax |= ((1u << bits_for(n)) - 1) << 26;
  return {eax, 63 | (c.ways - 1) << 22, c.sets - 1, 0};
}

CpuidResult xsave_leaf(const CpuidView& v, u32 subleaf) {
  const CpuidProfile& p = v.profile;
  if (!p.xcr0) return {};
  if (subleaf == 0)
    return {static_cast<u32>(p.xcr0), xsave_size(p, v.xcr0), xsave_size(p, p.xcr0), static_cast<u32>(p.xcr0 >> 32)};
  if (subleaf == 1) return {p.xd1_eax, xsave_compact_size(p, v.xcr0), 0, 0};
  if (subleaf < 63 && (p.xcr0 >> subleaf & 1)) return {p.xsave_bytes[subleaf], p.xsave_offset[subleaf], 0, 0};
  return {};
}

u32 four(const char* text) {
  u32 word;
  __builtin_memcpy(&word, text, 4);
  return word;
}

bool equal_text(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

bool text_begins(const char* text, const char* with) {
  while (*with && *text == *with) ++text, ++with;
  return !*with;
}

CpuidResult text4(const char* ebx, const char* ecx, const char* edx, u32 eax) {
  return {eax, four(ebx), four(ecx), four(edx)};
}

CpuidResult basic_leaf(const CpuidView& v, u32 leaf, u32 subleaf) {
  const CpuidProfile& p = v.profile;
  switch (leaf) {
    case 0: return p.intel ? text4("Genu", "ntel", "ineI", kMaxBasic) : text4("Auth", "cAMD", "enti", kMaxBasicAmd);
    case 1: {
      u32 ecx = p.f1_ecx;
      if (v.cr4 & kCr4OSXSAVE) ecx |= 1u << 27;
      u32 edx = p.f1_edx;
      if (!v.apic_enabled) edx &= ~(1u << 9);
      const u32 logical = p.vcpus > 1 ? 1u << bits_for(p.vcpus) : 1;
      if (p.vcpus > 1) edx |= 1u << 28;
      return {p.fms, v.index << 24 | (logical & 0xff) << 16 | 8u << 8, ecx, edx};
    }
    case 2: return p.intel ? CpuidResult{0x00feff01, 0, 0, 0} : CpuidResult{};
    case 4: return p.intel ? cache_leaf(v, subleaf) : CpuidResult{};
    case 6: return {4, 0, 0, 0};  // the APIC timer runs in all power states
    case 7:
      if (subleaf == 0) {
        const u32 ospke = v.cr4 & kCr4PKE ? 1u << 4 : 0;
        return {p.f7_1_eax ? 1u : 0u, p.f7_ebx, p.f7_ecx | ospke, p.f7_edx};
      }
      if (subleaf == 1) return {p.f7_1_eax, 0, 0, 0};
      return {};
    case 0xb: return topology(v, subleaf);
    case 0xd: return xsave_leaf(v, subleaf);
    case 0x15: return {1, static_cast<u32>(p.tsc_hz / 1'000'000), 1'000'000, 0};
    case 0x16: return {static_cast<u32>(p.tsc_hz / 1'000'000), static_cast<u32>(p.tsc_hz / 1'000'000), 100, 0};
    default: return {};
  }
}

CpuidResult hypervisor_leaf(const CpuidView& v, u32 leaf) {
  switch (leaf - kHypervisorBase) {
    case 0: return text4("KVMK", "VMKV", "M\0\0\0", kHypervisorBase + 0x10);
    // Clock source (old and new MSRs), no I/O delay needed, clock source stable across processors.
    case 1: return {1u << 0 | 1u << 1 | 1u << 3 | 1u << 24, 0, 0, 0};
    case 0x10: return {static_cast<u32>(v.profile.tsc_hz / 1000), 1'000'000, 0, 0};  // kHz: TSC, APIC bus
    default: return {};
  }
}

CpuidResult extended_leaf(const CpuidView& v, u32 leaf, u32 subleaf) {
  const CpuidProfile& p = v.profile;
  switch (leaf) {
    case 0x80000000: {
      if (p.intel) return {0x80000008, 0, 0, 0};
      return text4("Auth", "cAMD", "enti", kMaxExtended);
    }
    case 0x80000001: {
      // Intel reports SYSCALL only to 64-bit code.
      u32 edx = p.x1_edx;
      if (p.intel && !v.code64) edx &= ~(1u << 11);
      u32 ecx = p.x1_ecx;
      if (!p.intel && p.vcpus > 1) ecx |= 1u << 1;  // CmpLegacy
      return {p.intel ? 0 : p.fms, 0, ecx, edx};
    }
    case 0x80000002:
    case 0x80000003:
    case 0x80000004: {
      CpuidResult r;
      __builtin_memcpy(&r, p.brand + (leaf - 0x80000002) * 16, 16);
      return r;
    }
    case 0x80000005:  // L1: 64 KiB pages of TLB are not told; 32 KiB, 8 ways, 64-byte lines
      return p.intel ? CpuidResult{} : CpuidResult{0xff40ff40, 0xff40ff40, 0x20080140, 0x20080140};
    case 0x80000006:
      return p.intel ? CpuidResult{0, 0, 512u << 16 | 6u << 12 | 64, 0}
                     : CpuidResult{0, 0x48006400, 512u << 16 | 6u << 12 | 1u << 8 | 64,
                                   32u << 18 | 8u << 12 | 1u << 8 | 64};
    case 0x80000007: return {0, 0, 0, 1u << 8};  // invariant TSC
    case 0x80000008: {
      const u32 ecx = p.intel ? 0 : (p.vcpus - 1) | bits_for(p.vcpus) << 12;
      return {static_cast<u32>(p.phys_bits | p.linear_bits << 8), p.x8_ebx, ecx, 0};
    }
    case 0x8000001d: return p.intel ? CpuidResult{} : cache_leaf(v, subleaf);
    case 0x8000001e: return p.intel ? CpuidResult{} : CpuidResult{v.index, v.index & 0xff, 0, 0};
    // ECX: not affected by transient scheduler attacks (TSA_SQ_NO, TSA_L1_NO)
    case 0x80000021: return p.intel ? CpuidResult{} : CpuidResult{p.x21_eax, 0, 6, 0};
    default: return {};
  }
}

}  // namespace

CpuidResult host_cpuid(u32 leaf, u32 subleaf) {
  CpuidResult r;
  asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
  return r;
}

bool cpuid_profile(const char* name, u32 vcpus, u64 tsc_hz, CpuidProfile& out) {
  char base[16] = {};
  unsigned n = 0;
  for (; n + 1 < sizeof base && name[n] && name[n] != '+' && !text_begins(name + n, "-aibrs"); ++n) base[n] = name[n];
  Since level;
  if (equal_text(base, "x86-64-v1"))
    level = kV1;
  else if (equal_text(base, "x86-64-v2"))
    level = kV2;
  else if (equal_text(base, "x86-64-v3"))
    level = kV3;
  else if (equal_text(base, "host"))
    level = kHost;
  else
    return false;
  bool la57 = false, pku = false, no_aibrs = false;
  for (const char* rest = name + n; *rest;) {
    unsigned taken;
    if (text_begins(rest, "+la57"))
      la57 = true, taken = 5;
    else if (text_begins(rest, "+pku"))
      pku = true, taken = 4;
    else if (text_begins(rest, "-aibrs"))
      no_aibrs = true, taken = 6;
    else
      return false;
    rest += taken;
  }
  static constexpr const char* kNames[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3", "host"};

  out = CpuidProfile{};
  out.name = kNames[level];
  out.intel = host_cpuid(0, 0).ebx == 0x756e6547;  // "Genu"
  out.vcpus = vcpus;
  out.tsc_hz = tsc_hz;
  out.phys_bits = kPhysBits;
  out.linear_bits = la57 ? 57 : 48;
  if (level == kHost) {
    out.fms = host_cpuid(1, 0).eax;
    brand_of_host(out);
  } else {
    out.fms = out.intel ? kFmsIntel : kFmsAmd;
    put_text(out.brand, sizeof out.brand, "Ringzero virtual processor ", out.name);
  }

  u32 host[static_cast<unsigned>(Word::kCount)];
  read_host_words(host);
  for (const FeatureRow& row : kFeatureRows) {
    if (row.since > level) continue;
    if (row.vendor != kBoth && (row.vendor == kIntel) != out.intel) continue;
    if (row.need == kNative && !(host[static_cast<unsigned>(row.word)] >> row.bit & 1)) continue;
    *word_of(out, row.word) |= 1u << row.bit;
  }
  if (!out.intel) out.x1_edx |= out.f1_edx & 0x0183f3ff;  // the bits AMD repeats there
  out.gigantic_pages = (out.x1_edx >> 26 & 1) != 0;

  const bool xsave = (out.f1_ecx >> 26 & 1) != 0;
  if (pku && !xsave) return false;  // the register could not be switched between tasks
  if (pku) out.f7_ecx |= kF7Pku;
  if (!xsave) out.f7_ecx &= ~kF7Pku;
  if (xsave) {
    out.xcr0 = 3;
    if (out.f1_ecx >> 28 & 1) out.xcr0 |= 4;
    if (out.f7_ecx & kF7Pku) {
      out.xcr0 |= kXcr0Pkru;
      out.xsave_bytes[9] = 8;
      // Behind the AVX-512 components, with MPX's or without, as on processors that have it.
      const CpuidResult own = host_cpuid(0xd, 9);
      out.xsave_offset[9] = own.eax == 8 ? own.ebx : out.intel ? 0xa80 : 0x980;
    }
    for (unsigned i = 2; i < 63; ++i) {
      if (!(out.xcr0 >> i & 1) || i == 9) continue;
      const CpuidResult r = host_cpuid(0xd, i);
      out.xsave_bytes[i] = r.eax;
      out.xsave_offset[i] = r.ebx;
    }
  }
  if (la57) out.f7_ecx |= 1u << 16;
  if (no_aibrs) out.x21_eax &= ~kX21Aibrs;
  out.cr4 = allowed_cr4(out);
  out.efer = kEferSCE | kEferLME | kEferLMA | kEferNXE;
  if (out.x21_eax & kX21Aibrs) out.efer |= kEferAIBRSE;
  return true;
}

u32 feature_word(const CpuidProfile& profile, u32 word) {
  CpuidProfile copy = profile;
  return *word_of(copy, static_cast<Word>(word));
}

CpuidResult cpuid_leaf(const CpuidView& vcpu, u32 leaf, u32 subleaf) {
  const CpuidProfile& p = vcpu.profile;
  if (leaf >= kHypervisorBase && leaf <= kHypervisorBase + 0xff) return hypervisor_leaf(vcpu, leaf);
  if (leaf >= 0x80000000) {
    if (leaf <= (p.intel ? 0x80000008u : kMaxExtended)) return extended_leaf(vcpu, leaf, subleaf);
  } else if (leaf <= (p.intel ? kMaxBasic : kMaxBasicAmd)) {
    return basic_leaf(vcpu, leaf, subleaf);
  }
  // Above the maximum: AMD answers zeros, Intel the data of the highest basic leaf.
  return p.intel ? basic_leaf(vcpu, kMaxBasic, subleaf) : CpuidResult{};
}

}  // namespace rz
