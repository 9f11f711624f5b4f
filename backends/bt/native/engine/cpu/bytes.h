// Copy, fill and compare without vector registers. Guest FPU and vector state stays in the host's registers
// while the engine runs, so libc's memcpy family (which uses SSE/AVX) must never be called from it.
#pragma once

#include "types.h"

namespace rz {

// Unaligned, aliasing-safe integers for single moves.
typedef u16 __attribute__((may_alias, aligned(1))) UnalignedU16;
typedef u32 __attribute__((may_alias, aligned(1))) UnalignedU32;
typedef u64 __attribute__((may_alias, aligned(1))) UnalignedU64;

/// Forward copy; overlapping is fine when `to` is below `from`. DF is clear, as the ABI demands.
inline void copy_bytes(void* to, const void* from, std::size_t bytes) {
  switch (bytes) {
    case 0: return;
    case 1: *static_cast<u8*>(to) = *static_cast<const u8*>(from); return;
    case 2: *static_cast<UnalignedU16*>(to) = *static_cast<const UnalignedU16*>(from); return;
    case 4: *static_cast<UnalignedU32*>(to) = *static_cast<const UnalignedU32*>(from); return;
    case 8: *static_cast<UnalignedU64*>(to) = *static_cast<const UnalignedU64*>(from); return;
    default: asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes) : : "memory");
  }
}

inline void fill_bytes(void* to, u8 value, std::size_t bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

/// Fill `count` 8-byte words.
inline void fill_words(void* to, u64 value, std::size_t count) {
  asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(value) : "memory");
}

inline bool equal_bytes(const void* a, const void* b, std::size_t bytes) {
  const u8* x = static_cast<const u8*>(a);
  const u8* y = static_cast<const u8*>(b);
  std::size_t i = 0;
  for (; i + 8 <= bytes; i += 8)
    if (*reinterpret_cast<const UnalignedU64*>(x + i) != *reinterpret_cast<const UnalignedU64*>(y + i)) return false;
  for (; i < bytes; ++i)
    if (x[i] != y[i]) return false;
  return true;
}

inline bool equal_text(const char* a, const char* b) {
  while (*a && *a == *b) ++a, ++b;
  return *a == *b;
}

inline bool text_begins(const char* text, const char* with) {
  while (*with && *text == *with) ++text, ++with;
  return !*with;
}

/// Value of 1, 2, 4 or 8 bytes in host memory, zero-extended.
inline u64 load_bytes(const void* from, unsigned bytes) {
  switch (bytes) {
    case 1: return *static_cast<const u8*>(from);
    case 2: return *static_cast<const UnalignedU16*>(from);
    case 4: return *static_cast<const UnalignedU32*>(from);
    default: return *static_cast<const UnalignedU64*>(from);
  }
}

/// Store the low 1, 2, 4 or 8 bytes of `value`.
inline void store_bytes(void* to, u64 value, unsigned bytes) { copy_bytes(to, &value, bytes); }

}  // namespace rz
