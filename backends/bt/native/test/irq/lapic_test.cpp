// Local APIC: priorities, EOI, IPIs, modes, timer.
#include "irq_test.h"

using namespace rz;
using namespace rz::test;

namespace {

constexpr unsigned kTpr = 0x80, kPpr = 0xA0, kEoi = 0xB0, kSvr = 0xF0, kEsr = 0x280, kIcr = 0x300, kIcr2 = 0x310,
                   kTimer = 0x320, kInitial = 0x380, kCurrent = 0x390, kDivide = 0x3E0;

void self_ipi(TestMachine& m, u8 vector, unsigned vcpu = 0) { m.apic(kIcr, 0x44000u | vector, vcpu); }

}  // namespace

TEST("higher vectors are taken first, and lower classes wait for the EOI") {
  TestMachine m;
  m.enable_apics();
  self_ipi(m, 0x31);
  self_ipi(m, 0x45);
  self_ipi(m, 0x42);
  CHECK_EQ(m.take(), 0x45);
  CHECK_EQ(m.apic(kPpr), 0x40);
  CHECK_EQ(m.take(), -1);  // 42h is of the same class
  self_ipi(m, 0x51);
  CHECK_EQ(m.take(), 0x51);  // nests
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.take(), -1);
  m.attention();
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.attention() & kAttnInterrupt, kAttnInterrupt);
  CHECK_EQ(m.take(), 0x42);
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.take(), 0x31);
  CHECK_EQ(m.apic(0x110), 1u << 17);
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.apic(kPpr), 0);
}

TEST("TPR and CR8 are one register and hold back their class and those below") {
  TestMachine m;
  m.enable_apics();
  m.irq->set_tpr(m.cpu(), 4);
  CHECK_EQ(m.apic(kTpr), 0x40);
  self_ipi(m, 0x4F);
  CHECK_EQ(m.take(), -1);
  m.attention();
  m.apic(kTpr, 0x3F, 0);
  CHECK_EQ(m.irq->tpr(m.cpu()), 3);
  CHECK_EQ(m.cpu().cr8, 3);
  CHECK_EQ(m.attention() & kAttnInterrupt, kAttnInterrupt);
  CHECK_EQ(m.take(), 0x4F);
  CHECK_EQ(m.apic(kPpr), 0x40);
}

TEST("IRR, TMR and ISR show the life of a request") {
  TestMachine m;
  m.enable_apics();
  self_ipi(m, 0x85);
  CHECK_EQ(m.apic(0x240), 1u << 5);
  CHECK_EQ(m.apic(0x140), 0);
  CHECK_EQ(m.take(), 0x85);
  CHECK_EQ(m.apic(0x240), 0);
  CHECK_EQ(m.apic(0x140), 1u << 5);
  m.redirect(20, 0x08085, 0);
  m.irq->set_line(20, true);
  CHECK_EQ(m.apic(0x1C0), 1u << 5);  // TMR
}

TEST("a software-disabled APIC refuses fixed interrupts and masks its LVT, but takes NMI and INIT") {
  TestMachine m(2);
  m.enable_apics();
  m.apic(kSvr, 0xFF, 1);
  CHECK_EQ(m.apic(0x320, 1) & 0x10000, 0x10000);
  m.apic(0x320, 0x50, 1);
  CHECK_EQ(m.apic(0x320, 1), 0x10050);
  m.attention(1);
  m.apic(kIcr2, 1u << 24, 0);
  m.apic(kIcr, 0x4050, 0);
  CHECK_EQ(m.take(1), -1);
  m.apic(kIcr, 0x4400, 0);
  CHECK_EQ(m.attention(1), kAttnNmi);
  m.apic(kIcr, 0xC500, 0);
  CHECK_EQ(m.attention(1), kAttnInit);
  m.apic(kIcr, 0x8500, 0);  // INIT level de-assert: nothing
  CHECK_EQ(m.attention(1), 0);
  m.apic(kIcr, 0x4699, 0);
  CHECK_EQ(m.attention(1), kAttnSipi);
  CHECK_EQ(m.irq->startup_vector(m.cpu(1)), 0x99);
}

