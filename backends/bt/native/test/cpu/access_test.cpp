// Accesses by helpers and through the bounce buffer: page crossing, MMIO widths, ROM, limits, alignment checks.
#include "guest.h"

namespace rz::test {
namespace {

void crossing() {
  Guest g;
  g.long_mode();
  g.map(0x10000000, 0x20000 | kP | kRw | kUs | kD);
  g.map(0x10001000, 0x50000 | kP | kRw | kUs | kD);
  CHECK(mem_write(g.v, kDS, 0x10000ffd, 8, 0x1122334455667788));
  CHECK_EQ(g.load(0x20ffd, 1), 0x88);
  CHECK_EQ(g.load(0x50000, 4), 0x22334455);
  u64 value;
  CHECK(mem_read(g.v, kDS, 0x10000ffd, 8, value));
  CHECK_EQ(value, 0x1122334455667788);
  // The second page is absent: nothing is written, CR2 is its first byte.
  CHECK(!mem_write(g.v, kDS, 0x10001ffe, 4, 0));
  CHECK_EQ(g.v.exception.vector, kPFx);
  CHECK_EQ(g.v.exception.cr2, 0x10002000);
  CHECK_EQ(g.v.exception.error, 2);
  g.v.exception = PendingException{};
  g.store(0x50ffe, 0x1234, 2);
  CHECK(!bounce_prepare(g.v, 0x10001ffe, 4, Access::kReadWrite));
  g.v.exception = PendingException{};
  CHECK(bounce_prepare(g.v, 0x10000ffd, 8, Access::kReadWrite));
  CHECK_EQ(load_bytes(bounce_operand(g.v), 8), 0x1122334455667788);
  store_bytes(bounce_operand(g.v), 0xa1a2a3a4a5a6a7a8, 8);
  CHECK_EQ(g.load(0x50000, 4), 0x22334455);
  bounce_commit(g.v);
  CHECK_EQ(g.load(0x20ffd, 2), 0xa7a8);
  CHECK_EQ(g.load(0x50000, 4), 0xa2a3a4a5);
}

void mmio() {
  Guest g;
  g.long_mode();
  g.map(0x7000000000, 0xfee00000 | kP | kRw);
  g.bus.answer = 0xabcd1234;
  u64 value;
  CHECK(mem_read(g.v, kDS, 0x7000000010, 4, value));
  CHECK_EQ(value, 0xabcd1234);
  CHECK(mem_write(g.v, kDS, 0x7000000020, 2, 0x5678));
  CHECK_EQ(g.bus.log.size(), 2);
  CHECK(!g.bus.log[0].write && g.bus.log[0].at == 0xfee00010 && g.bus.log[0].width == 4);
  CHECK(g.bus.log[1].write && g.bus.log[1].at == 0xfee00020 && g.bus.log[1].width == 2 && g.bus.log[1].value == 0x5678);
  // A read-modify-write touches the device once each way; a pure write never reads it.
  CHECK(bounce_prepare(g.v, 0x7000000030, 4, Access::kReadWrite));
  bounce_commit(g.v);
  CHECK_EQ(g.bus.log.size(), 4);
  CHECK(bounce_prepare(g.v, 0x7000000030, 4, Access::kWrite));
  CHECK_EQ(g.bus.log.size(), 4);
  bounce_commit(g.v);
  CHECK_EQ(g.bus.log.size(), 5);
}

void rom() {
  Guest g;
  g.long_mode();
  g.map(0x7000000000, kRomBase | kP | kRw | kD);
  CHECK(mem_write(g.v, kDS, 0x7000000000, 4, 0x11));
  u64 value;
  CHECK(mem_read(g.v, kDS, 0x7000000000, 4, value));
  CHECK_EQ(value, 0);
}

void limits() {
  Guest g;
  g.protected_mode();
  u64 value;
  g.gdt(0x30, 0x10000, 0xfff, 0x493);  // expand-up, 4 KiB
  CHECK(load_segment(g.v, kDS, 0x30));
  CHECK(mem_read(g.v, kDS, 0xffc, 4, value));
  CHECK(!mem_read(g.v, kDS, 0xffd, 4, value));
  CHECK_EQ(g.v.exception.vector, kGP);
  g.gdt(0x30, 0x10000, 0xfff, 0x497);  // expand-down: above 0xfff only
  CHECK(load_segment(g.v, kES, 0x30));
  CHECK(!mem_read(g.v, kES, 0xffc, 4, value));
  CHECK(mem_read(g.v, kES, 0x1000, 4, value));
  CHECK(!mem_read(g.v, kES, 0xfffffffe, 4, value));
  CHECK_EQ(g.v.seg[kES].fast_ok, 0);
  g.gdt(0x30, 0, 0xfffff, 0xc91);  // read-only
  CHECK(load_segment(g.v, kFS, 0x30));
  CHECK(mem_read(g.v, kFS, 0x5000, 4, value));
  CHECK(!mem_write(g.v, kFS, 0x5000, 4, value));
  CHECK_EQ(g.v.seg[kFS].fast_read_only, 1);
  CHECK(load_segment(g.v, kGS, 0));  // null
  CHECK(!mem_read(g.v, kGS, 0, 1, value));
  CHECK_EQ(g.v.exception.vector, kGP);
  g.v.seg[kSS].limit = 0xff;
  CHECK(!mem_read(g.v, kSS, 0x100, 1, value));
  CHECK_EQ(g.v.exception.vector, kSSx);
  CHECK(!mem_write(g.v, kCS, 0x100, 1, value));
  g.v.exception = PendingException{};
}

void canonical_and_alignment() {
  Guest g;
  g.long_mode();
  u64 value;
  CHECK(!mem_read(g.v, kDS, 0x7fffffffffff, 2, value));
  CHECK_EQ(g.v.exception.vector, kGP);
  CHECK(!mem_read(g.v, kSS, 0x8000000000000000, 1, value));
  CHECK_EQ(g.v.exception.vector, kSSx);
  g.v.seg[kGS].base = 0x5000;
  g.store(0x5010, 77);
  CHECK(mem_read(g.v, kGS, 0x10, 8, value));
  CHECK_EQ(value, 77);
  g.v.cr0 |= kCr0AM;
  g.v.rflags |= kFlagAC;
  CHECK(mem_read(g.v, kDS, 0x5001, 4, value));  // not at CPL 0
  g.user();
  CHECK(!mem_read(g.v, kDS, 0x5001, 4, value));
  CHECK_EQ(g.v.exception.vector, kAC);
  g.v.exception = PendingException{};
  CHECK(mem_read(g.v, kDS, 0x5001, 1, value));
  CHECK(slow_access(g.v, 0x5002, 4, Access::kRead).kind == SlowAccess::kFault);
  g.v.exception = PendingException{};
}

void slots() {
  PhysMemory m;
  u8 host[1];
  CHECK(m.add({0x10000, 0x2000, host, false}));
  CHECK(m.add({0x0, 0x1000, host, false}));
  CHECK(!m.add({0x11000, 0x1000, host, false}));  // overlaps
  CHECK(!m.add({0x20800, 0x1000, host, false}));  // not aligned
  CHECK(!m.add({0x20000, 0, host, false}));
  CHECK(m.find(0xfff) != nullptr && m.find(0x1000) == nullptr && m.find(0x11fff) != nullptr &&
        m.find(0x12000) == nullptr);
  CHECK(m.remove(0x10000) && !m.remove(0x10000));
  CHECK_EQ(m.count(), 1);
}

}  // namespace

void access_tests() {
  crossing();
  mmio();
  rom();
  limits();
  canonical_and_alignment();
  slots();
}

}  // namespace rz::test
