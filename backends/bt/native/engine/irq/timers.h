// The timers that one vCPU's thread serves: its local APIC's, and on the boot processor the PIT's too.
// Deadlines are absolute CLOCK_MONOTONIC ns. A POSIX timer aimed at the thread (SIGRTMIN+2) sets kAttnTimer when the
// earliest one passes, so that a guest in a loop is interrupted without a second thread; it is re-armed only when the
// earliest deadline moves forward, and a signal that turns out to be early costs one look and one re-arm.
// Any thread may arm; callbacks run on the thread that calls run().
#pragma once

#include <time.h>

#include <atomic>
#include <mutex>

#include "../cpu/vcpu.h"
#include "clock.h"

namespace rz {

/// The signal that a vCPU thread's timer sends; its handler runs on the alternate stack.
int timer_signal();

class TimerQueue {
 public:
  static constexpr unsigned kMaxTimers = 8;
  /// @param now_ns the time at which run() looked; callbacks may arm and cancel
  using Callback = void (*)(void* context, u64 now_ns);

  TimerQueue(Vcpu& vcpu, const Clock& clock) : vcpu_(vcpu), clock_(clock) {}
  ~TimerQueue();
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;

  /// Register a timer, not armed. Before the machine runs; at most kMaxTimers. Returns its number.
  unsigned add(Callback callback, void* context);
  /// Set a timer's deadline, ns (kNever: cancel). A time already past is served at the next run(). Any thread.
  void arm(unsigned timer, u64 deadline_ns);
  void cancel(unsigned timer) { arm(timer, kNever); }
  /// Earliest deadline, ns, or kNever. Any thread, no lock.
  u64 next_deadline_ns() const { return earliest_.load(std::memory_order_acquire); }
  /// Call back every timer that is due, each at most once; what is due again by then is left to the next run(),
  /// for which kAttnTimer is set.
  void run();

  /// Aim the POSIX timer at the calling thread. False when the host refuses one (errno says why); timers then
  /// fire only where the run loop looks. Each successful bind needs an unbind on the same thread.
  bool bind_thread();
  /// Delete the POSIX timer and swallow a signal of it that is still under way. On the thread that bound it.
  void unbind_thread();

 private:
  struct Timer {
    u64 deadline_ns = kNever;
    Callback callback = nullptr;
    void* context = nullptr;
  };
  void refresh_earliest();      // lock held
  void rearm_host(u64 now_ns);  // lock held

  Vcpu& vcpu_;
  const Clock& clock_;
  std::mutex lock_;  // guards timers_, count_, host_*; innermost lock, never held over a callback
  Timer timers_[kMaxTimers];
  unsigned count_ = 0;
  std::atomic<u64> earliest_{kNever};  // ns; smallest of timers_, written under lock_
  timer_t host_timer_{};
  bool host_bound_ = false;
  u64 host_armed_ns_ = kNever;  // when the POSIX timer will fire, ns; kNever: not armed
};

}  // namespace rz
