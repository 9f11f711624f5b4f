// Sleep, wake-up and the host timer, with real threads and the real clock.
#include <pthread.h>

#include <atomic>
#include <thread>

#include "irq_test.h"

using namespace rz;
using namespace rz::test;

namespace {

struct RealMachine {
  explicit RealMachine(unsigned count = 1) {
    for (unsigned i = 0; i < count; ++i) {
      storage.push_back(std::make_unique<Vcpu>());
      storage.back()->index = i;
      storage.back()->machine = &machine;
      machine.vcpus.push_back(storage.back().get());
    }
    machine.tsc_hz = 2'000'000'000;
    irq = std::make_unique<IrqPlatform>(machine);
  }
  Vcpu& cpu(unsigned i = 0) { return *machine.vcpus[i]; }
  Machine machine;
  std::vector<std::unique_ptr<Vcpu>> storage;
  std::unique_ptr<IrqPlatform> irq;
};

constexpr u64 kPatience = 5'000'000'000;  // ns; a wake-up that takes this long was lost

}  // namespace

TEST("a sleeper wakes at its deadline") {
  auto vcpu = std::make_unique<Vcpu>();
  const u64 start = monotonic_ns();
  wait_for_attention(*vcpu, start + 3'000'000);
  const u64 slept = monotonic_ns() - start;
  CHECK(slept >= 3'000'000);
  CHECK(slept < kPatience);
  CHECK_EQ(vcpu->sleeping.load(), 0);
}

TEST("a set attention bit or a past deadline does not sleep at all") {
  auto vcpu = std::make_unique<Vcpu>();
  vcpu->request(kAttnStop);
  wait_for_attention(*vcpu, kNever);
  vcpu->attention = 0;
  wait_for_attention(*vcpu, 1);
  CHECK_EQ(vcpu->attention.load(), 0);
}

TEST("a hundred thousand hand-overs between two sleeping threads lose no wake-up") {
  auto ping = std::make_unique<Vcpu>();
  auto pong = std::make_unique<Vcpu>();
  constexpr unsigned kRounds = 100'000;
  std::atomic<unsigned> lost{0};
  auto player = [&](Vcpu& own, Vcpu& other) {
    for (unsigned i = 0; i < kRounds && lost.load(std::memory_order_relaxed) == 0; ++i) {
      wait_for_attention(own, monotonic_ns() + kPatience);
      if (own.attention.exchange(0) == 0) ++lost;
      notify(other, kAttnInterrupt);
    }
  };
  std::thread partner([&] { player(*pong, *ping); });
  ping->request(kAttnInterrupt);
  player(*ping, *pong);
  partner.join();
  CHECK_EQ(lost.load(), 0);
}

TEST("a stream of notifications against a sleeper that drains loses no bit") {
  auto vcpu = std::make_unique<Vcpu>();
  constexpr u32 kRounds = 100'000;
  std::atomic<u32> sent{0}, seen{0};
  std::atomic<bool> lost{false};
  std::thread sleeper([&] {
    while (seen.load(std::memory_order_relaxed) < kRounds) {
      wait_for_attention(*vcpu, monotonic_ns() + kPatience);
      if (vcpu->attention.exchange(0) == 0) {
        lost = true;
        break;
      }
      seen = sent.load();
    }
  });
  for (u32 i = 1; i <= kRounds; ++i) {
    sent = i;
    notify(*vcpu, kAttnInterrupt);
    if (i % 64 == 0) std::this_thread::yield();
  }
  sleeper.join();
  CHECK(!lost.load());
  CHECK_EQ(seen.load(), kRounds);
}

TEST("interrupts sent from another thread all arrive, in whatever groups") {
  RealMachine m(2);
  Vcpu& cpu = m.cpu(1);
  u64 value = 0x1FF;
  CHECK(m.irq->mmio_write(cpu, kApicDefaultBase + 0xF0, 4, value));
  constexpr u32 kRounds = 20'000;
  std::atomic<u32> handled{0};
  std::atomic<bool> lost{false};
  std::thread target([&] {
    u32 done = 0;
    while (done < kRounds && !lost) {
      if (m.irq->has_interrupt(cpu)) {
        if (m.irq->acknowledge(cpu) == 0x80) handled = ++done;
        m.irq->mmio_write(cpu, kApicDefaultBase + 0xB0, 4, 0);
        continue;
      }
      const u64 limit = monotonic_ns() + kPatience;
      wait_for_attention(cpu, limit);
      cpu.attention = 0;
      if (monotonic_ns() > limit) lost = true;
    }
  });
  for (u32 i = 0; i < kRounds && !lost; ++i) {
    m.irq->msi(0xFEE01000, 0x80);
    while (handled.load() <= i && !lost) std::this_thread::yield();
  }
  target.join();
  CHECK(!lost.load());
  CHECK_EQ(handled.load(), kRounds);
}