TEST("IPI shorthands reach self, all, and all others") {
  TestMachine m(4);
  m.enable_apics();
  m.apic(kIcr, 0x44061, 2);
  for (unsigned i = 0; i < 4; ++i) CHECK_EQ(m.take(i), i == 2 ? 0x61 : -1);
  m.apic(kEoi, 0, 2);
  m.apic(kIcr, 0x84062, 2);
  for (unsigned i = 0; i < 4; ++i) {
    CHECK_EQ(m.take(i), 0x62);
    m.apic(kEoi, 0, i);
  }
  m.apic(kIcr, 0xC4063, 2);
  for (unsigned i = 0; i < 4; ++i) CHECK_EQ(m.take(i), i == 2 ? -1 : 0x63);
}

TEST("illegal vectors set ESR after the write that latches it, and raise the error interrupt once") {
  TestMachine m;
  m.enable_apics();
  m.apic(0x370, 0x66, 0);
  self_ipi(m, 5);
  CHECK_EQ(m.take(), 0x66);
  CHECK_EQ(m.apic(kEsr), 0);
  m.apic(kEsr, 0, 0);
  CHECK_EQ(m.apic(kEsr), 0x20);
  m.apic(kEsr, 0, 0);
  CHECK_EQ(m.apic(kEsr), 0);
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.apic(0x040), 0);  // reserved register
  CHECK_EQ(m.take(), 0x66);
  m.apic(kEsr, 0, 0);
  CHECK_EQ(m.apic(kEsr), 0x80);
}

TEST("IA32_APIC_BASE refuses reserved bits and illegal mode changes, and moves the page") {
  TestMachine m;
  Vcpu& cpu = m.cpu();
  u64 value = 0;
  CHECK(m.irq->msr_read(cpu, 0x1B, value));
  CHECK_EQ(value, 0xFEE00900ull);
  CHECK(!m.irq->msr_write(cpu, 0x1B, 0xFEE00901));
  CHECK(!m.irq->msr_write(cpu, 0x1B, 0xFEE00500));  // x2APIC without enable
  CHECK(m.irq->msr_write(cpu, 0x1B, 0xFED00900));
  CHECK(!m.irq->mmio_read(cpu, 0xFEE00030, 4, value));
  CHECK(m.irq->mmio_read(cpu, 0xFED00030, 4, value));
  CHECK_EQ(value, 0x50014);
  CHECK(m.irq->msr_write(cpu, 0x1B, 0xFEE00D00));
  CHECK(!m.irq->mmio_read(cpu, 0xFEE00030, 4, value));  // no page in x2APIC mode
  CHECK(!m.irq->msr_write(cpu, 0x1B, 0xFEE00900));
  CHECK(m.irq->msr_write(cpu, 0x1B, 0xFEE00100));
  CHECK(!m.irq->msr_write(cpu, 0x1B, 0xFEE00D00));
  CHECK(m.irq->msr_write(cpu, 0x1B, 0xFEE00900));
}

TEST("x2APIC MSRs give 32-bit IDs, a 64-bit ICR and self IPI, and #GP where the manual says so") {
  TestMachine m(2);
  u64 value = 0;
  CHECK(!m.irq->msr_read(m.cpu(0), 0x802, value));  // not in x2APIC mode yet
  for (unsigned i = 0; i < 2; ++i) {
    CHECK(m.irq->msr_write(m.cpu(i), 0x1B, 0xFEE00C00 | (i == 0 ? 0x100 : 0)));
    CHECK(m.irq->msr_write(m.cpu(i), 0x80F, 0x1FF));
  }
  CHECK(m.irq->msr_read(m.cpu(1), 0x802, value));
  CHECK_EQ(value, 1);
  CHECK(m.irq->msr_read(m.cpu(1), 0x80D, value));
  CHECK_EQ(value, 2);
  CHECK(!m.irq->msr_write(m.cpu(1), 0x802, 0));  // read-only
  CHECK(!m.irq->msr_write(m.cpu(1), 0x80D, 0));
  CHECK(!m.irq->msr_read(m.cpu(1), 0x80E, value));  // DFR is gone
  CHECK(!m.irq->msr_read(m.cpu(1), 0x831, value));  // and ICR2
  CHECK(!m.irq->msr_write(m.cpu(1), 0x80B, 1));
  CHECK(!m.irq->msr_write(m.cpu(1), 0x808, 0x100));
  CHECK(!m.irq->msr_write(m.cpu(1), 0x80F, 1ull << 32));
  CHECK(m.irq->msr_write(m.cpu(0), 0x830, 1ull << 32 | 0x4071));
  CHECK_EQ(m.take(1), 0x71);
  CHECK(m.irq->msr_read(m.cpu(0), 0x830, value));
  CHECK_EQ(value, 1ull << 32 | 0x4071);
  CHECK(m.irq->msr_write(m.cpu(1), 0x80B, 0));
  CHECK(m.irq->msr_write(m.cpu(0), 0x830, 2ull << 32 | 0x4872));  // logical: bit 1 of cluster 0
  CHECK_EQ(m.take(1), 0x72);
  CHECK_EQ(m.take(0), -1);
  CHECK(m.irq->msr_write(m.cpu(0), 0x830, 0xFFFFFFFFull << 32 | 0x4082));
  CHECK_EQ(m.take(0), 0x82);
  CHECK_EQ(m.take(1), 0x82);
  CHECK(m.irq->msr_write(m.cpu(0), 0x83F, 0x93));
  CHECK_EQ(m.take(0), 0x93);
  CHECK(!m.irq->msr_read(m.cpu(0), 0x83F, value));
  CHECK(!m.irq->msr_read(m.cpu(0), 0x840, value));
}

