// Saved state of all chips: identity, behaviour after a load, and its bytes in a machine's state.
#include <linux/kvm.h>

#include <cstddef>
#include <cstring>

#include "irq_test.h"
#include "state/machine_image.h"

using namespace rz;
using namespace rz::test;

// The chips' fields lie where KVM's do.
#define SAME(ours, our_field, theirs, their_field)                            \
  static_assert(offsetof(ours, our_field) == offsetof(theirs, their_field) && \
                sizeof(ours{}.our_field) == sizeof(theirs{}.their_field))
static_assert(sizeof(PicState) == sizeof(kvm_pic_state));
SAME(PicState, last_irr, kvm_pic_state, last_irr);
SAME(PicState, irr, kvm_pic_state, irr);
SAME(PicState, imr, kvm_pic_state, imr);
SAME(PicState, isr, kvm_pic_state, isr);
SAME(PicState, priority_add, kvm_pic_state, priority_add);
SAME(PicState, irq_base, kvm_pic_state, irq_base);
SAME(PicState, read_reg_select, kvm_pic_state, read_reg_select);
SAME(PicState, poll, kvm_pic_state, poll);
SAME(PicState, special_mask, kvm_pic_state, special_mask);
SAME(PicState, init_state, kvm_pic_state, init_state);
SAME(PicState, auto_eoi, kvm_pic_state, auto_eoi);
SAME(PicState, rotate_on_auto_eoi, kvm_pic_state, rotate_on_auto_eoi);
SAME(PicState, special_fully_nested_mode, kvm_pic_state, special_fully_nested_mode);
SAME(PicState, init4, kvm_pic_state, init4);
SAME(PicState, elcr, kvm_pic_state, elcr);
SAME(PicState, elcr_mask, kvm_pic_state, elcr_mask);
static_assert(sizeof(IoapicState) == sizeof(kvm_ioapic_state));
SAME(IoapicState, base_address, kvm_ioapic_state, base_address);
SAME(IoapicState, ioregsel, kvm_ioapic_state, ioregsel);
SAME(IoapicState, id, kvm_ioapic_state, id);
SAME(IoapicState, irr, kvm_ioapic_state, irr);
SAME(IoapicState, redirection, kvm_ioapic_state, redirtbl);
static_assert(sizeof(PitState) == sizeof(kvm_pit_state2) && sizeof(PitChannelState) == sizeof(kvm_pit_channel_state));
SAME(PitState, channels, kvm_pit_state2, channels);
SAME(PitState, flags, kvm_pit_state2, flags);
SAME(PitChannelState, count, kvm_pit_channel_state, count);
SAME(PitChannelState, latched_count, kvm_pit_channel_state, latched_count);
SAME(PitChannelState, count_latched, kvm_pit_channel_state, count_latched);
SAME(PitChannelState, status_latched, kvm_pit_channel_state, status_latched);
SAME(PitChannelState, status, kvm_pit_channel_state, status);
SAME(PitChannelState, read_state, kvm_pit_channel_state, read_state);
SAME(PitChannelState, write_state, kvm_pit_channel_state, write_state);
SAME(PitChannelState, write_latch, kvm_pit_channel_state, write_latch);
SAME(PitChannelState, rw_mode, kvm_pit_channel_state, rw_mode);
SAME(PitChannelState, mode, kvm_pit_channel_state, mode);
SAME(PitChannelState, bcd, kvm_pit_channel_state, bcd);
SAME(PitChannelState, gate, kvm_pit_channel_state, gate);
SAME(PitChannelState, elapsed_ticks, kvm_pit_channel_state, count_load_time);
static_assert(sizeof(LapicState) - offsetof(LapicState, regs) == sizeof(kvm_lapic_state));
#undef SAME

