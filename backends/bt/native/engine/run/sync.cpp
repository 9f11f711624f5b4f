// Code lock, safe points and exclusive sections; see sync.h. Every pair of flags here is a Dekker handshake: each side
// writes its own word, then reads the other's, all sequentially consistent.
#include "sync.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../mmu/mmu.h"
#include "machine.h"

namespace rz {
namespace {

constexpr unsigned kSpins = 200;  // a translation takes microseconds, a wake-up tens of them

thread_local Vcpu* t_vcpu = nullptr;
thread_local char t_identity;  // its address names the thread

void futex_wait(std::atomic<u32>& word, u32 seen) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}

void futex_wake(std::atomic<u32>& word, int threads) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, threads, nullptr, nullptr, 0);
}

}  // namespace

void set_current_vcpu(Vcpu* vcpu) { t_vcpu = vcpu; }
Vcpu* current_vcpu() { return t_vcpu; }

// ---- the code lock -----------------------------------------------------------------------------------------------

void VcpuSync::lock_code() {
  const void* self = &t_identity;
  if (code_owner_.load(std::memory_order_relaxed) == self) {
    ++code_depth_;
    return;
  }
  u32 free = 0;
  if (!code_word_.compare_exchange_strong(free, 1, std::memory_order_acquire)) {
    Vcpu* v = t_vcpu;
    const bool inside = v && v->machine == &machine_ && v->presence.load(std::memory_order_relaxed) == kInside;
    if (inside) leave(*v, kPinned);
    unsigned spins = 0;
    for (;;) {
      free = 0;
      if (spins < kSpins) {
        if (code_word_.load(std::memory_order_relaxed) == 0 &&
            code_word_.compare_exchange_strong(free, 1, std::memory_order_acquire))
          break;
        ++spins;
        __builtin_ia32_pause();
        continue;
      }
      if (code_word_.exchange(2, std::memory_order_acquire) == 0) break;
      futex_wait(code_word_, 2);
    }
    if (inside) resume(*v);
  }
  code_owner_.store(self, std::memory_order_relaxed);
  code_depth_ = 1;
}

void VcpuSync::unlock_code() {
  if (--code_depth_ != 0) return;
  code_owner_.store(nullptr, std::memory_order_relaxed);
  if (code_word_.exchange(0, std::memory_order_release) == 2) futex_wake(code_word_, 1);
}

// ---- presence ------------------------------------------------------------------------------------------------------

// Somebody may wait for what just changed.
void VcpuSync::arrived() {
  if (waiters_.load(std::memory_order_seq_cst) == 0) return;
  arrivals_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake(arrivals_, 1 << 30);
}

template <typename Ready>
void VcpuSync::await(Ready ready) {
  for (unsigned spins = 0; spins < kSpins; ++spins) {
    if (ready()) return;
    __builtin_ia32_pause();
  }
  waiters_.fetch_add(1, std::memory_order_seq_cst);
  for (;;) {
    const u32 seen = arrivals_.load(std::memory_order_seq_cst);
    if (ready()) break;
    futex_wait(arrivals_, seen);
  }
  waiters_.fetch_sub(1, std::memory_order_seq_cst);
}

void VcpuSync::enter(Vcpu& v) {
  for (;;) {
    v.presence.store(kInside, std::memory_order_seq_cst);
    if (wanted_.load(std::memory_order_seq_cst) == 0 || owns_exclusive(v)) return;
    leave(v, kOutside);
    futex_wait(wanted_, 1);
  }
}

void VcpuSync::leave(Vcpu& v, Presence to) {
  v.recent_writes.store(0, std::memory_order_relaxed);
  v.presence.store(to, std::memory_order_seq_cst);
  arrived();
}

void VcpuSync::resume(Vcpu& v) {
  v.waits++;
  v.presence.store(kInside, std::memory_order_seq_cst);
}

void VcpuSync::pass_safe_point(Vcpu& v) {
  forget_last_pages(v);  // one may have been filled from an entry that was taken away meanwhile
  v.recent_writes.store(0, std::memory_order_relaxed);
  v.safe_points.fetch_add(1, std::memory_order_seq_cst);
  arrived();
  if (wanted_.load(std::memory_order_seq_cst) == 0 || owns_exclusive(v)) return;
  leave(v, kOutside);
  enter(v);
}

void VcpuSync::wait_for_safe_point(Vcpu& other) {
  const u32 before = other.safe_points.load(std::memory_order_seq_cst);
  other.request(kAttnSafePoint);  // also when it is not inside: before its next block it forgets what it remembers
  if (other.presence.load(std::memory_order_seq_cst) != kInside) return;
  await([&] {
    return other.presence.load(std::memory_order_seq_cst) != kInside ||
           other.safe_points.load(std::memory_order_seq_cst) != before;
  });
}

// ---- exclusive sections --------------------------------------------------------------------------------------------

void VcpuSync::begin_exclusive(Vcpu& v) {
  if (owns_exclusive(v)) {
    ++exclusive_depth_;
    return;
  }
  for (;;) {  // one gatherer at a time; whoever waits for its turn is outside
    Vcpu* nobody = nullptr;
    if (owner_.compare_exchange_strong(nobody, &v, std::memory_order_seq_cst)) break;
    leave(v, kOutside);
    if (wanted_.load(std::memory_order_seq_cst) != 0)
      futex_wait(wanted_, 1);
    else
      sched_yield();  // the other is about to say so, or has just ended
    enter(v);
  }
  v.count(Counter::kExclusive);
  exclusive_depth_ = 1;
  wanted_.store(1, std::memory_order_seq_cst);
  leave(v, kOutside);  // others may wait for a safe point of this vCPU before they can get out of its way
  for (Vcpu* other : machine_.vcpus) {
    if (other == &v) continue;
    if (other->presence.load(std::memory_order_seq_cst) == kOutside) continue;
    other->request(kAttnSafePoint);
    await([&] { return other->presence.load(std::memory_order_seq_cst) == kOutside; });
  }
  v.presence.store(kInside, std::memory_order_seq_cst);
}

void VcpuSync::end_exclusive(Vcpu& v) {
  if (!owns_exclusive(v) || --exclusive_depth_ != 0) return;
  wanted_.store(0, std::memory_order_seq_cst);  // before another can gather
  owner_.store(nullptr, std::memory_order_seq_cst);
  if (machine_.vcpus.size() > 1) futex_wake(wanted_, 1 << 30);
}

PinnedScope::PinnedScope(Vcpu& v) : v_(v), was_inside_(v.presence.load(std::memory_order_relaxed) == kInside) {
  if (was_inside_) v_.machine->sync.leave(v_, kPinned);
}

PinnedScope::~PinnedScope() {
  if (was_inside_) v_.machine->sync.resume(v_);
}

}  // namespace rz
