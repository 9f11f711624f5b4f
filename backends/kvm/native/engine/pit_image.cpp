// Conversion of the 8254.
#include "pit_image.h"

namespace rz::kvm {

namespace {

constexpr u64 kHz = 1'193'182, kNsPerSecond = 1'000'000'000;
constexpr u8 kNoMode = 0xff;  // KVM: no mode word yet
constexpr u32 kWhole = 65536;
constexpr u32 kTimerInput = 0, kTimerPin = 2;  // of the master 8259A, of the IOAPIC

u64 scale(u64 value, u64 to, u64 from) { return static_cast<u64>(static_cast<unsigned __int128>(value) * to / from); }

bool periodic(u8 mode) { return mode == 2 || mode == 3; }

constexpr u8 kLowThenHigh = 3, kHighNext = 4;  // access by two bytes; the second is awaited

/// KVM does not tell when channel 0 was loaded. But the guest's own loads by two bytes leave the low one in
/// write_latch, and KVM hands back count_load_time of this channel as it was set: while write_latch is the low byte's
/// complement, which no load leaves there, the count and its time are still those that load_pit() gave.
u8 mark_of(u32 count) { return static_cast<u8>(~count); }
bool can_mark(const kvm_pit_channel_state& c) { return c.rw_mode == kLowThenHigh && c.write_state != kHighNext; }
bool marked(const kvm_pit_channel_state& c) {
  return can_mark(c) && c.write_latch == mark_of(c.count) && c.count_load_time != 0;
}

/// What channel 0 has to be given so that it goes on where it was.
u32 count_left(const PitChannelState& c) {
  if (c.elapsed_ticks <= 0 || periodic(c.mode) || c.bcd) return c.count;
  const u32 left = static_cast<u32>(c.count - static_cast<u64>(c.elapsed_ticks)) % kWhole;  // counts on below 0
  return left == 0 ? kWhole : left;
}

}  // namespace

void save_pit(const kvm_pit_state2& from, u64 now_ns, PitState& to) {
  to = {};
  for (u32 i = 0; i < 3; ++i) {
    const kvm_pit_channel_state& c = from.channels[i];
    const bool loaded = c.mode != kNoMode;
    PitChannelState& o = to.channels[i];
    o.count = c.count == 0 || c.count > kWhole ? kWhole : c.count;
    o.latched_count = c.latched_count;
    o.count_latched = c.count_latched;
    o.status_latched = c.status_latched;
    o.status = c.status;
    o.read_state = c.read_state;
    o.write_state = c.write_state;
    o.write_latch = c.write_latch;
    o.rw_mode = c.rw_mode;
    o.mode = loaded ? c.mode : u8{0};
    o.bcd = c.bcd;
    o.gate = c.gate;
    o.elapsed_ticks = -1;
    if (!loaded) continue;
    to.loaded |= 1u << i;
    const bool known = i != 0 || marked(c);
    const i64 since = known ? static_cast<i64>(now_ns) - c.count_load_time : 0;
    o.elapsed_ticks = since < 0 ? 0 : static_cast<i64>(scale(static_cast<u64>(since), kHz, kNsPerSecond));
    if (i == 0 && known) o.write_latch = 0;
  }
  to.flags = from.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON;
}

void load_pit(const PitState& from, u64 now_ns, kvm_pit_state2& to) {
  for (u32 i = 0; i < 3; ++i) {
    const PitChannelState& o = from.channels[i];
    kvm_pit_channel_state& c = to.channels[i];
    c.count = i == 0 ? count_left(o) : o.count;
    c.latched_count = o.latched_count;
    c.count_latched = o.count_latched;
    c.status_latched = o.status_latched;
    c.status = o.status;
    c.read_state = o.read_state;
    c.write_state = o.write_state;
    c.write_latch = o.write_latch;
    c.rw_mode = o.rw_mode;
    c.mode = o.elapsed_ticks < 0 && (from.loaded >> i & 1) == 0 ? kNoMode : o.mode;
    c.bcd = o.bcd;
    c.gate = o.gate;
    const u64 ticks = o.elapsed_ticks < 0 ? 0 : static_cast<u64>(o.elapsed_ticks);
    c.count_load_time = o.elapsed_ticks < 0 ? 0 : static_cast<i64>(now_ns - scale(ticks, kNsPerSecond, kHz));
    if (i != 0) continue;
    c.count_load_time = static_cast<i64>(now_ns);  // KVM begins with a whole count when it is set
    if (can_mark(c) && o.elapsed_ticks >= 0) c.write_latch = mark_of(c.count);
  }
  to.flags = (to.flags & ~u32{KVM_PIT_FLAGS_SPEAKER_DATA_ON}) | (from.flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON);
}

u64 pit_period_ns(const PitState& from) { return scale(from.channels[0].count, kNsPerSecond, kHz); }

u64 pit_lead_ns(const PitState& from) {
  const PitChannelState& c = from.channels[0];
  if (!periodic(c.mode) || c.elapsed_ticks <= 0 || c.count == 0) return 0;
  return scale(static_cast<u64>(c.elapsed_ticks) % c.count, kNsPerSecond, kHz);
}

void lower_timer_line(kvm_pic_state& master, kvm_ioapic_state& ioapic) {
  master.last_irr &= static_cast<u8>(~(1u << kTimerInput));
  ioapic.irr &= ~(1u << kTimerPin);
}

}  // namespace rz::kvm
