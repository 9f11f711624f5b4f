// 8259A pair: programming, priorities, EOI forms, cascade, spurious requests.
#include "irq_test.h"

using namespace rz;
using namespace rz::test;

TEST("a PIC line raises the vector of its base and number, until acknowledged") {
  TestMachine m;
  m.init_pics(0x20, 0x28);
  CHECK_EQ(m.take(), -1);
  m.irq->set_line(4, true);
  CHECK((m.attention() & kAttnInterrupt) != 0);
  CHECK_EQ(m.take(), 0x24);
  CHECK_EQ(m.take(), -1);  // in service, and an edge counts once
  m.out(0x20, 0x0B);
  CHECK_EQ(m.in(0x20), 0x10);  // ISR
  m.out(0x20, 0x20);
  CHECK_EQ(m.in(0x20), 0);
  CHECK_EQ(m.take(), -1);
  m.irq->set_line(4, false);
  m.irq->set_line(4, true);
  CHECK_EQ(m.take(), 0x24);
}

TEST("a masked PIC line waits in IRR until unmasked") {
  TestMachine m;
  m.init_pics();
  m.out(0x21, 0x08);
  CHECK_EQ(m.in(0x21), 0x08);
  m.irq->set_line(3, true);
  CHECK_EQ(m.take(), -1);
  m.out(0x20, 0x0A);
  CHECK_EQ(m.in(0x20), 0x08);
  m.out(0x21, 0);
  CHECK_EQ(m.take(), 0x23);
}

TEST("lower PIC inputs have priority and nest over higher ones") {
  TestMachine m;
  m.init_pics();
  m.irq->set_line(5, true);
  m.irq->set_line(1, true);
  CHECK_EQ(m.take(), 0x21);
  CHECK_EQ(m.take(), -1);  // 5 waits for 1's EOI
  m.out(0x20, 0x20);
  CHECK_EQ(m.take(), 0x25);
  m.irq->set_line(3, true);
  CHECK_EQ(m.take(), 0x23);  // nests over 5
  m.out(0x20, 0x20);         // non-specific: ends 3, the highest in service
  m.out(0x20, 0x0B);
  CHECK_EQ(m.in(0x20), 0x20);
  m.out(0x20, 0x65);  // specific EOI of 5
  CHECK_EQ(m.in(0x20), 0);
}

TEST("a slave PIC interrupt goes through the cascade and needs both EOIs") {
  TestMachine m;
  m.init_pics(0x20, 0x70);
  m.irq->set_line(14, true);
  CHECK_EQ(m.take(), 0x76);
  m.out(0x20, 0x0B);
  m.out(0xA0, 0x0B);
  CHECK_EQ(m.in(0x20), 0x04);
  CHECK_EQ(m.in(0xA0), 0x40);
  m.irq->set_line(12, true);  // higher on the slave, but the master's input 2 is in service
  CHECK_EQ(m.take(), -1);
  m.out(0xA0, 0x20);
  m.out(0x20, 0x20);
  CHECK_EQ(m.take(), 0x74);
}

TEST("special fully nested mode lets a higher slave request through") {
  TestMachine m;
  m.init_pics(0x20, 0x28, 0x11);
  m.irq->set_line(14, true);
  CHECK_EQ(m.take(), 0x2E);
  m.irq->set_line(12, true);
  CHECK_EQ(m.take(), 0x2C);
  m.irq->set_line(15, true);
  CHECK_EQ(m.take(), -1);
}

TEST("an acknowledge without a request gives the spurious vector and sets no in-service bit") {
  PicPair pic([](void*, bool) {}, nullptr);
  auto init = [&](u16 port, u8 base) {
    pic.write(port, 0x11);
    pic.write(port + 1, base);
    pic.write(port + 1, 0);
    pic.write(port + 1, 1);
  };
  init(0x20, 0x20);
  init(0xA0, 0x28);
  CHECK_EQ(pic.acknowledge(), 0x27);
  pic.write(0x20, 0x0B);
  CHECK_EQ(pic.read(0x20), 0);
  // A level-triggered slave line that drops after the slave's request was latched at the master: IRQ 15.
  pic.write(0x4D1, 0x02);
  pic.set_line(9, true);
  CHECK(pic.output());
  pic.set_line(9, false);
  CHECK_EQ(pic.acknowledge(), 0x2F);
  pic.write(0xA0, 0x0B);
  CHECK_EQ(pic.read(0xA0), 0);
  CHECK_EQ(pic.read(0x20), 0x04);  // the master did serve its input 2
}

