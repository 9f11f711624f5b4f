// IOAPIC: registers, edge and level delivery, remote IRR, EOI.
#include "irq_test.h"

using namespace rz;
using namespace rz::test;

TEST("IOAPIC registers read back what may be written") {
  TestMachine m;
  CHECK_EQ(m.ioapic(1), 0x00170011);
  m.ioapic(0, 0xFF000000);
  CHECK_EQ(m.ioapic(0), 0x0F000000);
  CHECK_EQ(m.ioapic(0x10), 0x00010000);
  m.redirect(0, 0xFFFFFFFF, 0xAB);
  CHECK_EQ(m.ioapic(0x10), 0x0001AFFF);  // delivery status and remote IRR are read-only
  CHECK_EQ(m.ioapic(0x11), 0xAB000000);
  CHECK_EQ(m.ioapic(0x40), 0);
}

TEST("an edge pin delivers each rise once, and a masked rise is lost") {
  TestMachine m;
  m.enable_apics();
  m.redirect(20, 0x00050, 0);
  m.irq->set_line(20, true);
  m.irq->set_line(20, true);
  CHECK_EQ(m.take(), 0x50);
  m.apic(0xB0, 0, 0);
  CHECK_EQ(m.take(), -1);
  m.irq->set_line(20, false);
  m.redirect(20, 0x10050, 0);
  m.irq->set_line(20, true);
  m.redirect(20, 0x00050, 0);
  CHECK_EQ(m.take(), -1);
}

TEST("a level pin keeps remote IRR until EOI and delivers again while asserted") {
  TestMachine m;
  m.enable_apics();
  m.redirect(17, 0x08061, 0);
  m.irq->set_line(17, true);
  CHECK_EQ(m.ioapic(0x10 + 34) & 0x4000, 0x4000);
  CHECK_EQ(m.take(), 0x61);
  CHECK_EQ(m.take(), -1);
  m.apic(0xB0, 0, 0);
  CHECK_EQ(m.take(), 0x61);  // still asserted
  m.irq->set_line(17, false);
  m.apic(0xB0, 0, 0);
  CHECK_EQ(m.take(), -1);
  CHECK_EQ(m.ioapic(0x10 + 34) & 0x4000, 0);
}

TEST("a level pin masked while asserted delivers when unmasked") {
  TestMachine m;
  m.enable_apics();
  m.redirect(17, 0x18061, 0);
  m.irq->set_line(17, true);
  CHECK_EQ(m.take(), -1);
  m.redirect(17, 0x08061, 0);
  CHECK_EQ(m.take(), 0x61);
}

TEST("version 11h has no EOI register, and flipping to edge clears remote IRR") {
  TestMachine m;
  m.enable_apics();
  m.redirect(17, 0x08061, 0);
  m.irq->set_line(17, true);
  m.irq->set_line(17, false);
  CHECK_EQ(m.ioapic(0x10 + 34) & 0x4000, 0x4000);
  CHECK(m.irq->mmio_write(m.cpu(), kIoapicBase + 0x40, 4, 0x61));
  CHECK_EQ(m.ioapic(0x10 + 34) & 0x4000, 0x4000);
  m.redirect(17, 0x10061, 0);
  m.redirect(17, 0x18061, 0);
  CHECK_EQ(m.ioapic(0x10 + 34) & 0x4000, 0);
}

TEST("lines below 16 reach both controllers, the timer's reaches pin 2, and platform lines refuse drivers") {
  TestMachine m;
  m.enable_apics();
  m.init_pics();
  m.redirect(4, 0x00054, 0);
  m.redirect(2, 0x00052, 0);
  m.irq->set_line(0, true);
  m.irq->set_line(2, true);
  m.irq->set_line(24, true);
  CHECK_EQ(m.take(), -1);
  m.irq->set_line(4, true);
  CHECK_EQ(m.take(), 0x24);
  CHECK_EQ(m.take(), 0x54);
  m.apic(0xB0, 0, 0);
  m.out(0x20, 0x20);
  m.out(0x43, 0x34);
  m.out(0x40, 100);
  m.out(0x40, 0);
  while (m.take() >= 0) {
    m.apic(0xB0, 0, 0);
    m.out(0x20, 0x20);
  }
  m.tick(100'000);
  CHECK_EQ(m.take(), 0x20);
  CHECK_EQ(m.take(), 0x52);
}

TEST("logical and lowest-priority destinations pick the right processors") {
  TestMachine m(4);
  m.enable_apics();
  for (unsigned i = 0; i < 4; ++i) m.apic(0xD0, 1u << (24 + i), i);
  m.redirect(20, 0x00850, 0x0A);  // flat: 1 and 3
  m.irq->set_line(20, true);
  for (unsigned i = 0; i < 4; ++i) CHECK_EQ(m.take(i), i == 1 || i == 3 ? 0x50 : -1);
  m.irq->set_line(20, false);
  for (unsigned i = 0; i < 4; ++i) m.apic(0xB0, 0, i);
  m.irq->set_tpr(m.cpu(0), 3);
  m.irq->set_tpr(m.cpu(1), 2);
  m.irq->set_tpr(m.cpu(2), 1);
  m.irq->set_tpr(m.cpu(3), 0);
  m.redirect(20, 0x00950, 0x07);  // lowest priority among 0, 1, 2
  m.irq->set_line(20, true);
  for (unsigned i = 0; i < 4; ++i) CHECK_EQ(m.take(i), i == 2 ? 0x50 : -1);
}

TEST("cluster model destinations match cluster and member") {
  TestMachine m(3);
  m.enable_apics();
  const u32 logical_ids[3] = {0x11, 0x12, 0x21};
  for (unsigned i = 0; i < 3; ++i) {
    m.apic(0xE0, 0x0FFFFFFF, i);
    m.apic(0xD0, logical_ids[i] << 24, i);
  }
  CHECK(m.irq->msi(0xFEE00000 | 0x13 << 12 | 4, 0x55));
  CHECK_EQ(m.take(0), 0x55);
  CHECK_EQ(m.take(1), 0x55);
  CHECK_EQ(m.take(2), -1);
}

TEST("MSI messages decode destination, mode and vector, and other addresses are refused") {
  TestMachine m(2);
  m.enable_apics();
  CHECK(m.irq->msi(0xFEE01000, 0x77));
  CHECK_EQ(m.take(0), -1);
  CHECK_EQ(m.take(1), 0x77);
  CHECK(!m.irq->msi(0xFED01000, 0x77));
  CHECK(!m.irq->msi(0xFEE01000, 0x377));
  m.attention(0);
  CHECK(m.irq->msi(0xFEE00000, 0x400));
  CHECK_EQ(m.attention(0) & kAttnNmi, kAttnNmi);
  CHECK(m.irq->msi(0xFEEFF000, 0x78));  // broadcast
  m.apic(0xB0, 0, 1);
  CHECK_EQ(m.take(0), 0x78);
  CHECK_EQ(m.take(1), 0x78);
}
