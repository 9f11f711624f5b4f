// The host's time-stamp counter and CLOCK_MONOTONIC_RAW at one moment: two looks, some milliseconds apart, say how fast
// the counter runs. A look is as good in another process of this host, so that an embedder's own counts for an engine
// that it starts.
#pragma once

#include <time.h>

#include "types.h"

namespace rz::shared {

struct ClockLook {
  u64 ns = 0;   // CLOCK_MONOTONIC_RAW; 0: nobody looked
  u64 tsc = 0;  // ticks
};

inline u64 raw_monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC_RAW, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

/// The tightest of some looks: whoever is preempted between the two clocks, on a busy host, is milliseconds off.
inline ClockLook look_at_clocks() {
  const auto ticks = [] {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return static_cast<u64>(high) << 32 | low;
  };
  ClockLook best;
  u64 narrowest = ~0ull;
  for (int i = 0; i < 20; ++i) {
    const u64 before = ticks(), ns = raw_monotonic_ns(), width = ticks() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    best = {ns, before + width / 2};
  }
  return best;
}

}  // namespace rz::shared
