// 8254 interval timer; see pit.h.
#include "pit.h"

namespace rz {
namespace {

using u128 = unsigned __int128;
constexpr u64 kRefreshToggleNs = 15'085;  // DRAM refresh request, port 61h bit 4

u64 ticks_to_ns(u64 ticks) {  // rounded up, so that the tick has come when the deadline has
  return static_cast<u64>((static_cast<u128>(ticks) * 1'000'000'000u + kPitHz - 1) / kPitHz);
}

bool is_periodic(unsigned mode) { return mode == 2 || mode == 3; }
bool is_triggered(unsigned mode) { return mode == 1 || mode == 5; }

u32 from_bcd(u32 v) { return (v >> 12 & 15) * 1000 + (v >> 8 & 15) * 100 + (v >> 4 & 15) * 10 + (v & 15); }
u16 to_bcd(u32 v) { return static_cast<u16>(v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10); }

}  // namespace

Pit::Pit(const Clock& clock, TimerQueue& timers, unsigned timer, Output output, void* context)
    : clock_(clock), timers_(timers), timer_(timer), output_(output), context_(context) {
  reset();
}

void Pit::reset() {
  for (Channel& c : channels_) c = Channel{};
  channels_[2].gate = false;
  port61_ = 0;
  timers_.cancel(timer_);
}

u64 Pit::now_ticks() const { return static_cast<u64>(static_cast<u128>(clock_.now_ns()) * kPitHz / 1'000'000'000u); }

u64 Pit::elapsed(const Channel& c, u64 now) {
  if (!c.counting) return 0;
  if (!c.gate && !is_triggered(c.mode)) return c.held;
  return now > c.start ? now - c.start : 0;
}

// A count written during a period of mode 2 or 3 takes over where that period ends.
void Pit::settle(Channel& c, u64 now) {
  if (c.next_count == 0 || !c.counting || !c.gate || now < c.start + c.count) return;
  c.start += c.count;
  c.count = c.next_count;
  c.next_count = 0;
}

bool Pit::output(const Channel& c, u64 now) {
  const u64 t = elapsed(c, now);
  switch (c.mode) {
    case 0: return c.counting && t >= c.count;
    case 1: return !c.counting || t >= c.count;
    case 2: return !c.counting || !c.gate || t % c.count != c.count - 1;  // low for the last tick of a period
    case 3: return !c.counting || !c.gate || t % c.count < (c.count + 1) / 2;
    default: return !c.counting || t != c.count;  // 4, 5: low for one tick
  }
}

u16 Pit::current(const Channel& c, u64 now) {
  const u64 t = elapsed(c, now);
  const u32 wrap = c.bcd ? 10000 : 65536;
  u32 value = 0;
  switch (c.mode) {
    case 2: value = c.count - static_cast<u32>(t % c.count); break;
    case 3: value = (c.count & ~1u) - static_cast<u32>(2 * t % c.count & ~1ull); break;  // steps by two
    default: value = static_cast<u32>((c.count + wrap - t % wrap) % wrap); break;        // runs on below zero
  }
  value %= wrap;
  return c.bcd ? to_bcd(value) : static_cast<u16>(value);
}

void Pit::write_count(Channel& c, u32 raw) {
  const u32 digits = c.bcd ? from_bcd(raw) : raw;
  const u32 count = digits != 0 ? digits : c.bcd ? 10000 : 65536;
  const u64 now = now_ticks();
  settle(c, now);
  if (is_periodic(c.mode) && c.counting) {
    c.next_count = count;
  } else {
    c.count = count;
    c.next_count = 0;
    c.held = 0;
    if (!is_triggered(c.mode)) {
      c.start = now;
      c.counting = true;
    }
  }
  c.loaded = true;
  if (&c == &channels_[0]) {
    if (c.mode == 0) output_(context_, false);  // terminal count not reached yet
    schedule(now);
  }
}

void Pit::set_gate(Channel& c, bool gate) {
  if (gate == c.gate) return;
  const u64 now = now_ticks();
  settle(c, now);
  if (gate) {
    if (is_triggered(c.mode)) {
      if (c.loaded) {
        c.start = now;
        c.counting = true;
      }
    } else if (is_periodic(c.mode)) {  // a rising gate restarts the period
      c.start = now;
      if (c.next_count != 0) c.count = c.next_count;
      c.next_count = 0;
    } else {
      c.start = now - c.held;
    }
  } else {
    c.held = elapsed(c, now);
  }
  c.gate = gate;
}

// The next rising edge of channel 0; its gate is tied high.
void Pit::schedule(u64 now) {
  Channel& c = channels_[0];
  settle(c, now);
  if (!c.counting || is_triggered(c.mode)) {
    timers_.cancel(timer_);
    return;
  }
  const u64 t = elapsed(c, now);
  u64 edge = kNever;
  if (is_periodic(c.mode)) {
    edge = c.start + (t / c.count + 1) * c.count;
  } else {
    const u64 end = c.mode == 0 ? c.count : c.count + 1;
    if (t < end) edge = c.start + end;
  }
  if (edge == kNever)
    timers_.cancel(timer_);
  else
    timers_.arm(timer_, ticks_to_ns(edge));
}

void Pit::timer_due() {
  const u64 now = now_ticks();
  if (!channels_[0].counting) return;
  output_(context_, false);
  output_(context_, true);
  schedule(now);
}

void Pit::latch_count(Channel& c, u64 now) {
  if (c.count_latched != 0) return;  // the first latch holds until read
  settle(c, now);
  c.latched_count = current(c, now);
  c.count_latched = c.rw_mode == 3 ? 2 : 1;
}

void Pit::latch_status(Channel& c, u64 now) {
  if (c.status_latched) return;
  settle(c, now);
  const bool null_count = !c.loaded || c.next_count != 0;
  c.status = static_cast<u8>(output(c, now) << 7 | null_count << 6 | c.rw_mode << 4 | c.mode << 1 | c.bcd);
  c.status_latched = true;
}

void Pit::write_control(u8 value) {
  const unsigned select = value >> 6;
  const u64 now = now_ticks();
  if (select == 3) {  // read-back
    for (unsigned i = 0; i < 3; ++i) {
      if ((value & 2u << i) == 0) continue;
      if ((value & 0x20) == 0) latch_count(channels_[i], now);
      if ((value & 0x10) == 0) latch_status(channels_[i], now);
    }
    return;
  }
  Channel& c = channels_[select];
  const u8 access = (value >> 4) & 3;
  if (access == 0) {
    latch_count(c, now);
    return;
  }
  const bool gate = c.gate;
  c = Channel{};
  c.gate = gate;
  c.rw_mode = access;
  c.read_state = c.write_state = access;
  c.mode = (value >> 1) & 7;
  if (c.mode > 5) c.mode -= 4;  // 6 and 7 are aliases of 2 and 3
  c.bcd = (value & 1) != 0;
  if (select == 0) {
    output_(context_, c.mode != 0);
    schedule(now);
  }
}

u8 Pit::read_channel(Channel& c) {
  if (c.status_latched) {
    c.status_latched = false;
    return c.status;
  }
  u16 value = c.latched_count;
  const bool latched = c.count_latched != 0;
  if (latched) {
    --c.count_latched;
  } else {
    const u64 now = now_ticks();
    settle(c, now);
    value = current(c, now);
  }
  const u8 low = static_cast<u8>(value), high = static_cast<u8>(value >> 8);
  switch (c.read_state) {
    case 1: return low;
    case 2: return high;
    case 3: c.read_state = 4; return low;
    default: c.read_state = 3; return high;
  }
}

u8 Pit::read(u16 port) {
  if (port == 0x61) {
    Channel& c = channels_[2];
    const u64 now = now_ticks();
    settle(c, now);
    const bool refresh = (clock_.now_ns() / kRefreshToggleNs & 1) != 0;
    return static_cast<u8>(c.gate | port61_ | refresh << 4 | output(c, now) << 5);
  }
  if (port == 0x43) return 0xFF;  // write-only
  return read_channel(channels_[port & 3]);
}

void Pit::write(u16 port, u8 value) {
  if (port == 0x61) {
    port61_ = value & 0x0E;
    set_gate(channels_[2], (value & 1) != 0);
    return;
  }
  if (port == 0x43) {
    write_control(value);
    return;
  }
  Channel& c = channels_[port & 3];
  switch (c.write_state) {
    case 1: write_count(c, value); break;
    case 2: write_count(c, static_cast<u32>(value) << 8); break;
    case 3:
      c.write_latch = value;
      c.write_state = 4;
      if (c.mode == 0) c.counting = false;  // the first byte stops the count
      if (c.mode == 0 && port == 0x40) schedule(now_ticks());
      break;
    default:
      c.write_state = 3;
      write_count(c, static_cast<u32>(value) << 8 | c.write_latch);
      break;
  }
}

void Pit::save(PitState& s) {
  s = {};
  const u64 now = now_ticks();
  for (unsigned i = 0; i < 3; ++i) {
    Channel& c = channels_[i];
    settle(c, now);
    PitChannelState& o = s.channels[i];
    o.count = c.count;
    o.latched_count = c.latched_count;
    o.count_latched = c.count_latched;
    o.status_latched = c.status_latched;
    o.status = c.status;
    o.read_state = c.read_state;
    o.write_state = c.write_state;
    o.write_latch = c.write_latch;
    o.rw_mode = c.rw_mode;
    o.mode = c.mode;
    o.bcd = c.bcd;
    o.gate = c.gate;
    o.elapsed_ticks = c.counting ? static_cast<i64>(elapsed(c, now)) : -1;
    s.next_count[i] = c.next_count;
    if (c.loaded) s.loaded |= 1u << i;
  }
  s.flags = port61_ & 2;
  s.port61 = port61_ & 0x0C;
}

void Pit::load(const PitState& s) {
  const u64 now = now_ticks();
  for (unsigned i = 0; i < 3; ++i) {
    Channel& c = channels_[i];
    const PitChannelState& o = s.channels[i];
    c = Channel{};
    c.count = o.count >= 1 && o.count <= 65536 ? o.count : 65536;
    c.latched_count = o.latched_count;
    c.count_latched = o.count_latched;
    c.status_latched = o.status_latched != 0;
    c.status = o.status;
    c.read_state = o.read_state;
    c.write_state = o.write_state;
    c.write_latch = o.write_latch;
    c.rw_mode = o.rw_mode & 3;
    c.mode = o.mode <= 5 ? o.mode : 0;
    c.bcd = o.bcd != 0;
    c.gate = o.gate != 0;
    c.counting = o.elapsed_ticks >= 0;
    c.loaded = (s.loaded >> i & 1) != 0;
    c.held = c.counting ? static_cast<u64>(o.elapsed_ticks) : 0;
    c.start = now - c.held;
    c.next_count = s.next_count[i] <= 65536 ? s.next_count[i] : 0;
  }
  port61_ = static_cast<u8>((s.flags & 2) | (s.port61 & 0x0C));
  schedule(now);
}

}  // namespace rz