TEST("the one-shot timer counts down at its divider and fires once") {
  TestMachine m;
  m.enable_apics();
  m.apic(kDivide, 0x3, 0);  // by 16
  m.apic(kTimer, 0x40, 0);
  m.apic(kInitial, 1000, 0);  // 16 us
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu()), m.time.ns + 16'000);
  m.tick(4'000);
  CHECK_EQ(m.apic(kCurrent), 750);
  CHECK_EQ(m.take(), -1);
  m.tick(12'000);
  CHECK_EQ(m.apic(kCurrent), 0);
  CHECK_EQ(m.take(), 0x40);
  m.apic(kEoi, 0, 0);
  m.tick(1'000'000);
  CHECK_EQ(m.take(), -1);
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu()), kNever);
}

TEST("every divider code gives its divisor") {
  TestMachine m;
  m.enable_apics();
  const u32 codes[8] = {0xB, 0, 1, 2, 3, 8, 9, 0xA};
  for (unsigned i = 0; i < 8; ++i) {
    m.apic(kDivide, codes[i], 0);
    m.apic(kInitial, 1000, 0);
    CHECK_EQ(m.irq->next_deadline_ns(m.cpu()) - m.time.ns, 1000ull << i);
  }
}

TEST("the periodic timer keeps its phase, and merges ticks that nobody served") {
  TestMachine m;
  m.enable_apics();
  m.apic(kDivide, 0xB, 0);
  m.apic(kTimer, 0x20041, 0);
  m.apic(kInitial, 1'000'000, 0);
  const u64 start = m.time.ns;
  m.tick(1'000'300);
  CHECK_EQ(m.take(), 0x41);
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu()), start + 2'000'000);
  m.tick(3'500'000);
  CHECK_EQ(m.take(), 0x41);
  m.apic(kEoi, 0, 0);
  CHECK_EQ(m.take(), -1);
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu()), start + 5'000'000);
  CHECK_EQ(m.apic(kCurrent), 499'700);
  m.apic(kInitial, 0, 0);
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu()), kNever);
}

