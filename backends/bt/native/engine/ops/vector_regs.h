// Access to the guest's vector registers, which are live in the host's while helpers run. Inline assembly only: the
// engine is built without vector code. A register number selects one of sixteen instructions.
#pragma once

#include "../cpu/types.h"

namespace rz {

#define RZ_SIXTEEN(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define RZ_EIGHT(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)

/// Low 16 bytes of vector register `n` (0..15).
inline void read_xmm(unsigned n, u8 (&to)[16]) {
  switch (n) {
#define RZ_CASE(i) \
  case i: asm volatile("movdqu %%xmm" #i ", %0" : "=m"(to)); return;
    RZ_SIXTEEN(RZ_CASE)
#undef RZ_CASE
  }
}

/// All 32 bytes. Only when the guest has AVX (so the host does).
inline void read_ymm(unsigned n, u8 (&to)[32]) {
  switch (n) {
#define RZ_CASE(i) \
  case i: asm volatile("vmovdqu %%ymm" #i ", %0" : "=m"(to)); return;
    RZ_SIXTEEN(RZ_CASE)
#undef RZ_CASE
  }
}

/// All 32 bytes; bits above are cleared, as by every VEX instruction.
inline void write_ymm(unsigned n, const u8 (&from)[32]) {
  switch (n) {
#define RZ_CASE(i) \
  case i: asm volatile("vmovdqu %0, %%ymm" #i : : "m"(from)); return;
    RZ_SIXTEEN(RZ_CASE)
#undef RZ_CASE
  }
}

/// MMX register; enters MMX mode (tags valid, TOP 0), as any MMX instruction does.
inline u64 read_mmx(unsigned n) {
  u64 value = 0;
  switch (n & 7) {
#define RZ_CASE(i) \
  case i: asm volatile("movq %%mm" #i ", %0" : "=m"(value)); break;
    RZ_EIGHT(RZ_CASE)
#undef RZ_CASE
  }
  return value;
}

/// Bits that MXCSR may have set on this host.
inline u32 mxcsr_mask() {
  static u32 known = 0;  // every thread computes the same value
  if (known) return known;
  alignas(16) u8 image[512];
  asm volatile("fxsave64 %0" : "=m"(image));
  const u32 mask = image[28] | image[29] << 8 | image[30] << 16 | static_cast<u32>(image[31]) << 24;
  return known = mask ? mask : 0xffbf;
}

}  // namespace rz
