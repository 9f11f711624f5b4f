// The local APIC's timer: one-shot, periodic and TSC-deadline. Own thread only.
// Counts are turned into CLOCK_MONOTONIC deadlines once, when armed; reading the count turns them back.
#include "../run/machine.h"
#include "lapic.h"

namespace rz {

u64 Lapic::tick_ns() const {
  const u32 divide = reg(kDivide);
  const u32 encoded = (divide & 3) | (divide >> 1 & 4);  // 0: by 2 ... 6: by 128, 7: by 1
  return 1ull << ((encoded + 1) & 7);
}

void Lapic::stop_timer() {
  target_ns_ = kNever;
  timers_.cancel(timer_);
}

void Lapic::start_count(u64 count) {
  if (count == 0) {
    stop_timer();
    return;
  }
  u64 span_ns = count * tick_ns();
  if (timer_mode() == 1 && span_ns < kLapicMinPeriodNs) span_ns = kLapicMinPeriodNs;
  target_ns_ = clock_.now_ns() + span_ns;
  timers_.arm(timer_, target_ns_);
}

u32 Lapic::current_count() const {
  if (target_ns_ == kNever || timer_mode() == 2) return 0;
  const u64 now = clock_.now_ns();
  const u64 tick = tick_ns();
  if (now < target_ns_) return static_cast<u32>((target_ns_ - now + tick - 1) / tick);
  if (timer_mode() != 1) return 0;
  // Periodic and overdue: the hardware would have reloaded already.
  const u64 period = static_cast<u64>(reg(kInitialCount)) * tick;
  if (period == 0) return 0;
  return static_cast<u32>((period - (now - target_ns_) % period + tick - 1) / tick);
}

void Lapic::set_tsc_deadline(u64 guest_tsc) {
  if (timer_mode() != 2) return;  // ignored outside TSC-deadline mode; the MSR reads 0
  tsc_deadline_ = vcpu_.msr.tsc_deadline = guest_tsc;
  if (guest_tsc == 0) {
    timers_.cancel(timer_);
  } else {
    aim_tsc_deadline();
  }
}

void Lapic::tsc_changed() {
  if (tsc_deadline_ != 0) aim_tsc_deadline();
}

void Lapic::aim_tsc_deadline() {
  const u64 now_tsc = guest_tsc();
  if (tsc_deadline_ <= now_tsc) {
    timers_.cancel(timer_);
    tsc_deadline_ = vcpu_.msr.tsc_deadline = 0;
    deliver_lvt(kLvtTimer);
    return;
  }
  const u64 hz = vcpu_.machine->tsc_hz;
  // Beyond 2^40 cycles (minutes) a rounded-down deadline is harmless: timer_due() looks at the TSC and aims again.
  u64 cycles = tsc_deadline_ - now_tsc;
  if (cycles > 1ull << 40) cycles = 1ull << 40;
  const u64 span_ns =
      static_cast<u64>(static_cast<unsigned __int128>(cycles) * 1'000'000'000u / (hz != 0 ? hz : 1'000'000'000u));
  timers_.arm(timer_, clock_.now_ns() + span_ns + 1);
}

void Lapic::timer_due(u64 now_ns) {
  if (timer_mode() == 2) {
    // Delivers when the TSC is there; else aims again, for the two clocks drift (NTP slews CLOCK_MONOTONIC).
    if (tsc_deadline_ != 0) aim_tsc_deadline();
    return;
  }
  if (target_ns_ == kNever) return;
  if (timer_mode() == 1 && reg(kInitialCount) != 0) {
    u64 period = static_cast<u64>(reg(kInitialCount)) * tick_ns();
    if (period < kLapicMinPeriodNs) period = kLapicMinPeriodNs;
    // Ticks that nobody could serve in time merge into one, as they would in the IRR.
    target_ns_ += period * (now_ns > target_ns_ ? (now_ns - target_ns_) / period + 1 : 1);
    timers_.arm(timer_, target_ns_);
  } else {
    target_ns_ = kNever;
  }
  deliver_lvt(kLvtTimer);
}

}  // namespace rz
