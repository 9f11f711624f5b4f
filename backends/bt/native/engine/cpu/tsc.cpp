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

constexpr u64 kWindowNs = 10'000'000;      // two looks this far apart are right to some millionths
constexpr u64 kLongestNs = 1'000'000'000;  // after more, the host may have slept, which the counter need not survive

shared::ClockLook earlier;

u64 measure() {
  shared::ClockLook first = earlier;
  const u64 now = shared::raw_monotonic_ns();
  if (first.ns == 0 || first.ns > now || now - first.ns > kLongestNs) first = shared::look_at_clocks();
  for (u64 at = now; at < first.ns + kWindowNs; at = shared::raw_monotonic_ns()) {
    const timespec rest = {0, static_cast<long>(first.ns + kWindowNs - at)};
    nanosleep(&rest, nullptr);
  }
  const shared::ClockLook last = shared::look_at_clocks();
  return static_cast<u64>(static_cast<unsigned __int128>(last.tsc - first.tsc) * 1'000'000'000 / (last.ns - first.ns));
}

}  // namespace

u64 base_tsc(const Vcpu& vcpu) { return vcpu.machine->virtual_tsc ? *vcpu.machine->virtual_tsc : host_tsc(); }

void tsc_looked_at(const shared::ClockLook& look) { earlier = look; }

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
