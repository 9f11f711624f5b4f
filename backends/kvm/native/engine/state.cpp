// The saved state of the whole machine: vCPUs (vcpu_image.h), MSRs, chips, clocks. Whatever KVM refuses is undone.
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <algorithm>

#include "msrs.h"
#include "pit_image.h"
#include "tsc.h"
#include "vcpu_image.h"

namespace rz::kvm {

using state::MachineImage;
using state::OneVcpu;

namespace {

constexpr u64 kNsPerSecond = 1'000'000'000;

u64 monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<u64>(now.tv_sec) * kNsPerSecond + static_cast<u64>(now.tv_nsec);
}

void sleep_ns(u64 span) {
  timespec left = {static_cast<time_t>(span / kNsPerSecond), static_cast<long>(span % kNsPerSecond)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) {}
}

u64 scale(u64 value, u64 to, u64 from) { return static_cast<u64>(static_cast<unsigned __int128>(value) * to / from); }

std::string hex(u32 value) {
  char text[16];
  snprintf(text, sizeof text, "%xh", value);
  return text;
}

void save_msrs(int fd, u64 tsc, OneVcpu& one) {
  u64 value = 0;
  one.msrs.push_back({kMsrTsc, 0, tsc});
  for (const MsrRow& row : msr_rows())
    one.msrs.push_back({row.index, 0, get_msr(fd, row.index, value) ? value : row.absent});
}

/// @param host_now  host_tsc(), the same for all vCPUs, whose counters then keep their distances
std::string load_msrs(int fd, u64 host_now, const OneVcpu& one) {
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
  if (!set_tsc_distance(fd, tsc - host_now)) return "this host's KVM refuses the state's time-stamp counter";
  if (one.lapic.tsc_deadline != 0) (void)set_msr(fd, kMsrTscDeadline, one.lapic.tsc_deadline);
  return {};
}

/// An INIT that has arrived and was not obeyed yet, and the SIPI behind it: KVM takes them as messages only.
void start_up(Machine& machine, const LapicState& apic) {
  if ((apic.pending & LapicState::kPendingInit) == 0) return;
  const u64 to = 0xfee00000 | u64{apic.apic_id & 0xff} << 12;
  machine.signal_msi(to, 5 << 8);
  if ((apic.pending & LapicState::kPendingSipi) != 0) machine.signal_msi(to, 6 << 8 | (apic.startup_vector & 0xff));
}

std::string apply(Machine& machine, const MachineImage& image, std::vector<VcpuState> vcpus, KvmChips chips) {
  memcpy(&chips.pic[0].chip.pic, &image.chips.pic[0], sizeof(PicState));
  memcpy(&chips.pic[1].chip.pic, &image.chips.pic[1], sizeof(PicState));
  memcpy(&chips.ioapic.chip.ioapic, &image.chips.ioapic, sizeof(IoapicState));
  lower_timer_line(chips.pic[0].chip.pic, chips.ioapic.chip.ioapic);
  // Channel 0 begins a whole period when KVM gets it, so it gets it that much earlier: the guest stands still longer by
  // less than one period, and loses none.
  const PitState& pit = image.chips.pit;
  const u64 lead_ns = pit_lead_ns(pit), pit_at_ns = monotonic_ns();
  if (lead_ns != 0) {
    load_pit(pit, pit_at_ns + lead_ns, chips.pit);
    chips.pit.channels[0].count_load_time = static_cast<i64>(pit_at_ns);
    if (Outcome set = machine.set_pit(chips.pit); !set.ok()) return describe(set);
    sleep_ns(lead_ns);
  }
  const u64 host_now = host_tsc();
  for (size_t i = 0; i < vcpus.size(); ++i) {
    const int fd = machine.vcpus()[i]->fd();
    load_vcpu(image.vcpus[i], vcpus[i]);
    if (Outcome set = set_vcpu_state(fd, machine.host(), vcpus[i]); !set.ok()) return describe(set);
    if (std::string why = load_msrs(fd, host_now, image.vcpus[i]); !why.empty()) return why;
  }
  if (Outcome set = machine.set_interrupt_chips(chips); !set.ok()) return describe(set);
  // A tick that came meanwhile was lost with the chips it went to, and KVM would send none before that is acknowledged.
  if (lead_ns == 0 || monotonic_ns() - pit_at_ns >= pit_period_ns(pit)) {
    load_pit(pit, monotonic_ns(), chips.pit);
    if (Outcome set = machine.set_pit(chips.pit); !set.ok()) return describe(set);
  }
  for (const OneVcpu& one : image.vcpus) start_up(machine, one.lapic);
  // The clock goes on from the same moment as the counters.
  const u64 uptime_ticks = image.uptime_ticks + (host_tsc() - host_now);
  if (Outcome set = machine.set_clock(scale(uptime_ticks, kNsPerSecond, image.tsc_hz)); !set.ok()) return describe(set);
  return {};
}

}  // namespace

