// One piece of guest RAM that could be a huge page of the host: how much of it is there, and making it one.
#pragma once

#include <sys/mman.h>

#include "../shared/layout.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25  // Linux 6.1
#endif

namespace rz::peer {

inline constexpr u32 kPagesPerHugePage = shared::kHugePageBytes / 4096;

/// How many of the piece's pages are resident; 0 also where the kernel does not say.
inline u32 resident_pages(u8* piece) {
  unsigned char page[kPagesPerHugePage];
  if (mincore(piece, shared::kHugePageBytes, page) != 0) return 0;
  u32 resident = 0;
  for (unsigned char bits : page) resident += bits & 1;
  return resident;
}

/// As madvise: 0, or -1 with errno, EINVAL where the kernel cannot.
inline int collapse(u8* piece) { return madvise(piece, shared::kHugePageBytes, MADV_COLLAPSE); }

}  // namespace rz::peer
