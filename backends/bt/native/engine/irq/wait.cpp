// Sleep and wake-up of a halted vCPU; see wait.h for the protocol.
#include "wait.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

namespace rz {

static_assert(sizeof(std::atomic<u32>) == 4 && std::atomic<u32>::is_always_lock_free, "attention must be a futex word");

void wait_for_attention(Vcpu& vcpu, u64 deadline_ns) {
  vcpu.sleeping.store(1, std::memory_order_seq_cst);
  while (vcpu.attention.load(std::memory_order_seq_cst) == 0) {
    timespec until{};
    if (deadline_ns != kNever) {
      if (monotonic_ns() >= deadline_ns) break;
      until.tv_sec = static_cast<time_t>(deadline_ns / 1'000'000'000u);
      until.tv_nsec = static_cast<long>(deadline_ns % 1'000'000'000u);
    }
    // Not FUTEX_PRIVATE: the word may lie in memory shared with the host process, which wakes it too.
    // FUTEX_WAIT_BITSET takes an absolute CLOCK_MONOTONIC time; any of EAGAIN, EINTR, ETIMEDOUT is settled by the loop.
    syscall(SYS_futex, &vcpu.attention, FUTEX_WAIT_BITSET, 0, deadline_ns == kNever ? nullptr : &until, nullptr,
            FUTEX_BITSET_MATCH_ANY);
  }
  vcpu.sleeping.store(0, std::memory_order_relaxed);
}

void wake(Vcpu& vcpu) {
  if (vcpu.sleeping.load(std::memory_order_seq_cst) != 0) {
    syscall(SYS_futex, &vcpu.attention, FUTEX_WAKE, 1, nullptr, nullptr, 0);
  }
}

void notify(Vcpu& vcpu, u32 attention_bits) {
  vcpu.attention.fetch_or(attention_bits, std::memory_order_seq_cst);
  wake(vcpu);
}

}  // namespace rz