TEST("automatic EOI leaves nothing in service, and rotates when asked") {
  TestMachine m;
  m.init_pics(0x20, 0x28, 3);
  m.irq->set_line(1, true);
  CHECK_EQ(m.take(), 0x21);
  m.out(0x20, 0x0B);
  CHECK_EQ(m.in(0x20), 0);
  m.out(0x20, 0x80);  // rotate in automatic EOI
  m.irq->set_line(3, true);
  CHECK_EQ(m.take(), 0x23);  // now 4 is highest, 3 lowest
  m.irq->set_line(1, false);
  m.irq->set_line(1, true);
  m.irq->set_line(5, true);
  CHECK_EQ(m.take(), 0x25);
  CHECK_EQ(m.take(), 0x21);
}

TEST("rotate on EOI and set priority turn the order") {
  TestMachine m;
  m.init_pics();
  m.irq->set_line(1, true);
  CHECK_EQ(m.take(), 0x21);
  m.out(0x20, 0xA0);  // rotate on non-specific EOI: 1 is lowest now
  m.irq->set_line(1, false);
  m.irq->set_line(1, true);
  m.irq->set_line(7, true);
  CHECK_EQ(m.take(), 0x27);
  m.out(0x20, 0x67);
  m.out(0x20, 0xC0);  // set priority: 0 lowest, 1 highest
  m.irq->set_line(3, true);
  CHECK_EQ(m.take(), 0x21);
}

TEST("special mask mode lets lower inputs in while a masked one is in service") {
  TestMachine m;
  m.init_pics();
  m.irq->set_line(1, true);
  CHECK_EQ(m.take(), 0x21);
  m.irq->set_line(6, true);
  CHECK_EQ(m.take(), -1);
  m.out(0x21, 0x02);
  m.out(0x20, 0x68);
  CHECK_EQ(m.take(), 0x26);
  m.out(0x20, 0x20);  // non-specific EOI passes over the masked input
  m.out(0x20, 0x0B);
  CHECK_EQ(m.in(0x20), 0x02);
  m.out(0x20, 0x48);
}

TEST("poll mode reads and serves the highest request") {
  TestMachine m;
  m.init_pics();
  m.out(0x20, 0x0C);
  CHECK_EQ(m.in(0x20), 0);
  m.irq->set_line(6, true);
  m.out(0x20, 0x0C);
  CHECK_EQ(m.in(0x20), 0x86);
  CHECK_EQ(m.take(), -1);
  m.out(0x20, 0x0B);
  CHECK_EQ(m.in(0x20), 0x40);
}

TEST("a level-triggered PIC line raises again after EOI while asserted, and edge-only inputs refuse the mode") {
  TestMachine m;
  m.init_pics();
  m.out(0x4D0, 0xFF);
  m.out(0x4D1, 0xFF);
  CHECK_EQ(m.in(0x4D0), 0xF8);
  CHECK_EQ(m.in(0x4D1), 0xDE);
  m.irq->set_line(5, true);
  CHECK_EQ(m.take(), 0x25);
  CHECK_EQ(m.take(), -1);
  m.out(0x20, 0x20);
  CHECK_EQ(m.take(), 0x25);
  m.irq->set_line(5, false);
  m.out(0x20, 0x20);
  CHECK_EQ(m.take(), -1);
}

TEST("INTR that fell before the acknowledge is no interrupt") {
  TestMachine m;
  m.init_pics();
  m.out(0x4D0, 0x20);
  m.irq->set_line(5, true);
  CHECK(m.irq->has_interrupt(m.cpu()));
  m.irq->set_line(5, false);
  CHECK(!m.irq->has_interrupt(m.cpu()));
  CHECK_EQ(m.irq->acknowledge(m.cpu()), -1);
}

TEST("LINT0 gates the PIC, and a disabled local APIC passes it straight through") {
  TestMachine m;
  m.init_pics();
  m.enable_apics();
  m.irq->set_line(4, true);
  m.apic(0x350, 0x10700, 0);  // mask LINT0
  CHECK_EQ(m.take(), -1);
  m.apic(0x350, 0x00700, 0);
  CHECK(m.irq->has_interrupt(m.cpu()));
  m.apic(0x350, 0x10700, 0);
  CHECK(m.irq->msr_write(m.cpu(), 0x1B, kApicDefaultBase | kApicBaseBsp));
  CHECK_EQ(m.take(), 0x24);
}

TEST("LINT0 in fixed mode turns the rise of INTR into its vector") {
  TestMachine m;
  m.init_pics(0x20, 0x28, 3);
  m.enable_apics();
  m.apic(0x350, 0x00061, 0);
  m.irq->set_line(4, true);
  CHECK_EQ(m.take(), 0x61);
}

TEST("IOAPIC pin 0 in ExtINT mode fetches the vector from the PIC") {
  TestMachine m;
  m.init_pics();
  m.enable_apics();
  m.apic(0x350, 0x10000, 0);
  m.redirect(0, 0x00700, 0);
  m.irq->set_line(4, true);
  m.irq->set_line(7, true);
  CHECK_EQ(m.take(), 0x24);
  CHECK_EQ(m.take(), -1);
  m.out(0x20, 0x20);
  CHECK_EQ(m.take(), 0x27);
}
