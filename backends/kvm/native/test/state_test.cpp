// kvm_state_test: conversions of saved state that need no /dev/kvm, with what a host shows rarely: events that were cut
// short, interrupts acknowledged and not delivered, timers about to fire.
#include <cstdio>
#include <cstring>

#include "engine/pit_image.h"
#include "engine/tsc.h"
#include "engine/vcpu_image.h"

using namespace rz;
using namespace rz::kvm;

namespace {

int passed = 0, failed = 0;

void check(bool good, const char* what, int line) {
  good ? ++passed : ++failed;
  if (!good) printf("state_test.cpp:%d: %s\n", line, what);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

u32 page(const LapicState& apic, u32 at) { return apic.regs[at / 4]; }
void put(kvm_lapic_state& apic, u32 at, u32 value) { memcpy(apic.regs + at, &value, 4); }

VcpuState fresh() {
  VcpuState s = {};
  s.xsave.resize(4096);
  return s;
}

state::OneVcpu saved(const VcpuState& s, PicState (&pic)[2]) {
  state::OneVcpu one = {};
  save_vcpu(s, 0, false, 0, pic, one);
  return one;
}

/// Taken from the local APIC and not delivered: pending there again, in service no more.
void apic_interrupt_goes_back() {
  PicState pic[2] = {};
  VcpuState s = fresh();
  s.events.interrupt.injected = 1;
  s.events.interrupt.nr = 0x41;
  put(s.lapic, 0x120, 1u << 1);  // ISR of 40h..5Fh
  const state::OneVcpu one = saved(s, pic);
  CHECK(page(one.lapic, 0x120) == 0);
  CHECK(page(one.lapic, 0x220) == 1u << 1);
}

/// Taken from the slave 8259: both chips have it back.
void pic_interrupt_goes_back() {
  PicState pic[2] = {};
  pic[0].irq_base = 0x20, pic[1].irq_base = 0x28;
  pic[0].isr = 4, pic[1].isr = 1 << 6;
  VcpuState s = fresh();
  s.events.interrupt.injected = 1;
  s.events.interrupt.nr = 0x2e;
  (void)saved(s, pic);
  CHECK(pic[0].isr == 0 && pic[0].irr == 4);
  CHECK(pic[1].isr == 0 && pic[1].irr == 1 << 6);
}

/// INT n whose delivery was cut short is executed again: nothing is pending for it.
void software_interrupt_is_dropped() {
  PicState pic[2] = {};
  pic[0].irq_base = 0x20;
  VcpuState s = fresh();
  s.events.interrupt.injected = 1;
  s.events.interrupt.soft = 1;
  s.events.interrupt.nr = 0x21;
  const state::OneVcpu one = saved(s, pic);
  CHECK(pic[0].irr == 0);
  CHECK(one.vcpu.exception_vector == 0xff);
}

void exceptions() {
  PicState pic[2] = {};
  VcpuState s = fresh();
  s.sregs.cr2 = 0x1234;
  s.events.exception.injected = 1;
  s.events.exception.nr = 14;
  s.events.exception.has_error_code = 1;
  s.events.exception.error_code = 2;
  const state::OneVcpu fault = saved(s, pic);
  CHECK(fault.vcpu.exception_vector == 14 && fault.vcpu.exception_error == 2 && fault.vcpu.exception_cr2 == 0x1234);
  VcpuState back = fresh();
  load_vcpu(fault, back);
  CHECK(back.events.exception.injected && back.events.exception.nr == 14 && back.sregs.cr2 == 0x1234);
  s.events.exception.nr = 3;  // INT3, found at RIP again
  CHECK(saved(s, pic).vcpu.exception_vector == 0xff);
}

void nmi_cut_short_is_pending() {
  PicState pic[2] = {};
  VcpuState s = fresh();
  s.events.nmi.injected = 1;
  s.events.nmi.masked = 1;
  const state::OneVcpu one = saved(s, pic);
  CHECK(one.lapic.pending == LapicState::kPendingNmi);
  CHECK(one.vcpu.nmi_blocked == 0);
}

void shadows() {
  PicState pic[2] = {};
  VcpuState s = fresh();
  s.events.interrupt.shadow = KVM_X86_SHADOW_INT_MOV_SS;
  const state::OneVcpu one = saved(s, pic);
  CHECK(one.vcpu.interrupt_shadow == VcpuImage::kShadowMovSs);
  VcpuState back = fresh();
  load_vcpu(one, back);
  CHECK(back.events.interrupt.shadow == KVM_X86_SHADOW_INT_MOV_SS);
}

/// The four pointers of PAE paging come along, and only then are they KVM's affair.
void page_directory_pointers() {
  PicState pic[2] = {};
  VcpuState s = fresh();
  s.sregs.cr0 = 0x80000011, s.sregs.cr4 = 0x20;
  s.has_pdptrs = true;
  for (u64 i = 0; i < 4; ++i) s.pdptrs[i] = (i + 1) << 12 | 1;
  state::OneVcpu one = saved(s, pic);
  VcpuState back = fresh();
  load_vcpu(one, back);
  CHECK(back.has_pdptrs && memcmp(back.pdptrs, s.pdptrs, sizeof s.pdptrs) == 0);
  one.registers.efer = 0x500;  // long mode has none
  load_vcpu(one, back);
  CHECK(!back.has_pdptrs);
}

/// An APIC timer that is due has a count to go; one that stands has none.
void apic_timer() {
  PicState pic[2] = {};
  state::OneVcpu one = saved(fresh(), pic);
  VcpuState back = fresh();
  u32 count;
  for (u64 left : {u64{0}, u64{7}, ~u64{0}}) {
    one.lapic.timer_left_ns = left;
    one.lapic.regs[0x3e0 / 4] = 0xb;  // divide by 1
    load_vcpu(one, back);
    memcpy(&count, back.lapic.regs + 0x390, 4);
    CHECK(count == (left == 0 ? 1 : left == 7 ? 7 : 0));
  }
  // KVM's count is 0 between two periods too, and where a one-shot has fired.
  for (const bool periodic : {false, true}) {
    VcpuState now = fresh();
    const u32 mode = periodic ? 1u << 17 : 0, initial = 3'000'000;
    memcpy(now.lapic.regs + 0x320, &mode, 4);
    memcpy(now.lapic.regs + 0x380, &initial, 4);
    CHECK(saved(now, pic).lapic.timer_left_ns == (periodic ? 0 : ~u64{0}));
  }
}

/// Looks at counters that are one have a part in common, wherever the host interrupted them; others are apart.
void tsc() {
  const std::vector<u64> one = agreed_distances({{1000, 1400}, {1350, 90'000}, {900, 1360}});
  CHECK(one.size() == 3 && one[0] == one[1] && one[1] == one[2] && one[0] >= 1350 && one[0] <= 1360);
  const std::vector<u64> two = agreed_distances({{1000, 1400}, {5'000'000, 5'000'400}, {1200, 1500}});
  CHECK(two[0] == two[2] && two[0] >= 1200 && two[0] <= 1400 && two[1] >= 5'000'000 && two[1] <= 5'000'400);
  const u64 below = ~0ull - 99;  // a guest's counter that is behind the host's
  const std::vector<u64> wrapped = agreed_distances({{below, 50}, {20, 80}});
  CHECK(wrapped[0] == wrapped[1] && wrapped[0] >= 20 && wrapped[0] <= 50);
  CHECK(agreed_distances({{7, 7}, {7, 7}, {8, 8}}) == (std::vector<u64>{7, 7, 8}));  // KVM told them: exactly
}

void pit() {
  kvm_pit_state2 kvm = {};
  for (auto& c : kvm.channels) c.mode = 0xff;
  PitState image = {};
  save_pit(kvm, 5'000'000'000, image);
  CHECK(image.loaded == 0 && image.channels[0].elapsed_ticks == -1);
  kvm.channels[0].mode = 2, kvm.channels[0].count = 5966;  // KVM tells no time of it
  kvm.channels[2].mode = 0, kvm.channels[2].count = 60000, kvm.channels[2].count_load_time = 4'000'000'000;
  save_pit(kvm, 5'000'000'000, image);
  CHECK(image.loaded == 5 && image.channels[0].elapsed_ticks == 0 && image.channels[2].elapsed_ticks == 1'193'182);
  kvm_pit_state2 back = {};
  load_pit(image, 9'000'000'000, back);
  CHECK(back.channels[0].count == 5966 && back.channels[0].mode == 2 && back.channels[1].mode == 0xff);
  CHECK(back.channels[2].count_load_time == 8'000'000'000);
  // What load_pit gave to channel 0 is known again as long as the guest has not loaded it: no time is lost twice.
  image.channels[0].rw_mode = 3, image.channels[0].mode = 2, image.channels[0].count = 11932;
  image.channels[0].write_state = 3, image.channels[0].elapsed_ticks = 5966;
  load_pit(image, 9'000'000'000, back);
  CHECK(pit_lead_ns(image) / 1000 == 5000);
  PitState again = {};
  save_pit(back, 9'005'000'000, again);
  CHECK(again.channels[0].elapsed_ticks == 5965 && again.channels[0].write_latch == 0);
  kvm_pit_state2 reloaded = back;
  reloaded.channels[0].write_latch = 11932 & 0xff;  // by the guest, with the same count
  save_pit(reloaded, 9'005'000'000, again);
  CHECK(again.channels[0].elapsed_ticks == 0);
  reloaded = back, reloaded.channels[0].count = 0x1234, reloaded.channels[0].write_latch = 0x34;  // with another
  save_pit(reloaded, 9'005'000'000, again);
  CHECK(again.channels[0].elapsed_ticks == 0);
  // Between the two bytes of a load write_latch is the guest's.
  image.channels[0].write_state = 4, image.channels[0].write_latch = 0x77;
  load_pit(image, 9'000'000'000, back);
  CHECK(back.channels[0].write_latch == 0x77);
  save_pit(back, 9'005'000'000, again);
  CHECK(again.channels[0].elapsed_ticks == 0 && again.channels[0].write_latch == 0x77);
  image.channels[0].write_state = 3, image.channels[0].write_latch = 0;
  image.channels[0].elapsed_ticks = 11932 * 3 + 10;  // three periods ago
  CHECK(pit_lead_ns(image) / 1000 == 8);
  image.channels[0].mode = 0;
  CHECK(pit_lead_ns(image) == 0);
  // A one-shot goes on with what it has left, and counts on below 0.
  image.channels[0] = {}, image.channels[0].mode = 4, image.channels[0].count = 1000;
  for (const auto& [elapsed, left] : {std::pair{0, 1000u}, {400, 600u}, {1000, 65536u}, {1001, 65535u}}) {
    image.channels[0].elapsed_ticks = elapsed;
    load_pit(image, 9'000'000'000, back);
    CHECK(back.channels[0].count == left);
  }
  image.channels[0].mode = 2, image.channels[0].elapsed_ticks = 400;  // a period is the guest's to see
  load_pit(image, 9'000'000'000, back);
  CHECK(back.channels[0].count == 1000);
  // The translator's output is high between ticks; other inputs, and what is requested already, stay.
  kvm_pic_state master = {};
  kvm_ioapic_state ioapic = {};
  master.last_irr = 0x81, master.irr = 1, ioapic.irr = 0x104;
  lower_timer_line(master, ioapic);
  CHECK(master.last_irr == 0x80 && master.irr == 1 && ioapic.irr == 0x100);
}

}  // namespace

int main() {
  apic_interrupt_goes_back();
  pic_interrupt_goes_back();
  software_interrupt_is_dropped();
  exceptions();
  nmi_cut_short_is_pending();
  shadows();
  page_directory_pointers();
  apic_timer();
  tsc();
  pit();
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
