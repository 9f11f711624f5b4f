// How fast the host's time-stamp counter runs.
#include "tsc.h"

#include <atomic>

#include <time.h>

#include "../run/machine.h"
#include "cpuid.h"

namespace rz {
namespace {

u64 from_cpuid() {
  if (host_cpuid(0, 0).eax >= 0x15) {
    const CpuidResult r = host_cpuid(0x15, 0);
    if (r.eax && r.ebx && r.ecx) return static_cast<u64>(r.ecx) * r.ebx / r.eax;
  }
  if (host_cpuid(1, 0).ecx >> 31) {
    const CpuidResult base = host_cpuid(0x40000000, 0);
    if (base.eax >= 0x40000010 && base.eax < 0x40000100) {
      const u64 hz = static_cast<u64>(host_cpuid(0x40000010, 0).eax) * 1000;
      if (hz) return hz;
    }
  }
  return 0;
}

u64 now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC_RAW, &t);
  return static_cast<u64>(t.tv_sec) * 1'000'000'000 + static_cast<u64>(t.tv_nsec);
}

/// Both clocks at one moment.
struct Moment {
  u64 ns, tsc;
};

/// The tightest of some looks: whoever is preempted between the two clocks, on a busy host, is milliseconds off.
Moment look() {
  Moment best = {};
  u64 narrowest = ~0ull;
  for (int i = 0; i < 20; ++i) {
    const u64 before = host_tsc(), ns = now_ns(), width = host_tsc() - before;
    if (width >= narrowest) continue;
    narrowest = width;
    best = {ns, before + width / 2};
  }
  return best;
}

u64 measure() {
  const Moment first = look();
  while (now_ns() - first.ns < 10'000'000) {}
  const Moment last = look();
  return static_cast<u64>(static_cast<unsigned __int128>(last.tsc - first.tsc) * 1'000'000'000 / (last.ns - first.ns));
}

}  // namespace

u64 base_tsc(const Vcpu& vcpu) { return vcpu.machine->virtual_tsc ? *vcpu.machine->virtual_tsc : host_tsc(); }

u64 tsc_hz() {
  static std::atomic<u64> known{0};
  u64 hz = known.load(std::memory_order_relaxed);
  if (hz) return hz;
  hz = from_cpuid();
  if (!hz) hz = measure();
  known.store(hz, std::memory_order_relaxed);
  return hz;
}

}  // namespace rz
