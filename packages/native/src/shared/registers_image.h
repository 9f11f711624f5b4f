// Architectural registers of a vCPU as bytes: what the register commands carry and what a saved state holds.
// Little endian, no implicit padding; the layout is described in docs/state-format.md and read by ../registers.ts.
#pragma once

#include "types.h"

namespace rz {

struct SegmentImage {
  u16 selector;
  u16 attributes;  // descriptor bits 40..47 in 0..7, 52..55 in 8..11
  u32 limit;       // bytes - 1
  u64 base;
};

struct TableImage {
  u64 base;
  u64 limit;  // 16 bits used
};

struct RegistersImage {
  u64 gpr[16];
  u64 rip;
  u64 rflags;
  SegmentImage seg[6];  // ES CS SS DS FS GS
  SegmentImage ldtr, tr;
  TableImage gdtr, idtr;
  u64 cr0, cr2, cr3, cr4, cr8, efer;
};
static_assert(sizeof(RegistersImage) == 16 * 8 + 16 + 8 * 16 + 2 * 16 + 6 * 8);

}  // namespace rz
