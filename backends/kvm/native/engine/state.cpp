// Conversion of the saved state. What KVM can say in more detail than the format is turned back into what the guest
// could see: an interrupt that was taken and not yet delivered is pending again in its controller.
#include "state.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include <algorithm>

#include "msrs.h"
#include "registers.h"
#include "state/machine_image.h"

namespace rz::kvm {

using state::MachineImage;
using state::OneVcpu;

namespace {

constexpr u32 kApicId = 0x20, kApicVersion = 0x30, kApicIsr = 0x100, kApicIrr = 0x200, kApicCurrentCount = 0x390,
              kApicDivide = 0x3e0;
constexpr u32 kApicVersionValue = 0x14 | 5 << 16;
constexpr u64 kPitHz = 1'193'182, kNsPerSecond = 1'000'000'000;
constexpr u64 kApicBaseX2 = 1 << 10;

u64 host_tsc() { return __builtin_ia32_rdtsc(); }

u64 monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<u64>(now.tv_sec) * kNsPerSecond + static_cast<u64>(now.tv_nsec);
}

u64 scale(u64 value, u64 to, u64 from) { return static_cast<u64>(static_cast<unsigned __int128>(value) * to / from); }

/// Exactly where KVM takes the offset; else by the MSR, whose writes KVM may round together among vCPUs.
bool set_tsc(int vcpu, u64 value) {
  u64 offset = value - host_tsc();
  kvm_device_attr attribute = {};
  attribute.group = 0;  // KVM_VCPU_TSC_CTRL
  attribute.attr = 0;   // KVM_VCPU_TSC_OFFSET
  attribute.addr = reinterpret_cast<u64>(&offset);
  if (call(vcpu, kSetDeviceAttr, &attribute).ok()) return true;
  return set_msr(vcpu, kMsrTsc, value);
}

u32 page_read(const kvm_lapic_state& page, u32 at) {
  u32 value;
  memcpy(&value, page.regs + at, 4);
  return value;
}
void page_write(kvm_lapic_state& page, u32 at, u32 value) { memcpy(page.regs + at, &value, 4); }

u32 apic_divider(const kvm_lapic_state& page) {
  const u32 divide = page_read(page, kApicDivide);
  return 1u << ((((divide & 3) | (divide & 8) >> 1) + 1) & 7);
}

/// An interrupt that the processor has acknowledged and not delivered goes back to where it came from.
void give_back(u8 vector, kvm_lapic_state& page, PicState (&pic)[2]) {
  const u32 word = vector / 32 * 16, bit = 1u << vector % 32;
  if ((page_read(page, kApicIsr + word) & bit) != 0) {
    page_write(page, kApicIsr + word, page_read(page, kApicIsr + word) & ~bit);
    page_write(page, kApicIrr + word, page_read(page, kApicIrr + word) | bit);
    return;
  }
  for (PicState& chip : pic) {
    if (vector < chip.irq_base || vector - chip.irq_base >= 8) continue;
    const u8 input = static_cast<u8>(1u << (vector - chip.irq_base));
    chip.isr &= static_cast<u8>(~input);
    chip.irr |= input;
    if (&chip == &pic[1]) {  // its cascade
      pic[0].isr &= static_cast<u8>(~4u);
      pic[0].irr |= 4;
    }
  }
}

size_t xsave_bytes(const std::vector<u8>& image) {
  u64 present;
  memcpy(&present, image.data() + 512, 8);
  size_t end = 576;
  for (u32 i = 2; i < 63; ++i) {
    if ((present >> i & 1) == 0) continue;
    u32 size, offset, c, d;
    asm volatile("cpuid" : "=a"(size), "=b"(offset), "=c"(c), "=d"(d) : "a"(0xd), "c"(i));
    end = std::max<size_t>(end, size_t{size} + offset);
  }
  return std::min(end, image.size());
}

void save_pit(const kvm_pit_state2& from, PitState& to) {
  const u64 now = monotonic_ns();
  for (int i = 0; i < 3; ++i) {
    const kvm_pit_channel_state& c = from.channels[i];
    PitChannelState& o = to.channels[i];
    const bool loaded = c.mode <= 5;  // FFh: no mode word yet
    o = {c.count,
         c.latched_count,
         c.count_latched,
         c.status_latched,
         c.status,
         c.read_state,
         c.write_state,
         c.write_latch,
         c.rw_mode,
         loaded ? c.mode : u8{0},
         c.bcd,
         c.gate,
         -1};
    if (o.count == 0 || o.count > 65536) o.count = 65536;
    if (!loaded) continue;
    const u64 since = now - static_cast<u64>(c.count_load_time);
    o.elapsed_ticks = static_cast<i64>(static_cast<i64>(since) < 0 ? 0 : scale(since, kPitHz, kNsPerSecond));
    to.loaded |= 1u << i;
  }
  to.flags = from.flags & 2;
}

void load_pit(const PitState& from, kvm_pit_state2& to) {
  const u64 now = monotonic_ns();
  for (int i = 0; i < 3; ++i) {
    const PitChannelState& o = from.channels[i];
    kvm_pit_channel_state& c = to.channels[i];
    c.count = o.count;
    c.latched_count = o.latched_count;
    c.count_latched = o.count_latched;
    c.status_latched = o.status_latched;
    c.status = o.status;
    c.read_state = o.read_state;
    c.write_state = o.write_state;
    c.write_latch = o.write_latch;
    c.rw_mode = o.rw_mode;
    c.mode = o.elapsed_ticks < 0 && (from.loaded >> i & 1) == 0 ? u8{0xff} : o.mode;
    c.bcd = o.bcd;
    c.gate = o.gate;
    c.count_load_time = o.elapsed_ticks < 0
                            ? 0
                            : static_cast<i64>(now - scale(static_cast<u64>(o.elapsed_ticks), kNsPerSecond, kPitHz));
  }
  to.flags = (to.flags & ~2u) | (from.flags & 2);
}

void save_lapic(const VcpuState& s, u64 deadline, u32 index, OneVcpu& one) {
  LapicState& out = one.lapic;
  kvm_lapic_state page = s.lapic;
  out = {};
  out.apic_id = index;
  if (s.events.nmi.pending || s.events.nmi.injected) out.pending |= LapicState::kPendingNmi;
  out.startup_vector = s.events.sipi_vector & 0xff;
  out.apic_base = s.sregs.apic_base;
  out.tsc_deadline = deadline;
  const u32 left = page_read(page, kApicCurrentCount);
  out.timer_left_ns = left == 0 ? ~0ull : u64{left} * apic_divider(page);  // KVM counts at 1 GHz
  page_write(page, kApicVersion, kApicVersionValue);
  if ((s.sregs.apic_base & kApicBaseX2) != 0) page_write(page, kApicId, page_read(page, kApicId) >> 24);
  memcpy(out.regs, page.regs, sizeof out.regs);
}

void load_lapic(const OneVcpu& one, VcpuState& s) {
  memcpy(s.lapic.regs, one.lapic.regs, sizeof s.lapic.regs);
  s.sregs.apic_base = one.lapic.apic_base;
  if ((one.lapic.apic_base & kApicBaseX2) != 0) page_write(s.lapic, kApicId, page_read(s.lapic, kApicId) << 24);
  const u64 left = one.lapic.timer_left_ns;
  const u32 count =
      left == ~0ull ? 0
                    : static_cast<u32>(std::min<u64>((left + apic_divider(s.lapic) - 1) / apic_divider(s.lapic), ~0u));
  page_write(s.lapic, kApicCurrentCount, count);
}

void save_vcpu(VcpuState s, int fd, u32 index, bool shut_down, PicState (&pic)[2], OneVcpu& one) {
  if (s.events.interrupt.injected && !s.events.interrupt.soft) give_back(s.events.interrupt.nr, s.lapic, pic);
  one.registers = image_of(s.regs, s.sregs);
  VcpuImage& v = one.vcpu;
  v = {};
  v.xcr0 = 1;
  for (u32 i = 0; i < s.xcrs.nr_xcrs; ++i) {
    if (s.xcrs.xcrs[i].xcr == 0) v.xcr0 = s.xcrs.xcrs[i].value;
  }
  memcpy(v.dr, s.debug.db, sizeof s.debug.db);
  v.dr[6] = s.debug.dr6;
  v.dr[7] = s.debug.dr7;
  const bool exception = s.events.exception.injected || s.events.exception.pending;
  v.exception_vector = exception ? s.events.exception.nr : u8{0xff};
  v.exception_has_error = exception && s.events.exception.has_error_code;
  v.exception_error = v.exception_has_error ? s.events.exception.error_code : 0;
  v.exception_cr2 = exception && s.events.exception.nr == 14 ? s.sregs.cr2 : 0;
  v.halted = s.mp.mp_state == KVM_MP_STATE_HALTED ? 1 : s.mp.mp_state == KVM_MP_STATE_RUNNABLE ? 0 : 2;
  v.nmi_blocked = s.events.nmi.masked && !s.events.nmi.injected;
  v.interrupt_shadow = s.events.interrupt.shadow != 0;
  v.shut_down = shut_down;
  u64 value = 0;
  one.msrs.push_back({kMsrTsc, 0, get_msr(fd, kMsrTsc, value) ? value : 0});
  for (const MsrRow& row : msr_rows())
    one.msrs.push_back({row.index, 0, get_msr(fd, row.index, value) ? value : row.absent});
  one.xsave = s.xsave;
  one.xsave.resize(xsave_bytes(one.xsave));
  save_lapic(s, get_msr(fd, kMsrTscDeadline, value) ? value : 0, index, one);
}

void load_vcpu(const OneVcpu& one, VcpuState& s) {
  const VcpuImage& v = one.vcpu;
  apply_image(one.registers, s.regs, s.sregs);
  load_lapic(one, s);
  s.sregs.cr8 = page_read(s.lapic, 0x80) >> 4 & 15;
  s.xcrs = {};
  s.xcrs.nr_xcrs = 1;
  s.xcrs.xcrs[0].value = v.xcr0;
  memcpy(s.debug.db, v.dr, sizeof s.debug.db);
  s.debug.dr6 = v.dr[6];
  s.debug.dr7 = v.dr[7];
  s.events = {};
  if (v.exception_vector != 0xff) {
    s.events.exception.injected = 1;
    s.events.exception.nr = v.exception_vector;
    s.events.exception.has_error_code = v.exception_has_error;
    s.events.exception.error_code = v.exception_error;
    if (v.exception_vector == 14) s.sregs.cr2 = v.exception_cr2;
  }
  s.events.nmi.pending = (one.lapic.pending & LapicState::kPendingNmi) != 0;
  s.events.nmi.masked = v.nmi_blocked;
  s.events.sipi_vector = one.lapic.startup_vector;
  s.events.interrupt.shadow = v.interrupt_shadow ? KVM_X86_SHADOW_INT_STI : 0;
  s.mp.mp_state = v.halted == 1   ? KVM_MP_STATE_HALTED
                  : v.halted == 2 ? KVM_MP_STATE_INIT_RECEIVED
                                  : KVM_MP_STATE_RUNNABLE;
  if (v.halted == 2 && (one.lapic.pending & LapicState::kPendingSipi) != 0) s.mp.mp_state = KVM_MP_STATE_SIPI_RECEIVED;
  std::fill(s.xsave.begin(), s.xsave.end(), 0);
  std::copy(one.xsave.begin(), one.xsave.end(), s.xsave.begin());
  s.msrs.clear();  // set one by one, and checked
}

std::string hex(u32 value) {
  char text[16];
  snprintf(text, sizeof text, "%xh", value);
  return text;
}

std::string load_msrs(int fd, const OneVcpu& one) {
  const std::vector<MsrRow>& rows = msr_rows();
  u64 tsc = 0, now;
  for (const MsrImage& msr : one.msrs) {
    if (msr.index == kMsrTsc) {
      tsc = msr.value;
      continue;
    }
    const auto row = std::find_if(rows.begin(), rows.end(), [&](const MsrRow& r) { return r.index == msr.index; });
    if (row == rows.end()) return "the state sets MSR " + hex(msr.index) + ", which is unknown here";
    if (!get_msr(fd, msr.index, now)) {
      if (msr.value != row->absent)
        return "the state sets MSR " + hex(msr.index) + ", which this host's KVM does not have";
      continue;
    }
    if (now != msr.value && !set_msr(fd, msr.index, msr.value))
      return "this host's KVM refuses the state's value of MSR " + hex(msr.index);
  }
  (void)set_msr(fd, kMsrTscDeadline, 0);
  if (!set_tsc(fd, tsc)) return "this host's KVM refuses the state's time-stamp counter";
  if (one.lapic.tsc_deadline != 0) (void)set_msr(fd, kMsrTscDeadline, one.lapic.tsc_deadline);
  return {};
}

std::string apply(Machine& machine, const MachineImage& image, std::vector<VcpuState> vcpus, KvmChips chips) {
  memcpy(&chips.pic[0].chip.pic, &image.chips.pic[0], sizeof(PicState));
  memcpy(&chips.pic[1].chip.pic, &image.chips.pic[1], sizeof(PicState));
  memcpy(&chips.ioapic.chip.ioapic, &image.chips.ioapic, sizeof(IoapicState));
  load_pit(image.chips.pit, chips.pit);
  for (size_t i = 0; i < vcpus.size(); ++i) {
    const int fd = machine.vcpus()[i]->fd();
    load_vcpu(image.vcpus[i], vcpus[i]);
    if (Outcome set = set_vcpu_state(fd, vcpus[i]); !set.ok()) return describe(set);
    if (std::string why = load_msrs(fd, image.vcpus[i]); !why.empty()) return why;
  }
  if (Outcome set = machine.set_chips(chips); !set.ok()) return describe(set);
  if (Outcome set = machine.set_clock(scale(image.uptime_ticks, kNsPerSecond, image.tsc_hz)); !set.ok())
    return describe(set);
  return {};
}

}  // namespace

