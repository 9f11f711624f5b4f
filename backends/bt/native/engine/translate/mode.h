// The translation mode key: every piece of processor state that changes what a guest instruction
// means to the translator. Two states with the same key may share translated code.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

/// Bits of Vcpu::mode.
enum ModeBits : u64 {
  kModeSizeMask = 3,   // CodeSize
  kModeCpl3 = 1 << 2,  // CPL 3 (CPL 1 and 2 translate as supervisor; privileged rows are checked by kModeCpl0)
  kModeCpl0 = 1 << 3,
  kModeFlat = 1 << 4,      // CS, DS, ES, SS: base 0, limit 4 GiB - 1, usable (set in 64-bit mode); clear while
                           // instruction breakpoints are armed: every jump to another page goes to the run loop
  kModeStackBig = 1 << 5,  // SS.B: 32-bit stack pointer outside 64-bit mode
  kModeProtected = 1 << 6,
  kModeV86 = 1 << 7,
  kModeFpuTrap = 1 << 8,  // CR0.TS or CR0.EM: every FPU row takes the helper path
  kModeOsfxsr = 1 << 9,
  kModeOsxsave = 1 << 10,  // CR4.OSXSAVE
  kModeAvx = 1 << 11,      // XCR0 has SSE and AVX
  kModeAvx512 = 1 << 12,
  kModeFlatSs = 1 << 13,
  kModeAlign = 1 << 14,  // CR0.AM, EFLAGS.AC and CPL 3: alignment checks
  kModeFpuNe = 1 << 15,  // CR0.NE
  kModeLong = 1 << 16,   // EFER.LMA
  kModeFpuEm = 1 << 17,
  kModeLa57 = 1 << 18,     // CR4.LA57: which addresses are canonical
  kModeCsLimit = 1 << 19,  // outside 64-bit mode: CS.limit is below 4 GiB - 1, and in kModeLimitMask
  // Chosen by the run loop, not by processor state:
  kModeSingle = 1ull << 32,   // exactly one instruction
  kModeBounce = 1ull << 33,   // memory operands go through the bounce buffer (implies kModeSingle)
  kModeCareful = 1ull << 34,  // every access has a check of its own (translate/merge.cpp)
  // CS.limit as a descriptor has it: 20 bits, and above them whether they count pages.
  kModeLimitMask = 0x1fffffull << 40,
};

/// Last offset in CS at which an instruction may lie; in 64-bit mode ~0.
constexpr u64 code_limit(u64 mode) {
  if (!(mode & kModeCsLimit)) return (mode & kModeSizeMask) == static_cast<u64>(CodeSize::k64) ? ~0ull : 0xffffffff;
  const u64 limit = (mode & kModeLimitMask) >> 40;
  return limit >> 20 ? (limit & 0xfffff) << 12 | 0xfff : limit;
}

/// Recompute vcpu.mode and the selected TLB and jump tables. To be called after any change to CR0, CR4, EFER,
/// XCR0, CPL, a segment register's cache, or EFLAGS.VM/AC. Also refreshes every Segment's fast_* fields' meaning in
/// the key (not the fields themselves: whoever loads a segment sets those).
void refresh_mode(Vcpu& vcpu);

}  // namespace rz
