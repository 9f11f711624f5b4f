// CPUID features that gate rows of the instruction table. A row whose feature the guest's CPUID profile does
// not report is #UD; kAlways rows exist on every x86-64 processor the engine can be told to be.
// The X-list carries, for each feature: name, CPUID leaf, subleaf, register (0 EAX .. 3 EDX), bit.
// Source: the CPUID instruction's reference page, tables of feature information.
#pragma once

#include "../cpu/types.h"

namespace rz {

#define RZ_FEATURES(X)              \
  X(Fpu, 1, 0, 3, 0)                \
  X(Tsc, 1, 0, 3, 4)                \
  X(Msr, 1, 0, 3, 5)                \
  X(Cx8, 1, 0, 3, 8)                \
  X(Sep, 1, 0, 3, 11)               \
  X(Cmov, 1, 0, 3, 15)              \
  X(Clfsh, 1, 0, 3, 19)             \
  X(Mmx, 1, 0, 3, 23)               \
  X(Fxsr, 1, 0, 3, 24)              \
  X(Sse, 1, 0, 3, 25)               \
  X(Sse2, 1, 0, 3, 26)              \
  X(Sse3, 1, 0, 2, 0)               \
  X(Pclmulqdq, 1, 0, 2, 1)          \
  X(Monitor, 1, 0, 2, 3)            \
  X(Ssse3, 1, 0, 2, 9)              \
  X(Fma, 1, 0, 2, 12)               \
  X(Cx16, 1, 0, 2, 13)              \
  X(Sse41, 1, 0, 2, 19)             \
  X(Sse42, 1, 0, 2, 20)             \
  X(Movbe, 1, 0, 2, 22)             \
  X(Popcnt, 1, 0, 2, 23)            \
  X(Aes, 1, 0, 2, 25)               \
  X(Xsave, 1, 0, 2, 26)             \
  X(Avx, 1, 0, 2, 28)               \
  X(F16c, 1, 0, 2, 29)              \
  X(Rdrand, 1, 0, 2, 30)            \
  X(Fsgsbase, 7, 0, 1, 0)           \
  X(Bmi1, 7, 0, 1, 3)               \
  X(Avx2, 7, 0, 1, 5)               \
  X(Bmi2, 7, 0, 1, 8)               \
  X(Invpcid, 7, 0, 1, 10)           \
  X(Rdseed, 7, 0, 1, 18)            \
  X(Adx, 7, 0, 1, 19)               \
  X(Smap, 7, 0, 1, 20)              \
  X(Clflushopt, 7, 0, 1, 23)        \
  X(Clwb, 7, 0, 1, 24)              \
  X(Sha, 7, 0, 1, 29)               \
  X(Pku, 7, 0, 2, 3)                \
  X(Gfni, 7, 0, 2, 8)               \
  X(Vaes, 7, 0, 2, 9)               \
  X(Vpclmulqdq, 7, 0, 2, 10)        \
  X(Rdpid, 7, 0, 2, 22)             \
  X(Movdiri, 7, 0, 2, 27)           \
  X(AvxVnni, 7, 1, 0, 4)            \
  X(Xsaveopt, 0xd, 1, 0, 0)         \
  X(Xsavec, 0xd, 1, 0, 1)           \
  X(Xsaves, 0xd, 1, 0, 3)           \
  X(LahfLm, 0x80000001, 0, 2, 0)    \
  X(Lzcnt, 0x80000001, 0, 2, 5)     \
  X(Prefetchw, 0x80000001, 0, 2, 8) \
  X(Syscall, 0x80000001, 0, 3, 11)  \
  X(Rdtscp, 0x80000001, 0, 3, 27)   \
  X(Svm, 0x80000001, 0, 2, 2)       \
  X(Clzero, 0x80000008, 0, 1, 0)

enum class Feature : u8 {
  Always = 0,
#define RZ_FEATURE_ENUM(name, leaf, subleaf, reg, bit) name,
  RZ_FEATURES(RZ_FEATURE_ENUM)
#undef RZ_FEATURE_ENUM
      Count,
};

/// Where CPUID reports a feature.
struct FeatureBit {
  const char* name;
  u32 leaf, subleaf;  // CPUID input in EAX and ECX
  u8 reg;             // 0 EAX, 1 EBX, 2 ECX, 3 EDX
  u8 bit;
};

inline constexpr FeatureBit kFeatureBits[] = {{"always", 0, 0, 0, 0},
#define RZ_FEATURE_BIT(name, leaf, subleaf, reg, bit) {#name, leaf, subleaf, reg, bit},
                                              RZ_FEATURES(RZ_FEATURE_BIT)
#undef RZ_FEATURE_BIT
};

}  // namespace rz