Outcome save_machine(Machine& machine, Devices& devices, const std::vector<bool>& shut_down, std::vector<u8>& out) {
  static_assert(sizeof(kvm_pic_state) == sizeof(PicState) && sizeof(kvm_ioapic_state) == sizeof(IoapicState));
  MachineImage image;
  KvmChips chips;
  u64 clock_ns = 0;
  if (Outcome got = machine.tsc_hz(image.tsc_hz); !got.ok()) return got;
  if (Outcome got = machine.get_clock(clock_ns); !got.ok()) return got;
  if (Outcome got = machine.get_chips(chips); !got.ok()) return got;
  image.uptime_ticks = scale(clock_ns, image.tsc_hz, kNsPerSecond);
  memcpy(&image.chips.pic[0], &chips.pic[0].chip.pic, sizeof(PicState));
  memcpy(&image.chips.pic[1], &chips.pic[1].chip.pic, sizeof(PicState));
  memcpy(&image.chips.ioapic, &chips.ioapic.chip.ioapic, sizeof(IoapicState));
  save_pit(chips.pit, image.chips.pit);
  image.vcpus.resize(machine.vcpus().size());
  for (u32 i = 0; i < image.vcpus.size(); ++i) {
    VcpuState state;
    const int fd = machine.vcpus()[i]->fd();
    if (Outcome got = get_vcpu_state(fd, machine.host(), state); !got.ok()) return got;
    save_vcpu(std::move(state), fd, i, shut_down[i], image.chips.pic, image.vcpus[i]);
  }
  for (const auto& uart : devices.uarts()) {
    UartState state = {};
    uart->chip().save(state);
    image.uarts.push_back(state);
  }
  out = state::encode(image);
  return {};
}

