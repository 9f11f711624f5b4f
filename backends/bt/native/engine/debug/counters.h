// How often things happened to a vCPU: see counters.inc. A vCPU's counters are written by its own thread only, and off
// the hot path only: translated code counts nothing.
#pragma once

#include "../cpu/types.h"
#include "counters.inc"

namespace rz {

enum class Counter : u8 {
#define RZ_COUNTER(name, text, meaning) name,
  RZ_COUNTERS(RZ_COUNTER)
#undef RZ_COUNTER
      kCount
};
inline constexpr unsigned kCounters = static_cast<unsigned>(Counter::kCount);

/// Names for users, in the order of the enum.
inline constexpr const char* kCounterNames[kCounters] = {
#define RZ_COUNTER(name, text, meaning) text,
    RZ_COUNTERS(RZ_COUNTER)
#undef RZ_COUNTER
};

class Machine;

/// The sum over all vCPUs; they may run meanwhile.
u64 counter_sum(const Machine& machine, Counter counter);

}  // namespace rz
