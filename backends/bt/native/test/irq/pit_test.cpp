// 8254: modes, latches, read-back, port 61h.
#include "irq_test.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr u64 ticks(u64 n) { return (n * 1'000'000'000ull + kPitHz - 1) / kPitHz; }  // ns, rounded up

// A PIT machine whose clock stands on a tick boundary, so that tick arithmetic is exact.
struct PitMachine : TestMachine {
  PitMachine() {
    time.ns = ticks(2'000'000);
    base = 2'000'000;
    init_pics();
    out(0x21, 0xFE);
  }
  /// Move to `n` ticks after construction.
  void at(u64 n) {
    const u64 ns = ticks(base + n);
    if (ns > time.ns) time.advance(ns - time.ns);
    irq->run_timers(cpu());
  }
  void program(unsigned channel, u8 control, u16 count) {
    out(0x43, static_cast<u8>(channel << 6 | control));
    out(static_cast<u16>(0x40 + channel), static_cast<u8>(count));
    if ((control & 0x30) == 0x30) out(static_cast<u16>(0x40 + channel), static_cast<u8>(count >> 8));
  }
  u16 count(unsigned channel) {
    out(0x43, static_cast<u8>(channel << 6));
    const u8 low = in(static_cast<u16>(0x40 + channel));
    return static_cast<u16>(low | in(static_cast<u16>(0x40 + channel)) << 8);
  }
  u8 status(unsigned channel) {
    out(0x43, static_cast<u8>(0xE0 | 2 << channel));
    return in(static_cast<u16>(0x40 + channel));
  }
  bool out2() { return (in(0x61) & 0x20) != 0; }
  bool fired() {
    const int vector = take();
    if (vector >= 0) out(0x20, 0x20);
    return vector == 0x20;
  }
  u64 base;
};

}  // namespace

