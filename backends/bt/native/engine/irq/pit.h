// 8254 interval timer at ports 40h-43h with port 61h (channel 2 gate, speaker, refresh and output bits).
// Counters are not stepped: each remembers the tick at which its count was loaded, and count and output are computed
// when looked at. One deadline is kept, the next rising edge of channel 0. Not locked: the caller serialises.
// Source: Intel 8254 data sheet, "Mode Definitions", "Read-Back Command"; port 61h: PC/AT technical reference.
#pragma once

#include "clock.h"
#include "state/irq_state.h"
#include "timers.h"

namespace rz {

inline constexpr u64 kPitHz = 1'193'182;

class Pit {
 public:
  /// Edges of channel 0's output, which is the timer interrupt line.
  using Output = void (*)(void* context, bool level);
  /// @param timer  the number of this PIT's timer in `timers`; the owner's callback calls timer_due()
  Pit(const Clock& clock, TimerQueue& timers, unsigned timer, Output output, void* context);

  void reset();
  /// The deadline passed: drive channel 0's edge and find the next one.
  void timer_due();

  static constexpr bool owns(u16 port) { return (port >= 0x40 && port <= 0x43) || port == 0x61; }
  u8 read(u16 port);
  void write(u16 port, u8 value);

  void save(PitState& state);
  void load(const PitState& state);

 private:
  struct Channel {
    u32 count = 65536;      // reload value in counts (BCD decoded), 1..65536
    u32 next_count = 0;     // takes over at the end of the period (modes 2, 3); 0: none
    u64 start = 0;          // tick of the load; meaningful while `counting`
    u64 held = 0;           // ticks counted when GATE went low (modes 0, 2, 3, 4)
    bool counting = false;  // a count was loaded (modes 1, 5: a trigger came)
    bool loaded = false;    // a count was written since the mode word: false reads as null count, output at rest
    bool gate = true;
    u8 mode = 0, rw_mode = 3, read_state = 3, write_state = 3, write_latch = 0;
    bool bcd = false;
    u16 latched_count = 0;
    u8 count_latched = 0;  // bytes still to read
    bool status_latched = false;
    u8 status = 0;
  };

  u64 now_ticks() const;
  void settle(Channel& c, u64 now);
  static u64 elapsed(const Channel& c, u64 now);
  static bool output(const Channel& c, u64 now);
  static u16 current(const Channel& c, u64 now);  // as read: BCD when so programmed
  void write_control(u8 value);
  void write_count(Channel& c, u32 raw);
  void latch_count(Channel& c, u64 now);
  void latch_status(Channel& c, u64 now);
  u8 read_channel(Channel& c);
  void set_gate(Channel& c, bool gate);
  void schedule(u64 now);

  const Clock& clock_;
  TimerQueue& timers_;
  unsigned timer_;
  Output output_;
  void* context_;
  Channel channels_[3];
  u8 port61_ = 0;  // bits 1..3 as written; bit 0 is channel 2's gate
};

}  // namespace rz
