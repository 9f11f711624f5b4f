// String instructions against an element-by-element model, at page edges, with overlap, DF, faults, MMIO and
// interruption.
#include "guest.h"

#include <cstring>

namespace rz::test {
namespace {

constexpr u64 kWindow = 0x10000000;  // four pages, deliberately scattered in physical memory
constexpr u64 kFrames[4] = {0x23000, 0x51000, 0x30000, 0x22000};

void map_window(Guest& g, unsigned pages = 4) {
  for (unsigned i = 0; i < 4; ++i)
    g.map(kWindow + i * kPageBytes, i < pages ? kFrames[i] | kP | kRw | kUs | kD | kA : 0);
}
u8& byte_at(Guest& g, u64 offset) { return *g.ram(kFrames[offset >> 12] + (offset & 0xfff)); }

OpResult run_all(Guest& g, std::initializer_list<u8> code) {
  OpResult r;
  do r = g.run(code);
  while (r == OpResult::kAgain);
  return r;
}

u64 g_seed = 88172645463325252ull;
u64 next_random() {
  g_seed ^= g_seed << 13, g_seed ^= g_seed >> 7, g_seed ^= g_seed << 17;
  return g_seed;
}

// Random overlapping copies; the model moves one element after another.
void random_moves() {
  Guest g;
  g.long_mode();
  map_window(g);
  unsigned bad = 0;
  for (unsigned n = 0; n < 2000; ++n) {
    const unsigned shift = next_random() & 3, width = 1u << shift;
    const bool down = next_random() & 1;
    const u64 count = next_random() % (3000 / width) + 1;
    const u64 span = count * width, room = 4 * kPageBytes - span;
    u64 from = next_random() % room, to = (next_random() & 1) ? next_random() % room : from + next_random() % 64;
    if (to > room) to = room;
    std::vector<u8> model(4 * kPageBytes);
    for (u64 i = 0; i < model.size(); ++i) model[i] = byte_at(g, i) = static_cast<u8>(next_random());
    const u64 s0 = down ? from + span - width : from, d0 = down ? to + span - width : to;
    for (u64 i = 0; i < count; ++i) {
      const u64 s = down ? s0 - i * width : s0 + i * width, d = down ? d0 - i * width : d0 + i * width;
      u8 element[8];
      std::memcpy(element, &model[s], width);
      std::memcpy(&model[d], element, width);
    }
    g.v.rflags = 2 | (down ? kFlagDF : 0);
    g.v.regs[6] = kWindow + s0, g.v.regs[7] = kWindow + d0, g.v.regs[1] = count;
    OpResult r;
    switch (shift) {
      case 0: r = run_all(g, {0xf3, 0xa4}); break;
      case 1: r = run_all(g, {0xf3, 0x66, 0xa5}); break;
      case 2: r = run_all(g, {0xf3, 0xa5}); break;
      default: r = run_all(g, {0xf3, 0x48, 0xa5}); break;
    }
    bool same = r == OpResult::kNext && g.v.regs[1] == 0 && g.v.regs[7] == kWindow + (down ? d0 - span : d0 + span);
    for (u64 i = 0; same && i < model.size(); ++i) same = model[i] == byte_at(g, i);
    bad += !same;
  }
  CHECK_EQ(bad, 0);
}

void faults_in_the_middle() {
  Guest g;
  g.long_mode();
  map_window(g, 2);
  g.v.regs[6] = 0x100000, g.v.regs[7] = kWindow + 0x1ff0, g.v.regs[1] = 0x40;
  CHECK(run_all(g, {0xf3, 0xa4}) == OpResult::kFault);
  CHECK_EQ(g.v.exception.vector, kPFx);
  CHECK_EQ(g.v.exception.cr2, kWindow + 0x2000);
  CHECK_EQ(g.v.regs[1], 0x30);
  CHECK_EQ(g.v.regs[7], kWindow + 0x2000);
  CHECK_EQ(g.v.regs[6], 0x100010);
  g.v.exception = PendingException{};
  // An element that straddles into the absent page: nothing of it is stored.
  byte_at(g, 0x1ffe) = 0x77;
  g.v.regs[7] = kWindow + 0x1ffe, g.v.regs[1] = 1, g.v.regs[0] = 0;
  CHECK(run_all(g, {0xf3, 0xab}) == OpResult::kFault);
  CHECK_EQ(byte_at(g, 0x1ffe), 0x77);
  CHECK_EQ(g.v.regs[1], 1);
  g.v.exception = PendingException{};
  // Downwards across the lower edge.
  g.v.rflags |= kFlagDF;
  g.v.regs[7] = kWindow + 4, g.v.regs[1] = 10;
  CHECK(run_all(g, {0xf3, 0xaa}) == OpResult::kFault);
  CHECK_EQ(g.v.exception.cr2, kWindow - 1);
  CHECK_EQ(g.v.regs[1], 5);
  g.v.exception = PendingException{};
}

void interruption() {
  Guest g;
  g.long_mode();
  map_window(g);
  g.v.request(kAttnInterrupt);
  g.v.regs[7] = kWindow, g.v.regs[1] = 0x4000, g.v.regs[0] = 0x11;
  CHECK(g.run({0xf3, 0xaa}) == OpResult::kAgain);
  CHECK_EQ(g.v.regs[1], 0x3000);  // one page a visit
  CHECK_EQ(g.v.regs[7], kWindow + 0x1000);
  g.v.attention = 0;
  CHECK(run_all(g, {0xf3, 0xaa}) == OpResult::kNext);
  CHECK_EQ(byte_at(g, 0x3fff), 0x11);
  g.v.regs[1] = 0;
  g.v.regs[7] = 0x8000000000000000;  // a count of zero touches nothing
  CHECK(g.run({0xf3, 0xaa}) == OpResult::kNext);
}

void scanning() {
  Guest g;
  g.long_mode();
  map_window(g);
  for (u64 i = 0; i < 0x4000; ++i) byte_at(g, i) = 'a';
  byte_at(g, 0x2005) = 0;
  g.v.regs[7] = kWindow + 3, g.v.regs[1] = ~0ull, g.v.regs[0] = 0;
  CHECK(run_all(g, {0xf2, 0xae}) == OpResult::kNext);  // strlen
  CHECK_EQ(g.v.regs[7], kWindow + 0x2006);
  CHECK_EQ(~g.v.regs[1], 0x2003);
  CHECK(g.v.rflags & kFlagZF);
  g.v.regs[6] = kWindow, g.v.regs[7] = kWindow + 0x1800, g.v.regs[1] = 0x1000;
  CHECK(run_all(g, {0xf3, 0xa6}) == OpResult::kNext);
  CHECK_EQ(g.v.regs[7], kWindow + 0x2006);  // 'a' against 0: above
  CHECK_EQ(g.v.rflags & kArithFlags, kFlagPF * 0 | (g.v.rflags & (kFlagPF | kFlagAF)));
  CHECK(!(g.v.rflags & (kFlagZF | kFlagCF)));
  for (const unsigned at : {0u, 1u, 7u, 8u, 9u, 4090u, 4095u, 4096u, 4097u}) {
    for (u64 i = 0; i < 0x4000; ++i) byte_at(g, i) = 'a';
    byte_at(g, at) = 'b';
    g.v.regs[7] = kWindow, g.v.regs[1] = 0x3000, g.v.regs[0] = 'b';
    CHECK(run_all(g, {0xf2, 0xae}) == OpResult::kNext && g.v.regs[7] == kWindow + at + 1);
    g.v.regs[7] = kWindow, g.v.regs[1] = 0x3000, g.v.regs[0] = 'a';
    CHECK(run_all(g, {0xf3, 0xae}) == OpResult::kNext && g.v.regs[7] == kWindow + at + 1);
    g.v.regs[6] = kWindow, g.v.regs[7] = kWindow + 0x2000, g.v.regs[1] = 0x800;
    CHECK(run_all(g, {0xf3, 0x66, 0xa7}) == OpResult::kNext);
    CHECK_EQ(g.v.regs[6], kWindow + (at < 4096 ? (at & ~1u) + 2 : 0x1000));
  }
  g.v.regs[6] = kWindow + 0x10;
  CHECK(g.run({0xac}) == OpResult::kNext);
  CHECK_EQ(g.v.regs[0], 'a');
}

void address_sizes() {
  Guest g;
  g.protected_mode();
  g.v.regs[6] = 0x1230ffff, g.v.regs[7] = 0xffff9000, g.v.regs[1] = 0xabcd0002;
  g.store(0xffff, 0x55, 1);
  g.store(0, 0x66, 1);
  CHECK(run_all(g, {0x67, 0xf3, 0xa4}) == OpResult::kNext);  // 16-bit: SI wraps, upper halves stay
  CHECK_EQ(g.load(0x9000, 2), 0x6655);
  CHECK_EQ(g.v.regs[6], 0x12300001);
  CHECK_EQ(g.v.regs[7], 0xffff9002);
  CHECK_EQ(g.v.regs[1], 0xabcd0000);
  // A segment override applies to the source only; ES keeps its limit.
  g.gdt(0x30, 0x5000, 0xfff, 0x493);
  CHECK(load_segment(g.v, kFS, 0x30));
  g.store(0x5010, 0x77, 1);
  g.v.regs[6] = 0x10, g.v.regs[7] = 0x9100;
  CHECK(g.run({0x64, 0xa4}) == OpResult::kNext);
  CHECK_EQ(g.load(0x9100, 1), 0x77);
  CHECK(load_segment(g.v, kES, 0x30));
  g.v.regs[7] = 0xff8, g.v.regs[1] = 4, g.v.regs[0] = 1;
  CHECK(run_all(g, {0xf3, 0xab}) == OpResult::kFault);
  CHECK_EQ(g.v.exception.vector, kGP);
  CHECK_EQ(g.v.regs[1], 2);
  CHECK_EQ(g.v.regs[7], 0x1000);
  g.v.exception = PendingException{};
}

void devices_and_code() {
  Guest g;
  g.long_mode();
  map_window(g);
  g.map(0x7000000000, 0xfee00000 | kP | kRw);
  g.bus.answer = 0x44332211;
  g.v.regs[6] = 0x7000000000, g.v.regs[7] = kWindow, g.v.regs[1] = 2;
  CHECK(run_all(g, {0xf3, 0xa5}) == OpResult::kNext);
  CHECK_EQ(g.bus.log.size(), 2);
  CHECK(g.bus.log[1].at == 0xfee00004 && g.bus.log[1].width == 4);
  CHECK_EQ(g.load(kFrames[0] + 4, 4), 0x44332211);
  g.v.regs[7] = kWindow + 0x10, g.v.regs[1] = 3, g.v.regs[2] = 0x1f0;
  CHECK(run_all(g, {0xf3, 0x66, 0x6d}) == OpResult::kNext);  // rep insw
  CHECK_EQ(g.bus.log.size(), 5);
  CHECK(g.bus.log[4].port && g.bus.log[4].width == 2);
  CHECK_EQ(g.load(kFrames[0] + 0x10, 2), 0x2211);
  g_code.page = kFrames[1];
  g_code.granule = kFrames[1] + 0x40;
  tlb_flush_all(g.v);
  g.v.regs[7] = kWindow + 0xff0, g.v.regs[1] = 0x100, g.v.regs[0] = 0x90;
  CHECK(run_all(g, {0xf3, 0xaa}) == OpResult::kNext);
  CHECK(g_code.invalidations > 0 && g_code.invalidations < 8);  // per run, not per element
  CHECK_EQ(byte_at(g, 0x1080), 0x90);
}

}  // namespace

void string_tests() {
  random_moves();
  faults_in_the_middle();
  interruption();
  scanning();
  address_sizes();
  devices_and_code();
}

}  // namespace rz::test