TEST("PIT mode 0 interrupts once, at terminal count, and counts on") {
  PitMachine m;
  m.program(0, 0x30, 1000);
  CHECK(!m.fired());
  m.at(400);
  CHECK_EQ(m.count(0), 600);
  CHECK_EQ(m.status(0), 0x30);
  m.at(999);
  CHECK(!m.fired());
  m.at(1000);
  CHECK(m.fired());
  CHECK_EQ(m.status(0), 0xB0);
  m.at(1001);
  CHECK_EQ(m.count(0), 0xFFFF);
  m.at(200'000);
  CHECK(!m.fired());
}

TEST("the first byte of a two-byte count stops mode 0") {
  PitMachine m;
  m.program(0, 0x30, 1000);
  m.at(900);
  m.out(0x40, 0xE8);
  m.at(3000);
  CHECK(!m.fired());
  m.out(0x40, 0x03);
  m.at(3999);
  CHECK(!m.fired());
  m.at(4000);
  CHECK(m.fired());
}

TEST("PIT mode 2 interrupts every period without drift") {
  PitMachine m;
  m.program(0, 0x34, 1193);
  m.fired();
  for (u64 i = 1; i <= 2000; ++i) {
    m.at(i * 1193 - 1);
    CHECK(!m.fired());
    m.at(i * 1193);
    CHECK(m.fired());
  }
  m.at(2000 * 1193 + 200);
  CHECK_EQ(m.count(0), 993);
  m.at(2001 * 1193 - 1);
  CHECK_EQ(m.count(0), 1);
  CHECK_EQ(m.status(0), 0x34);  // output low for the last tick
}

TEST("a new count in mode 2 takes over at the end of the period") {
  PitMachine m;
  m.program(0, 0x34, 1000);
  m.fired();
  m.at(300);
  m.out(0x40, 0xF4);
  m.out(0x40, 0x01);                   // 500
  CHECK_EQ(m.status(0) & 0x40, 0x40);  // null count: not taken over yet
  m.at(999);
  CHECK(!m.fired());
  m.at(1000);
  CHECK(m.fired());
  CHECK_EQ(m.status(0) & 0x40, 0);
  m.at(1499);
  CHECK(!m.fired());
  m.at(1500);
  CHECK(m.fired());
}

TEST("PIT mode 3 halves the period between high and low, odd counts high for longer") {
  PitMachine m;
  m.out(0x61, 1);
  m.program(2, 0x36, 101);
  m.at(50);
  CHECK(m.out2());
  m.at(51);
  CHECK(!m.out2());
  m.at(100);
  CHECK(!m.out2());
  m.at(101);
  CHECK(m.out2());
  m.program(2, 0x36, 1000);
  m.at(101 + 100);
  CHECK_EQ(m.count(2), 800);  // steps by two
  m.at(101 + 600);
  CHECK_EQ(m.count(2), 800);
}

TEST("PIT mode 3 on channel 0 interrupts once a period") {
  PitMachine m;
  m.program(0, 0x36, 0);
  m.fired();
  m.at(65535);
  CHECK(!m.fired());
  m.at(65536);
  CHECK(m.fired());
  m.at(65536 + 32768);
  CHECK(!m.fired());
  m.at(131072);
  CHECK(m.fired());
}

TEST("PIT mode 1 is a one-shot of the gate, triggered again by each rise") {
  PitMachine m;
  m.program(2, 0x32, 500);
  CHECK(m.out2());
  m.at(1000);
  CHECK(m.out2());  // no trigger, no pulse
  m.out(0x61, 1);
  CHECK(!m.out2());
  m.at(1400);
  CHECK_EQ(m.count(2), 100);
  m.out(0x61, 0);
  m.out(0x61, 1);
  m.at(1899);
  CHECK(!m.out2());
  m.at(1900);
  CHECK(m.out2());
}

TEST("PIT modes 4 and 5 strobe low for one tick") {
  PitMachine m;
  m.out(0x61, 1);
  m.program(2, 0x38, 300);
  m.at(299);
  CHECK(m.out2());
  m.at(300);
  CHECK(!m.out2());
  m.at(301);
  CHECK(m.out2());
  m.out(0x61, 0);
  m.program(2, 0x3A, 300);
  m.at(1000);
  CHECK(m.out2());
  m.out(0x61, 1);
  m.at(1299);
  CHECK(m.out2());
  m.at(1300);
  CHECK(!m.out2());
  m.at(1301);
  CHECK(m.out2());
  m.program(0, 0x38, 300);
  m.fired();
  m.at(1601);
  CHECK(!m.fired());
  m.at(1602);
  CHECK(m.fired());  // the interrupt is the strobe's rising edge
  m.at(5000);
  CHECK(!m.fired());
}

TEST("the gate holds modes 0 and 4 and restarts modes 2 and 3") {
  PitMachine m;
  m.out(0x61, 1);
  m.program(2, 0x30, 1000);
  m.at(100);
  m.out(0x61, 0);
  m.at(5000);
  CHECK_EQ(m.count(2), 900);
  m.out(0x61, 1);
  m.at(5100);
  CHECK_EQ(m.count(2), 800);
  m.program(2, 0x34, 1000);
  m.at(5400);
  CHECK_EQ(m.count(2), 700);
  m.out(0x61, 0);
  CHECK(m.out2());
  m.out(0x61, 1);
  CHECK_EQ(m.count(2), 1000);
}

TEST("BCD counts are decimal, and zero is ten thousand") {
  PitMachine m;
  m.program(0, 0x31, 0x1234);
  m.at(234);
  CHECK_EQ(m.count(0), 0x1000);
  m.program(0, 0x31, 0);
  m.at(234 + 1);
  CHECK_EQ(m.count(0), 0x9999);
  CHECK_EQ(m.status(0) & 1, 1);
}

TEST("a latched count holds until read, and byte modes read and write one byte") {
  PitMachine m;
  m.program(0, 0x30, 1000);
  m.at(100);
  m.out(0x43, 0x00);
  m.at(200);
  m.out(0x43, 0x00);  // a second latch is ignored
  u16 value = m.in(0x40);
  value = static_cast<u16>(value | m.in(0x40) << 8);
  CHECK_EQ(value, 900);
  CHECK_EQ(m.in(0x40) | m.in(0x40) << 8, 800);
  m.program(0, 0x10, 0x55);  // LSB only
  CHECK_EQ(m.in(0x40), 0x55);
  CHECK_EQ(m.in(0x40), 0x55);
  m.program(0, 0x20, 0x02);  // MSB only
  CHECK_EQ(m.in(0x40), 0x02);
}

TEST("read-back latches status and counts of several channels, status first") {
  PitMachine m;
  m.out(0x61, 1);
  m.program(0, 0x34, 1000);
  m.program(1, 0x30, 2000);
  m.program(2, 0x36, 3000);
  m.at(100);
  m.out(0x43, 0xC0 | 2 | 8);  // counts and status of channels 0 and 2
  m.at(500);
  CHECK_EQ(m.in(0x40), 0xB4);
  CHECK_EQ(m.in(0x40) | m.in(0x40) << 8, 900);
  CHECK_EQ(m.in(0x42), 0xB6);
  CHECK_EQ(m.in(0x42) | m.in(0x42) << 8, 2800);
  CHECK_EQ(m.in(0x41) | m.in(0x41) << 8, 1500);  // not latched
  m.out(0x43, 0x70 | 0x00);
  CHECK_EQ(m.status(1) & 0x40, 0x40);  // a control word without a count: null count
}

TEST("port 61h keeps its control bits, toggles refresh, and shows channel 2") {
  PitMachine m;
  m.out(0x61, 0x0F);
  CHECK_EQ(m.in(0x61) & 0x0F, 0x0F);
  m.out(0x61, 0x02);
  CHECK_EQ(m.in(0x61) & 0x0F, 0x02);
  const u8 before = m.in(0x61) & 0x10;
  m.time.advance(15'085);
  CHECK_EQ(m.in(0x61) & 0x10, before ^ 0x10);
}
