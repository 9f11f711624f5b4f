// Test registry and fixtures of engine_irq_test: a machine of N vCPUs whose clock is turned by hand.
#pragma once

#include <cstdio>
#include <memory>
#include <vector>

#include "irq/platform.h"

namespace rz::test {

struct Case {
  const char* name;  // a full sentence
  void (*run)();
};
std::vector<Case>& cases();
/// Record a failed check of the running case.
void fail(const char* file, int line, const char* what, unsigned long long got, unsigned long long want);

struct Register {
  Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};
#define RZ_JOIN2(a, b) a##b
#define RZ_JOIN(a, b) RZ_JOIN2(a, b)
#define TEST(name)                                                                          \
  static void RZ_JOIN(test_, __LINE__)();                                                   \
  static ::rz::test::Register RZ_JOIN(register_, __LINE__){name, RZ_JOIN(test_, __LINE__)}; \
  static void RZ_JOIN(test_, __LINE__)()
#define CHECK_EQ(got, want)                                                                                \
  do {                                                                                                     \
    auto rz_got = (got);                                                                                   \
    auto rz_want = static_cast<decltype(rz_got)>(want);                                                    \
    if (rz_got != rz_want)                                                                                 \
      ::rz::test::fail(__FILE__, __LINE__, #got, (unsigned long long)rz_got, (unsigned long long)rz_want); \
  } while (0)
#define CHECK(condition) CHECK_EQ(static_cast<bool>(condition), true)

struct FakeClock {
  u64 ns = 1'000'000'000;
  u64 tsc = 5'000'000'000;
  /// Advance by ns; the TSC runs at 2 GHz.
  void advance(u64 by_ns) {
    ns += by_ns;
    tsc += 2 * by_ns;
  }
  Clock clock() {
    return {[](void* c) { return static_cast<FakeClock*>(c)->ns; },
            [](void* c) { return static_cast<FakeClock*>(c)->tsc; }, this};
  }
};

struct TestMachine {
  explicit TestMachine(unsigned vcpu_count = 1) {
    for (unsigned i = 0; i < vcpu_count; ++i) {
      storage.push_back(std::make_unique<Vcpu>());
      storage.back()->index = i;
      storage.back()->machine = &machine;
      machine.vcpus.push_back(storage.back().get());
    }
    machine.tsc_hz = 2'000'000'000;
    irq = std::make_unique<IrqPlatform>(machine, time.clock());
    machine.irq = irq.get();
  }

  Vcpu& cpu(unsigned i = 0) { return *machine.vcpus[i]; }
  /// Advance the clock and run the timers of vCPU 0, `times` times.
  void tick(u64 by_ns, unsigned vcpu = 0) {
    time.advance(by_ns);
    irq->run_timers(cpu(vcpu));
  }
  u8 in(u16 port) {
    u64 value = 0;
    CHECK(irq->io_read(port, 1, value));
    return static_cast<u8>(value);
  }
  void out(u16 port, u8 value) { CHECK(irq->io_write(port, 1, value)); }
  u32 apic(unsigned offset, unsigned vcpu = 0) {
    u64 value = 0;
    CHECK(irq->mmio_read(cpu(vcpu), kApicDefaultBase + offset, 4, value));
    return static_cast<u32>(value);
  }
  void apic(unsigned offset, u32 value, unsigned vcpu) {
    CHECK(irq->mmio_write(cpu(vcpu), kApicDefaultBase + offset, 4, value));
  }
  u32 ioapic(unsigned index) {
    u64 value = 0;
    CHECK(irq->mmio_write(cpu(), kIoapicBase, 4, index));
    CHECK(irq->mmio_read(cpu(), kIoapicBase + 0x10, 4, value));
    return static_cast<u32>(value);
  }
  void ioapic(unsigned index, u32 value) {
    CHECK(irq->mmio_write(cpu(), kIoapicBase, 4, index));
    CHECK(irq->mmio_write(cpu(), kIoapicBase + 0x10, 4, value));
  }
  /// Program redirection entry `pin`.
  void redirect(unsigned pin, u32 low, u8 destination) {
    ioapic(0x10 + pin * 2 + 1, static_cast<u32>(destination) << 24);
    ioapic(0x10 + pin * 2, low);
  }
  /// Software-enable every local APIC with spurious vector FFh.
  void enable_apics() {
    for (unsigned i = 0; i < machine.vcpus.size(); ++i) apic(0xF0, 0x1FF, i);
  }
  /// The vector that the vCPU would take now, or -1.
  int take(unsigned vcpu = 0) { return irq->has_interrupt(cpu(vcpu)) ? irq->acknowledge(cpu(vcpu)) : -1; }
  u32 attention(unsigned vcpu = 0) { return cpu(vcpu).attention.exchange(0); }
  /// Program both 8259s as firmware does: bases, cascade, 8086 mode; everything unmasked.
  void init_pics(u8 master_base = 0x20, u8 slave_base = 0x28, u8 icw4 = 1) {
    out(0x20, 0x11);
    out(0x21, master_base);
    out(0x21, 4);
    out(0x21, icw4);
    out(0xA0, 0x11);
    out(0xA1, slave_base);
    out(0xA1, 2);
    out(0xA1, icw4);
    out(0x21, 0);
    out(0xA1, 0);
  }

  FakeClock time;
  Machine machine;
  std::vector<std::unique_ptr<Vcpu>> storage;
  std::unique_ptr<IrqPlatform> irq;
};

}  // namespace rz::test
