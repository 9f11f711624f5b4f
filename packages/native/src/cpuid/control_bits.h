// Bits of CR4, EFER and XCR0, named as in the manuals, and what IA32_MCG_CAP says.
#pragma once

#include "../shared/types.h"

namespace rz {

inline constexpr u64 kCr4VME = 1, kCr4PVI = 2, kCr4TSD = 4, kCr4DE = 8, kCr4PSE = 16, kCr4PAE = 32, kCr4MCE = 64,
                     kCr4PGE = 128, kCr4PCE = 256, kCr4OSFXSR = 512, kCr4OSXMMEXCPT = 1024, kCr4UMIP = 1 << 11,
                     kCr4LA57 = 1 << 12, kCr4FSGSBASE = 1 << 16, kCr4PCIDE = 1 << 17, kCr4OSXSAVE = 1 << 18,
                     kCr4SMEP = 1 << 20, kCr4SMAP = 1 << 21, kCr4PKE = 1 << 22;
inline constexpr u64 kEferSCE = 1, kEferLME = 1 << 8, kEferLMA = 1 << 10, kEferNXE = 1 << 11, kEferFFXSR = 1 << 14,
                     kEferAIBRSE = 1 << 21;

inline constexpr u64 kXcr0Pkru = 1 << 9;  // in XCR0; this engine's own state, never the host's register

/// Machine check: banks, all empty for ever, and MCG_CTL. The same on every engine, as a guest finds them by MCG_CAP.
inline constexpr u32 kMceBanks = 10;
inline constexpr u64 kMcgCap = kMceBanks | 1u << 8;

}  // namespace rz
