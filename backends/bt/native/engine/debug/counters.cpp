// See counters.h.
#include "counters.h"

#include "../cache/code_cache.h"
#include "../run/machine.h"

namespace rz {

u64 counter_sum(const Machine& machine, Counter counter) {
  // Counted by the cache, because whoever drops blocks may be no vCPU (DMA).
  if (counter == Counter::kBlocksDropped) return machine.code ? machine.code->dropped() : 0;
  u64 sum = 0;
  for (const Vcpu* v : machine.vcpus)
    sum += __atomic_load_n(&v->counters[static_cast<unsigned>(counter)], __ATOMIC_RELAXED);
  return sum;
}

}  // namespace rz
