// Which CPUID feature bits exist under each profile, one row per bit. `engine`: emulated, needs nothing of the
// host. `native`: re-encoded or run by a host instruction, so the host must have it too. A bit that is not in this
// table is never reported. Source: the CPUID reference page and APM, "Obtaining Processor Information Via CPUID".
#pragma once

#include "../shared/types.h"

namespace rz {

enum class Word : u8 {
  kF1Ecx,
  kF1Edx,
  kF7Ebx,
  kF7Ecx,
  kF7Edx,
  kF71Eax,
  kX1Ecx,
  kX1Edx,
  kX8Ebx,
  kX21Eax,
  kXd1Eax,
  kCount
};
enum Need : u8 { kEngine, kNative };
// Lowest profile that has the bit.
enum Since : u8 { kV1, kV2, kV3, kHost };
enum Vendor : u8 { kBoth, kAmd, kIntel };

struct FeatureRow {
  Word word;
  u8 bit;
  Need need;
  Since since;
  Vendor vendor;
  const char* name;  // as in the manuals, for messages
};

// clang-format off
inline constexpr FeatureRow kFeatureRows[] = {
  // leaf 1 ECX
  {Word::kF1Ecx,  0, kNative, kV2, kBoth, "SSE3"},
  {Word::kF1Ecx,  1, kNative, kV2, kBoth, "PCLMULQDQ"},
  {Word::kF1Ecx,  9, kNative, kV2, kBoth, "SSSE3"},
  {Word::kF1Ecx, 12, kNative, kV3, kBoth, "FMA"},
  {Word::kF1Ecx, 13, kNative, kV2, kBoth, "CMPXCHG16B"},
  {Word::kF1Ecx, 17, kEngine, kV2, kBoth, "PCID"},
  {Word::kF1Ecx, 19, kNative, kV2, kBoth, "SSE4.1"},
  {Word::kF1Ecx, 20, kNative, kV2, kBoth, "SSE4.2"},
  {Word::kF1Ecx, 21, kEngine, kV1, kBoth, "x2APIC"},
  {Word::kF1Ecx, 22, kNative, kV3, kBoth, "MOVBE"},
  {Word::kF1Ecx, 23, kNative, kV2, kBoth, "POPCNT"},
  {Word::kF1Ecx, 24, kEngine, kV1, kBoth, "TSC deadline timer"},
  {Word::kF1Ecx, 25, kNative, kV2, kBoth, "AES"},
  {Word::kF1Ecx, 26, kNative, kV3, kBoth, "XSAVE"},
  {Word::kF1Ecx, 28, kNative, kV3, kBoth, "AVX"},
  {Word::kF1Ecx, 29, kNative, kV3, kBoth, "F16C"},
  {Word::kF1Ecx, 30, kEngine, kV2, kBoth, "RDRAND"},
  {Word::kF1Ecx, 31, kEngine, kV1, kBoth, "hypervisor present"},
  // leaf 1 EDX
  {Word::kF1Edx,  0, kNative, kV1, kBoth, "x87"},
  {Word::kF1Edx,  1, kEngine, kV2, kBoth, "VME"},
  {Word::kF1Edx,  2, kEngine, kV1, kBoth, "debugging extensions"},
  {Word::kF1Edx,  3, kEngine, kV1, kBoth, "PSE"},
  {Word::kF1Edx,  4, kEngine, kV1, kBoth, "TSC"},
  {Word::kF1Edx,  5, kEngine, kV1, kBoth, "MSR"},
  {Word::kF1Edx,  6, kEngine, kV1, kBoth, "PAE"},
  {Word::kF1Edx,  7, kEngine, kV1, kBoth, "MCE"},
  {Word::kF1Edx,  8, kNative, kV1, kBoth, "CMPXCHG8B"},
  {Word::kF1Edx,  9, kEngine, kV1, kBoth, "APIC"},
  {Word::kF1Edx, 11, kEngine, kV1, kBoth, "SYSENTER"},
  {Word::kF1Edx, 12, kEngine, kV1, kBoth, "MTRR"},
  {Word::kF1Edx, 13, kEngine, kV1, kBoth, "PGE"},
  {Word::kF1Edx, 14, kEngine, kV1, kBoth, "MCA"},
  {Word::kF1Edx, 15, kNative, kV1, kBoth, "CMOV"},
  {Word::kF1Edx, 16, kEngine, kV1, kBoth, "PAT"},
  {Word::kF1Edx, 17, kEngine, kV1, kBoth, "PSE-36"},
  {Word::kF1Edx, 19, kNative, kV1, kBoth, "CLFLUSH"},
  {Word::kF1Edx, 23, kNative, kV1, kBoth, "MMX"},
  {Word::kF1Edx, 24, kNative, kV1, kBoth, "FXSR"},
  {Word::kF1Edx, 25, kNative, kV1, kBoth, "SSE"},
  {Word::kF1Edx, 26, kNative, kV1, kBoth, "SSE2"},
  // leaf 7 EBX
  {Word::kF7Ebx,  0, kEngine, kV2, kBoth, "FSGSBASE"},
  {Word::kF7Ebx,  1, kEngine, kV1, kBoth, "TSC_ADJUST"},
  {Word::kF7Ebx,  3, kNative, kV3, kBoth, "BMI1"},
  {Word::kF7Ebx,  5, kNative, kV3, kBoth, "AVX2"},
  {Word::kF7Ebx,  7, kEngine, kV2, kBoth, "SMEP"},
  {Word::kF7Ebx,  8, kNative, kV3, kBoth, "BMI2"},
  {Word::kF7Ebx,  9, kEngine, kV2, kBoth, "ERMS"},
  {Word::kF7Ebx, 10, kEngine, kV2, kBoth, "INVPCID"},
  {Word::kF7Ebx, 18, kEngine, kV2, kBoth, "RDSEED"},
  {Word::kF7Ebx, 19, kNative, kHost, kBoth, "ADX"},
  {Word::kF7Ebx, 20, kEngine, kV2, kBoth, "SMAP"},
  {Word::kF7Ebx, 23, kNative, kHost, kBoth, "CLFLUSHOPT"},
  {Word::kF7Ebx, 24, kNative, kHost, kBoth, "CLWB"},
  {Word::kF7Ebx, 29, kNative, kHost, kBoth, "SHA"},
  // leaf 7 ECX, EDX
  {Word::kF7Ecx,  2, kEngine, kV2, kBoth, "UMIP"},
  {Word::kF7Ecx,  3, kNative, kHost, kBoth, "PKU"},  // emulated, but KVM needs the host's; see +pku in cpuid.h
  {Word::kF7Ecx,  8, kNative, kHost, kBoth, "GFNI"},
  {Word::kF7Ecx,  9, kNative, kHost, kBoth, "VAES"},
  {Word::kF7Ecx, 10, kNative, kHost, kBoth, "VPCLMULQDQ"},
  {Word::kF7Ecx, 22, kEngine, kHost, kBoth, "RDPID"},
  {Word::kF7Edx, 26, kEngine, kV2, kIntel, "IBRS and IBPB"},  // Linux drives enhanced IBRS by this MSR
  {Word::kF7Edx, 29, kEngine, kV2, kIntel, "IA32_ARCH_CAPABILITIES"},
  // leaf D.1 EAX
  {Word::kXd1Eax, 0, kNative, kV3, kBoth, "XSAVEOPT"},
  {Word::kXd1Eax, 1, kNative, kV3, kBoth, "XSAVEC"},
  {Word::kXd1Eax, 2, kNative, kV3, kBoth, "XGETBV with ECX = 1"},
  // leaf 80000001h ECX
  {Word::kX1Ecx,  0, kNative, kV2, kBoth, "LAHF in 64-bit mode"},
  {Word::kX1Ecx,  5, kNative, kV3, kBoth, "LZCNT"},
  {Word::kX1Ecx,  8, kEngine, kV1, kBoth, "PREFETCHW"},
  {Word::kX1Ecx, 22, kEngine, kV1, kAmd, "topology extensions"},
  // leaf 80000001h EDX; the bits that AMD repeats from leaf 1 are added in code
  {Word::kX1Edx, 11, kEngine, kV1, kBoth, "SYSCALL"},
  {Word::kX1Edx, 20, kEngine, kV1, kBoth, "NX"},
  {Word::kX1Edx, 22, kNative, kV2, kAmd, "MMX extensions"},
  {Word::kX1Edx, 26, kEngine, kV2, kBoth, "1 GiB pages"},
  {Word::kX1Edx, 27, kEngine, kV2, kBoth, "RDTSCP"},
  {Word::kX1Edx, 29, kEngine, kV1, kBoth, "long mode"},
  // leaf 80000008h EBX: what keeps Linux from mitigations that the guest does not need here
  {Word::kX8Ebx,  2, kEngine, kV1, kAmd, "FPU error pointers are always restored"},
  {Word::kX8Ebx, 26, kEngine, kV1, kAmd, "SSB_NO"},
  {Word::kX8Ebx, 29, kEngine, kV1, kAmd, "BTC_NO"},
  // leaf 80000021h EAX
  {Word::kX21Eax, 0, kEngine, kV1, kAmd, "no nested data breakpoints"},
  {Word::kX21Eax, 2, kEngine, kV1, kAmd, "LFENCE always serialising"},
  {Word::kX21Eax, 6, kEngine, kV1, kAmd, "a null selector clears the base"},
  {Word::kX21Eax, 8, kEngine, kV2, kAmd, "automatic IBRS"},
  {Word::kX21Eax, 29, kEngine, kV1, kAmd, "SRSO_NO"},
};
// clang-format on

}  // namespace rz