namespace {

/// A machine's image of which only the chips matter here.
state::MachineImage save(TestMachine& m) {
  state::MachineImage image;
  image.vcpus.resize(m.machine.vcpus.size());
  std::vector<LapicState> apics(image.vcpus.size());
  m.irq->save(image.chips, apics);
  for (size_t i = 0; i < apics.size(); ++i) {
    image.vcpus[i].lapic = apics[i];
    image.vcpus[i].xsave.resize(576);
  }
  return image;
}

void load(TestMachine& m, const state::MachineImage& image) {
  std::vector<LapicState> apics;
  for (const state::OneVcpu& one : image.vcpus) apics.push_back(one.lapic);
  m.irq->load(image.chips, apics);
}

std::vector<u8> bytes_of(TestMachine& m) { return state::encode(save(m)); }

/// Where the payload of the part IRQC is in a state.
size_t irq_at(const std::vector<u8>& bytes) {
  for (size_t at = sizeof(StateHeader); at + sizeof(ChunkHeader) <= bytes.size();) {
    ChunkHeader chunk;
    std::memcpy(&chunk, bytes.data() + at, sizeof chunk);
    at += sizeof chunk;
    if (chunk.tag == kChunkIrq) return at;
    at += (chunk.bytes + 7) & ~7u;
  }
  CHECK(false);
  return 0;
}

// Something in every chip.
void make_busy(TestMachine& m) {
  m.enable_apics();
  m.init_pics(0x30, 0x38, 0x11);
  m.out(0x4D0, 0x20);
  m.out(0x21, 0x40);
  m.irq->set_line(5, true);
  m.irq->set_line(14, true);
  m.apic(0x350, 0x10000, 0);
  m.redirect(17, 0x08061, 1);
  m.irq->set_line(17, true);
  m.apic(0x300, 0x84071, 0);
  CHECK_EQ(m.take(0), 0x71);
  m.irq->set_tpr(m.cpu(1), 5);
  m.apic(0x3E0, 0xB, 0);
  m.apic(0x320, 0x20051, 0);
  m.apic(0x380, 10'000'000, 0);
  m.apic(0x320, 0x40052, 1);
  CHECK(m.irq->msr_write(m.cpu(1), 0x6E0, m.time.tsc + 8'000'000));
  m.out(0x43, 0x34);
  m.out(0x40, 0xA9);
  m.out(0x40, 0x04);
  m.out(0x61, 3);
  m.out(0x43, 0xB6);
  m.out(0x42, 0x11);
  m.out(0x42, 0x22);
  m.out(0x42, 0x33);
  m.out(0x42, 0x00);
  m.out(0x43, 0x80);
  m.in(0x42);
  m.out(0x43, 0x70);
  m.out(0x41, 0x99);
  m.cpu(1).request(kAttnNmi);
  m.time.advance(123'456);
}

}  // namespace

TEST("state loaded into a fresh machine saves to the same bytes") {
  TestMachine a(2), b(2);
  make_busy(a);
  b.time.ns = 77'000'000'000;
  b.time.tsc = a.time.tsc;
  load(b, save(a));
  CHECK(bytes_of(a) == bytes_of(b));
}

TEST("a machine goes on after a load as the original does") {
  TestMachine a(2), b(2);
  make_busy(a);
  b.time.tsc = a.time.tsc;
  b.time.ns = 3'000'000'000;
  load(b, save(a));
  CHECK_EQ(b.attention(1) & (kAttnNmi | kAttnInterrupt), kAttnNmi | kAttnInterrupt);
  CHECK_EQ(b.cpu(1).cr8, 5);
  unsigned taken = 0;
  for (unsigned step = 0; step < 200; ++step) {
    for (unsigned cpu = 0; cpu < 2; ++cpu) {
      a.irq->run_timers(a.cpu(cpu));
      b.irq->run_timers(b.cpu(cpu));
      CHECK_EQ(a.time.ns - a.irq->next_deadline_ns(a.cpu(cpu)) > 0,
               b.time.ns - b.irq->next_deadline_ns(b.cpu(cpu)) > 0);
      const int vector = a.take(cpu);
      CHECK_EQ(b.take(cpu), vector);
      if (vector >= 0) {
        ++taken;
        a.apic(0xB0, 0, cpu);
        b.apic(0xB0, 0, cpu);
      }
    }
    if (step == 20)
      for (TestMachine* m : {&a, &b}) m->apic(0x350, 0x00700, 0);
    if (step % 3 == 0)
      for (TestMachine* m : {&a, &b}) {
        m->out(0xA0, 0x20);
        m->out(0x20, 0x20);
      }
    a.time.advance(97'000);
    b.time.advance(97'000);
  }
  CHECK(taken > 10);
}

TEST("the chips go through the bytes of a machine's state unchanged") {
  TestMachine a(2), b(2);
  make_busy(a);
  const std::vector<u8> bytes = bytes_of(a);
  state::MachineImage image = save(b);
  CHECK(state::decode(bytes.data(), bytes.size(), image) == nullptr);
  CHECK(state::encode(image) == bytes);
  CHECK(bytes != bytes_of(b));
}

TEST("state of another version, machine or kind is refused") {
  TestMachine a(2);
  make_busy(a);
  const std::vector<u8> bytes = bytes_of(a);
  state::MachineImage two = save(a);
  for (unsigned at : {0u, 4u, 8u, 12u}) {
    std::vector<u8> bad = bytes;
    bad[irq_at(bytes) + at] ^= 0x40;
    CHECK(state::decode(bad.data(), bad.size(), two) != nullptr);
  }
  for (size_t size : {size_t{0}, size_t{7}, bytes.size() - 1}) CHECK(state::decode(bytes.data(), size, two) != nullptr);
  state::MachineImage one;
  one.vcpus.resize(1);
  CHECK(state::decode(bytes.data(), bytes.size(), one) != nullptr);
}

TEST("a state is taken where the time-stamp counter runs at its rate, as far as two measurements of it agree") {
  state::MachineImage image;
  CHECK(state::check_tsc_rate(image, 2'000'000'000) != nullptr);  // none
  image.tsc_hz = 2'000'000'000;
  CHECK(state::check_tsc_rate(image, 2'001'000'000) == nullptr);
  CHECK(state::check_tsc_rate(image, 1'999'000'000) == nullptr);
  CHECK(state::check_tsc_rate(image, 2'010'000'000) != nullptr);
  CHECK(state::check_tsc_rate(image, 1'990'000'000) != nullptr);
}

TEST("reset brings back the power-on state") {
  TestMachine a(2), b(2);
  make_busy(a);
  a.irq->reset();
  a.cpu(1).attention = 0;
  CHECK(bytes_of(a) == bytes_of(b));
  CHECK_EQ(a.irq->next_deadline_ns(a.cpu(0)), kNever);
  CHECK_EQ(a.take(0), -1);
}

TEST("the saved layout stays where the documents say") {
  TestMachine m;
  m.init_pics(0x50, 0x58);
  m.irq->set_tpr(m.cpu(), 9);
  const std::vector<u8> bytes = bytes_of(m);
  const size_t irq = irq_at(bytes);
  CHECK_EQ(std::memcmp(bytes.data() + irq, "RZRQ", 4), 0);
  CHECK_EQ(bytes[irq + 8] | bytes[irq + 9] << 8, 16 + 360 + 1072);
  CHECK_EQ(bytes[irq + 16 + 5], 0x50);  // master's base
  CHECK_EQ(bytes[irq + 32 + 5], 0x58);
  CHECK_EQ(bytes[irq + 16 + 32 + 24 + 2], 0x01);      // redirection entry 0: masked
  CHECK_EQ(bytes[irq + 16 + 360 + 48 + 0x80], 0x90);  // TPR in the register page
}