Outcome save_machine(Machine& machine, Devices& devices, const std::vector<bool>& shut_down, std::vector<u8>& out) {
  static_assert(sizeof(kvm_pic_state) == sizeof(PicState) && sizeof(kvm_ioapic_state) == sizeof(IoapicState));
  MachineImage image;
  KvmChips chips;
  u64 clock_ns = 0, host_now = 0;
  const std::vector<u64> tsc = tsc_distances(machine.vcpu_fds());
  if (Outcome got = machine.tsc_hz(image.tsc_hz); !got.ok()) return got;
  if (Outcome got = machine.get_clock(clock_ns, host_now); !got.ok()) return got;
  if (Outcome got = machine.get_chips(chips); !got.ok()) return got;
  image.uptime_ticks = scale(clock_ns, image.tsc_hz, kNsPerSecond);
  memcpy(&image.chips.pic[0], &chips.pic[0].chip.pic, sizeof(PicState));
  memcpy(&image.chips.pic[1], &chips.pic[1].chip.pic, sizeof(PicState));
  memcpy(&image.chips.ioapic, &chips.ioapic.chip.ioapic, sizeof(IoapicState));
  save_pit(chips.pit, monotonic_ns(), image.chips.pit);
  image.vcpus.resize(machine.vcpus().size());
  for (u32 i = 0; i < image.vcpus.size(); ++i) {
    VcpuState state;
    const int fd = machine.vcpus()[i]->fd();
    if (Outcome got = get_vcpu_state(fd, machine.host(), state); !got.ok()) return got;
    if (u64 pointers[4]; !state.has_pdptrs && machine.page_directory_pointers(state.sregs, pointers)) {
      state.has_pdptrs = true;
      memcpy(state.pdptrs, pointers, sizeof pointers);
    }
    u64 deadline = 0;
    if (!get_msr(fd, kMsrTscDeadline, deadline)) deadline = 0;
    save_vcpu(std::move(state), i, shut_down[i], deadline, image.chips.pic, image.vcpus[i]);
    save_msrs(fd, host_now + tsc[i], image.vcpus[i]);
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
  const std::vector<u64> tsc_before = tsc_distances(machine.vcpu_fds());
  if (Outcome got = machine.get_chips(chips); !got.ok()) return describe(got);
  for (size_t i = 0; i < before.size(); ++i) {
    if (Outcome got = get_vcpu_state(machine.vcpus()[i]->fd(), machine.host(), before[i]); !got.ok())
      return describe(got);
  }
  if (std::string why = apply(machine, image, before, chips); !why.empty()) {
    for (size_t i = 0; i < before.size(); ++i) {
      const int fd = machine.vcpus()[i]->fd();
      (void)set_tsc_distance(fd, tsc_before[i]);
      (void)set_vcpu_state(fd, machine.host(), before[i]).ok();
    }
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
