// The native thread that sleeps for a machine so that JavaScript need not: it waits until the engine has work for the
// host or died, calls `on_work` once, and then waits to be rearmed. While the device thread attends (serves and
// lingers), this thread does not sleep on the shared word: one sleeper at a time, so a wake-up always reaches the right
// one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "engine_link.h"

namespace rz::host {

class Waiter {
 public:
  /// @param on_work  called on the waiter's thread; must not block
  Waiter(EngineLink& link, std::function<void()> on_work);
  /// Stops and joins; the thread leaves within microseconds, at most 100 ms if the engine tampers with the wake word.
  ~Waiter();

  /// The device thread has nothing left to serve: sleep again. Any thread.
  void rearm();
  /// Something else than shared memory wants attention (the process died): on_work is called once more. Any thread.
  void alert();

 private:
  void serve();
  EngineLink& link_;
  std::function<void()> on_work_;
  std::mutex mutex_;  // guards armed_ and stopping_
  std::condition_variable changed_;
  bool armed_ = true;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> alert_{false};
  std::thread thread_;
};

}  // namespace rz::host
