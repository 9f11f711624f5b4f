// Time as the interrupt chips see it: CLOCK_MONOTONIC in nanoseconds and the host's time-stamp counter.
// Injected so that unit tests can turn the clock by hand; every chip of one machine shares one Clock.
#pragma once

#include <time.h>
#include <x86intrin.h>

#include "../cpu/types.h"

namespace rz {

inline constexpr u64 kNever = ~0ull;  // a deadline that never comes, ns

struct Clock {
  u64 (*ns)(void* context);   // CLOCK_MONOTONIC, ns
  u64 (*tsc)(void* context);  // host TSC, cycles
  void* context;

  u64 now_ns() const { return ns(context); }
  u64 now_tsc() const { return tsc(context); }
};

/// CLOCK_MONOTONIC now, ns. Served by the vDSO; touches no vector register.
inline u64 monotonic_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<u64>(t.tv_sec) * 1'000'000'000u + static_cast<u64>(t.tv_nsec);
}

/// The clock of the host.
inline Clock host_clock() {
  return {[](void*) -> u64 { return monotonic_ns(); }, [](void*) -> u64 { return __rdtsc(); }, nullptr};
}

}  // namespace rz
