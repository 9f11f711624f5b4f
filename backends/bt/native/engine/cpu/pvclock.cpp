// Writes pvclock structures. Version is odd while a structure is being written, as readers expect. It counts on from
// what is in guest memory, so that it changes even when another engine wrote the structure before: a guest that was
// moved while it read one would else take a counter from before with a time stamp from after, and see centuries go by.
#include "pvclock.h"

#include <time.h>

#include "../mmu/mmu.h"
#include "../run/machine.h"
#include "cpuid.h"
#include "tsc.h"

namespace rz {
namespace {

struct [[gnu::packed]] SystemTime {
  u32 version;
  u32 pad0;
  u64 tsc_timestamp;      // guest TSC ...
  u64 system_time;        // ... and ns of machine time at the same moment
  u32 tsc_to_system_mul;  // ns = ((tsc << shift) * mul) >> 32
  i8 tsc_shift;
  u8 flags;  // 1: stable, comparable across vCPUs
  u8 pad[2];
};
static_assert(sizeof(SystemTime) == 32);

struct [[gnu::packed]] WallClock {
  u32 version, sec, nsec;
};

// Scale so that the multiplier keeps 32 significant bits: hz is brought into (1e9 / 2, 1e9] * 2^shift.
void scale(u64 hz, u32& mul, i8& shift) {
  u64 rate = hz;
  i8 s = 0;
  while (rate > 2'000'000'000ull) rate >>= 1, --s;
  while (rate <= 1'000'000'000ull) rate <<= 1, ++s;
  // ns per (tsc << shift) tick as a 0.32 fraction; exact division by the unrounded rate.
  const unsigned __int128 numerator = static_cast<unsigned __int128>(1'000'000'000ull) << 32;
  mul = static_cast<u32>(s < 0 ? (numerator << -s) / hz : (numerator >> s) / hz);
  shift = s;
}

/// The next even version of the structure at `gpa`; false: no RAM there.
bool next_version(Machine& machine, u64 gpa, u32& version) {
  if (!phys_read(machine, gpa, &version, sizeof version)) return false;
  version = (version | 1) + 1;
  return true;
}

/// `from` begins with its version.
template <typename T>
void publish(Machine& machine, u64 gpa, T& from, u32 version) {
  from.version = version - 1;
  if (!phys_write(machine, gpa, &from, sizeof from)) return;
  (void)phys_write(machine, gpa, &version, sizeof version);
}

}  // namespace

u64 machine_time_ns(const Vcpu& vcpu, u64 host_tsc_value) {
  const u64 ticks = host_tsc_value - vcpu.boot_tsc;
  return static_cast<u64>(static_cast<unsigned __int128>(ticks) * 1'000'000'000ull / vcpu.machine->cpuid->tsc_hz);
}

void pvclock_write_system_time(Vcpu& vcpu, u64 msr) {
  const u64 gpa = msr & ~1ull;
  u32 version;
  if (!(msr & 1) || !next_version(*vcpu.machine, gpa, version)) return;
  SystemTime t = {};
  const u64 now = base_tsc(vcpu);
  t.tsc_timestamp = now + vcpu.msr.tsc_offset;
  t.system_time = machine_time_ns(vcpu, now);
  u32 mul;  // the packed field cannot be bound to a reference
  scale(vcpu.machine->cpuid->tsc_hz, mul, t.tsc_shift);
  t.tsc_to_system_mul = mul;
  t.flags = 1;
  publish(*vcpu.machine, gpa, t, version);
}

void pvclock_write_wall_clock(Vcpu& vcpu, u64 gpa) {
  u32 version;
  if (!next_version(*vcpu.machine, gpa, version)) return;
  timespec real;
  clock_gettime(CLOCK_REALTIME, &real);
  const u64 ns = static_cast<u64>(real.tv_sec) * 1'000'000'000ull + static_cast<u64>(real.tv_nsec) -
                 machine_time_ns(vcpu, base_tsc(vcpu));
  WallClock w = {0, static_cast<u32>(ns / 1'000'000'000ull), static_cast<u32>(ns % 1'000'000'000ull)};
  publish(*vcpu.machine, gpa, w, version);
}

}  // namespace rz