std::string load_machine(Machine& machine, Devices& devices, const u8* from, size_t bytes,
                         std::vector<bool>& shut_down) {
  MachineImage image;
  image.vcpus.resize(machine.vcpus().size());
  image.uarts.resize(devices.uarts().size());
  if (const char* why = state::decode(from, bytes, image)) return why;
  u64 hz = 0;
  if (Outcome got = machine.tsc_hz(hz); !got.ok()) return describe(got);
  if (const char* why = state::check_tsc_rate(image, hz)) return why;
  for (const OneVcpu& one : image.vcpus) {
    if (one.xsave.size() > machine.host().xsave_bytes)
      return "the FPU state has components that this host's processor lacks";
  }
  // Kept to go back to: what a processor cannot hold is known only when KVM refuses it.
  KvmChips chips;
  std::vector<VcpuState> before(image.vcpus.size());
  if (Outcome got = machine.get_chips(chips); !got.ok()) return describe(got);
  for (size_t i = 0; i < before.size(); ++i) {
    if (Outcome got = get_vcpu_state(machine.vcpus()[i]->fd(), machine.host(), before[i]); !got.ok())
      return describe(got);
  }
  if (std::string why = apply(machine, image, before, chips); !why.empty()) {
    for (size_t i = 0; i < before.size(); ++i) (void)set_vcpu_state(machine.vcpus()[i]->fd(), before[i]).ok();
    (void)machine.set_chips(chips).ok();
    return why;
  }
  for (size_t i = 0; i < image.uarts.size(); ++i) {
    if (!devices.uarts()[i]->chip().load(image.uarts[i])) return "a UART's state is impossible";
  }
  for (size_t i = 0; i < image.vcpus.size(); ++i) shut_down[i] = image.vcpus[i].vcpu.shut_down != 0;
  return {};
}

}  // namespace rz::kvm