TEST("a masked timer counts without interrupting") {
  TestMachine m;
  m.enable_apics();
  m.apic(kDivide, 0xB, 0);
  m.apic(kTimer, 0x10041, 0);
  m.apic(kInitial, 100'000, 0);
  m.tick(200'000);
  CHECK_EQ(m.take(), -1);
  CHECK_EQ(m.apic(kCurrent), 0);
}

TEST("TSC-deadline mode fires when the guest's TSC is there, and not when only the other clock is") {
  TestMachine m;
  m.enable_apics();
  Vcpu& cpu = m.cpu();
  u64 value = 1;
  CHECK(m.irq->msr_write(cpu, 0x6E0, 123));  // ignored outside the mode
  CHECK(m.irq->msr_read(cpu, 0x6E0, value));
  CHECK_EQ(value, 0);
  m.apic(kTimer, 0x40042, 0);
  cpu.msr.tsc_offset = static_cast<u64>(-1'000'000);
  const u64 guest_now = m.time.tsc - 1'000'000;
  CHECK(m.irq->msr_write(cpu, 0x6E0, guest_now + 2'000'000));  // 1 ms at 2 GHz
  CHECK(m.irq->msr_read(cpu, 0x6E0, value));
  CHECK_EQ(value, guest_now + 2'000'000);
  CHECK_EQ(m.irq->next_deadline_ns(cpu), m.time.ns + 1'000'001);
  m.time.ns += 1'000'010;  // the TSC lags behind
  m.time.tsc += 1'999'000;
  m.irq->run_timers(cpu);
  CHECK_EQ(m.take(), -1);
  CHECK_EQ(m.irq->next_deadline_ns(cpu), m.time.ns + 501);
  m.tick(501);
  CHECK_EQ(m.take(), 0x42);
  CHECK(m.irq->msr_read(cpu, 0x6E0, value));
  CHECK_EQ(value, 0);
  m.apic(kEoi, 0, 0);
  CHECK(m.irq->msr_write(cpu, 0x6E0, 1));  // long past: at once
  CHECK_EQ(m.take(), 0x42);
  m.apic(kEoi, 0, 0);
  CHECK(m.irq->msr_write(cpu, 0x6E0, m.time.tsc + 1'000'000));
  CHECK(m.irq->msr_write(cpu, 0x6E0, 0));  // disarmed
  CHECK_EQ(m.irq->next_deadline_ns(cpu), kNever);
  CHECK(m.irq->msr_write(cpu, 0x6E0, m.time.tsc + 1'000'000));
  m.apic(kTimer, 0x42, 0);  // leaving the mode disarms too
  CHECK_EQ(m.irq->next_deadline_ns(cpu), kNever);
}

TEST("a TSC that jumps re-aims the deadline") {
  TestMachine m;
  m.enable_apics();
  Vcpu& cpu = m.cpu();
  m.apic(kTimer, 0x40042, 0);
  CHECK(m.irq->msr_write(cpu, 0x6E0, m.time.tsc + 4'000'000));
  cpu.msr.tsc_offset = 3'000'000;
  m.irq->tsc_changed(cpu);
  CHECK_EQ(m.irq->next_deadline_ns(cpu), m.time.ns + 500'001);
}

TEST("INIT resets the local APIC but keeps its base and mode") {
  TestMachine m(2);
  m.enable_apics();
  m.apic(kTimer, 0x20041, 1);
  m.apic(kInitial, 1'000'000, 1);
  m.irq->set_tpr(m.cpu(1), 7);
  m.irq->init_vcpu(m.cpu(1));
  CHECK_EQ(m.apic(kSvr, 1), 0xFF);
  CHECK_EQ(m.apic(kTimer, 1), 0x10000);
  CHECK_EQ(m.apic(kTpr, 1), 0);
  CHECK_EQ(m.cpu(1).cr8, 0);
  CHECK_EQ(m.apic(0x20, 1), 1u << 24);
  CHECK_EQ(m.irq->next_deadline_ns(m.cpu(1)), kNever);
}

TEST("LINT1 delivers the platform's NMI where it is programmed so") {
  TestMachine m(2);
  m.attention(0);
  m.attention(1);
  m.irq->send_nmi();
  CHECK_EQ(m.attention(0), kAttnNmi);  // virtual wire mode after reset
  CHECK_EQ(m.attention(1), 0);         // masked
}

TEST("APIC page accesses of other widths and offsets do no harm") {
  TestMachine m;
  u64 value = 0;
  CHECK(m.irq->mmio_read(m.cpu(), kApicDefaultBase + 0x32, 1, value));
  CHECK_EQ(value, 5);
  CHECK(m.irq->mmio_read(m.cpu(), kApicDefaultBase + 0x34, 4, value));
  CHECK_EQ(value, 0);
  CHECK(m.irq->mmio_read(m.cpu(), kApicDefaultBase + 0x30, 8, value));
  CHECK_EQ(value, 0x50014);
  CHECK(m.irq->mmio_write(m.cpu(), kApicDefaultBase + 0x80, 1, 0x55));
  CHECK_EQ(m.apic(0x80), 0);
  CHECK(!m.irq->mmio_read(m.cpu(), 0xFEB00000, 4, value));
  CHECK(!m.irq->io_read(0x60, 1, value));
}