TEST("level lines driven from one thread and ended on another never stick") {
  RealMachine m(1);
  Vcpu& cpu = m.cpu();
  m.irq->mmio_write(cpu, kApicDefaultBase + 0xF0, 4, 0x1FF);
  m.irq->mmio_write(cpu, kIoapicBase, 4, 0x10 + 40);
  m.irq->mmio_write(cpu, kIoapicBase + 0x10, 4, 0x08090);
  constexpr u32 kRounds = 20'000;
  std::atomic<bool> line{false}, done{false};
  u32 handled = 0;
  std::thread device([&] {
    for (u32 i = 0; i < kRounds; ++i) {
      line = true;
      m.irq->set_line(20, true);
      const u64 limit = monotonic_ns() + kPatience;
      while (line.load()) {
        if (monotonic_ns() > limit) {
          done = true;
          return;
        }
        std::this_thread::yield();
      }
    }
    done = true;
    notify(cpu, kAttnStop);
  });
  while (!done) {
    if (m.irq->has_interrupt(cpu) && m.irq->acknowledge(cpu) == 0x90) {
      if (line.load()) {
        ++handled;
        m.irq->set_line(20, false);
        line = false;
      }
      m.irq->mmio_write(cpu, kApicDefaultBase + 0xB0, 4, 0);
      continue;
    }
    wait_for_attention(cpu, monotonic_ns() + 10'000'000);
    cpu.attention = 0;
  }
  device.join();
  CHECK_EQ(handled, kRounds);
}

TEST("the host timer interrupts a spinning vCPU thread, and a deadline pushed back still comes") {
  RealMachine m;
  Vcpu& cpu = m.cpu();
  std::thread thread([&] {
    CHECK(m.irq->bind_thread(cpu));
    m.irq->mmio_write(cpu, kApicDefaultBase + 0xF0, 4, 0x1FF);
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x3E0, 4, 0xB);
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x320, 4, 0x20040);  // periodic
    unsigned ticks = 0;
    cpu.attention = 0;
    // Before the timer is armed: this thread may be put aside in between, and ticks are counted from there.
    const u64 start = monotonic_ns();
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 1'000'000);  // 1 ms
    while (ticks < 20 && monotonic_ns() - start < kPatience) {
      if (cpu.attention.load(std::memory_order_relaxed) == 0) continue;  // nothing but the signal tells us
      cpu.attention.store(0);
      m.irq->run_timers(cpu);
      if (m.irq->has_interrupt(cpu)) {
        CHECK_EQ(m.irq->acknowledge(cpu), 0x40);
        m.irq->mmio_write(cpu, kApicDefaultBase + 0xB0, 4, 0);
        ++ticks;
      }
    }
    CHECK_EQ(ticks, 20);
    CHECK(monotonic_ns() - start >= 20'000'000);
    // A deadline pushed back: the early signal is looked at and re-armed, and the timer still comes.
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x320, 4, 0x00041);
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 2'000'000);
    const u64 armed = monotonic_ns();
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 8'000'000);
    while (!m.irq->has_interrupt(cpu) && monotonic_ns() - armed < kPatience) {
      wait_for_attention(cpu, m.irq->next_deadline_ns(cpu));
      cpu.attention.store(0);
      m.irq->run_timers(cpu);
    }
    CHECK_EQ(m.irq->acknowledge(cpu), 0x41);
    CHECK(monotonic_ns() - armed >= 8'000'000);
    m.irq->unbind_thread(cpu);
  });
  thread.join();
}

TEST("a deadline armed after the host timer fired for a cancelled one still interrupts a spinning thread") {
  RealMachine m;
  Vcpu& cpu = m.cpu();
  std::thread thread([&] {
    CHECK(m.irq->bind_thread(cpu));
    m.irq->mmio_write(cpu, kApicDefaultBase + 0xF0, 4, 0x1FF);
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x3E0, 4, 0xB);
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x320, 4, 0x00041);  // one-shot
    const auto spin_until_signal = [&] {
      const u64 start = monotonic_ns();
      while (cpu.attention.load(std::memory_order_relaxed) == 0 && monotonic_ns() - start < kPatience) {}
      return cpu.attention.exchange(0) != 0;
    };
    cpu.attention = 0;
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 2'000'000);  // 2 ms
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 0);          // cancelled; the host timer stays armed
    CHECK(spin_until_signal());
    m.irq->run_timers(cpu);  // nothing is due, nothing is armed
    CHECK(!m.irq->has_interrupt(cpu));
    m.irq->mmio_write(cpu, kApicDefaultBase + 0x380, 4, 3'000'000);
    CHECK(spin_until_signal());
    m.irq->run_timers(cpu);
    CHECK_EQ(m.irq->acknowledge(cpu), 0x41);
    m.irq->unbind_thread(cpu);
  });
  thread.join();
}

TEST("a PIT programmed by one vCPU wakes the boot processor, which sleeps without a deadline") {
  RealMachine m(2);
  Vcpu& boot = m.cpu(0);
  std::atomic<bool> woke{false}, asleep{false};
  std::thread boot_thread([&] {
    CHECK(m.irq->bind_thread(boot));
    asleep = true;
    const u64 start = monotonic_ns();
    while (!woke && monotonic_ns() - start < kPatience) {
      wait_for_attention(boot,
                         m.irq->next_deadline_ns(boot) == kNever ? start + kPatience : m.irq->next_deadline_ns(boot));
      boot.attention.store(0);
      m.irq->run_timers(boot);
      if (m.irq->has_interrupt(boot)) woke = true;
    }
    m.irq->unbind_thread(boot);
  });
  while (!asleep) std::this_thread::yield();
  for (auto [port, value] :
       {std::pair{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1}, {0x21, 0xFE}, {0x43, 0x30}, {0x40, 0}, {0x40, 0x10}})
    m.irq->io_write(static_cast<u16>(port), 1, static_cast<u64>(value));
  boot_thread.join();
  CHECK(woke.load());
}
