// TSC, TSC_ADJUST and the paravirtual clock: the structure that a guest reads must give the machine's time.
#include "guest.h"

#include <ctime>

#include "cpu/pvclock.h"
#include "cpu/tsc.h"

namespace rz::test {
namespace {

void frequency() {
  const u64 hz = tsc_hz();
  CHECK(hz > 500'000'000 && hz < 10'000'000'000ull);
  timespec a, b;
  const u64 t0 = host_tsc();
  clock_gettime(CLOCK_MONOTONIC_RAW, &a);
  do clock_gettime(CLOCK_MONOTONIC_RAW, &b);
  while ((b.tv_sec - a.tv_sec) * 1'000'000'000ll + b.tv_nsec - a.tv_nsec < 20'000'000);
  const double seconds = static_cast<double>(b.tv_sec - a.tv_sec) + static_cast<double>(b.tv_nsec - a.tv_nsec) / 1e9;
  const double measured = static_cast<double>(host_tsc() - t0) / seconds;
  CHECK(measured > static_cast<double>(hz) * 0.98 && measured < static_cast<double>(hz) * 1.02);
  CHECK_EQ(tsc_hz(), hz);
}

void adjust() {
  Guest g;
  u64 value;
  CHECK(guest_tsc(g.v) < 10'000'000'000ull);  // starts near zero
  CHECK(msr_write(g.v, 0x10, 1ull << 40));
  CHECK(guest_tsc(g.v) - (1ull << 40) < 1'000'000'000);
  CHECK(msr_read(g.v, 0x3b, value));
  CHECK((1ull << 40) - value < 10'000'000'000ull);
  CHECK(msr_write(g.v, 0x3b, 0));
  CHECK(guest_tsc(g.v) < 10'000'000'000ull);
}

// The guest's arithmetic, as in Linux's __pvclock_read_cycles.
u64 guest_ns(Guest& g, u64 at, u64 tsc) {
  const u64 stamp = g.load(at + 8), system = g.load(at + 16);
  const u64 mul = g.load(at + 24, 4);
  const i8 shift = static_cast<i8>(g.load(at + 28, 1));
  u64 delta = tsc - stamp;
  delta = shift < 0 ? delta >> -shift : delta << shift;
  return system + static_cast<u64>(static_cast<unsigned __int128>(delta) * mul >> 32);
}

void pvclock(u64 hz) {
  Guest g;
  g.profile.tsc_hz = hz;
  CHECK(msr_write(g.v, 0x4b564d01, 0x5001));
  CHECK_EQ(g.load(0x5000, 4) & 1, 0);
  CHECK(g.load(0x5000, 4) != 0);
  CHECK_EQ(g.load(0x5000 + 29, 1), 1);
  for (const u64 later : {u64{0}, hz / 1000, hz * 3600}) {
    const u64 host = host_tsc() + later;
    const u64 ours = machine_time_ns(g.v, host), theirs = guest_ns(g, 0x5000, host + g.v.msr.tsc_offset);
    const u64 gap = ours > theirs ? ours - theirs : theirs - ours;
    CHECK(gap <= 2 + ours / 1'000'000'000);  // one part in 10^9
  }
  const u64 version = g.load(0x5000, 4);
  CHECK(msr_write(g.v, 0x10, 0));  // a TSC write refreshes the structure
  CHECK_EQ(g.load(0x5000, 4), version + 2);
  // What another engine left there before a move: a reader in the middle must see that the structure is another.
  for (const u32 left : {2u, 41u, 1000u, 0xfffffffeu, 0xffffffffu}) {
    g.store(0x5000, left, 4);
    CHECK(msr_write(g.v, 0x10, 0));
    CHECK_EQ(g.load(0x5000, 4) & 1, 0);
    CHECK(g.load(0x5000, 4) != left);
  }
  const u64 host = host_tsc();
  const u64 ours = machine_time_ns(g.v, host), theirs = guest_ns(g, 0x5000, host + g.v.msr.tsc_offset);
  CHECK((ours > theirs ? ours - theirs : theirs - ours) < 1000);
  CHECK(msr_write(g.v, 0x4b564d01, 0));
  CHECK(msr_write(g.v, 0x4b564d00, 0x6000));
  const u64 now = static_cast<u64>(time(nullptr)), boot = g.load(0x6004, 4);
  CHECK(boot <= now + 1 && boot + 60 > now);
  CHECK(g.load(0x6008, 4) < 1'000'000'000);
  CHECK(msr_write(g.v, 0x4b564d01, 0xf000000001));  // no RAM there: ignored
}

}  // namespace

void clock_tests() {
  frequency();
  adjust();
  for (const u64 hz : {2'600'000'000ull, 1'000'000'000ull, 800'000'000ull, 4'100'000'001ull}) pvclock(hz);
}

}  // namespace rz::test
