// Process-shared futex words: sleep until a 32-bit word in shared memory changes, and wake whoever sleeps on it.
// Not FUTEX_PRIVATE: the two sides are different processes. Every sleep has a limit, so that a peer that
// scribbles over a word can delay the other side but never hang it.
#pragma once

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>

#include "types.h"

namespace rz::shared {

static_assert(std::atomic<u32>::is_always_lock_free && sizeof(std::atomic<u32>) == 4);
static_assert(std::atomic<u64>::is_always_lock_free && sizeof(std::atomic<u64>) == 8);

/// Sleep while `word` holds `expected`, at most `timeout_ns`. May return early for any reason; the caller re-checks.
inline void futex_wait(std::atomic<u32>& word, u32 expected, u64 timeout_ns) {
  timespec limit{static_cast<time_t>(timeout_ns / 1'000'000'000), static_cast<long>(timeout_ns % 1'000'000'000)};
  syscall(SYS_futex, &word, FUTEX_WAIT, expected, &limit, nullptr, 0);
}

/// Wake up to `count` sleepers.
inline void futex_wake(std::atomic<u32>& word, int count = INT_MAX) {
  syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

/// CLOCK_MONOTONIC in nanoseconds.
inline u64 monotonic_ns() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
}

/// A counter that one side bumps after publishing work and the other sleeps on. One sleeper at a time
/// counts on `sleeping`; more may sleep when each passes its own observed value.
struct alignas(64) EventCount {
  std::atomic<u32> events;    // bumped after every publication
  std::atomic<u32> sleeping;  // sleepers; 0 lets the other side skip the system call

  /// Publish: call after the work is visible. Any thread.
  void notify() {
    events.fetch_add(1, std::memory_order_seq_cst);
    if (sleeping.load(std::memory_order_seq_cst) != 0) futex_wake(events);
  }
  /// As notify, but enters the kernel even if the other side's bookkeeping says that nobody sleeps.
  void notify_surely() {
    events.fetch_add(1, std::memory_order_seq_cst);
    futex_wake(events);
  }
  u32 observe() const { return events.load(std::memory_order_seq_cst); }
  /// Sleep until something is published after `observed` was taken (re-check for work between the two).
  void wait(u32 observed, u64 timeout_ns) {
    sleeping.fetch_add(1, std::memory_order_seq_cst);
    futex_wait(events, observed, timeout_ns);
    sleeping.fetch_sub(1, std::memory_order_seq_cst);
  }
};

}  // namespace rz::shared
