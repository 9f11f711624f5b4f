// How the vCPU threads of one machine keep out of each other's way. Three means, weakest first:
//
//   - The code lock guards every change of the code cache: translating, publishing, linking, dropping, flushing.
//     Lookups (CodeCache::find) take no lock. Blocks that were dropped stay in memory until the next flush.
//   - Safe points. Translated code and C++ helpers look at a soft TLB or at the granules of a page and store a moment
//     later. Whoever makes a page code and finds that another vCPU may be between the two (it held a write tag, or its
//     Vcpu::recent_writes has the page) asks it for attention and waits until it passed a point where it knows nothing.
//   - The exclusive section: every other vCPU is out of translated code and out of C++ that holds block numbers. For
//     flushing the code cache, and for LOCK accesses that the host cannot carry out in one piece.
//
// Presence says which of these others must wait for. Rules for code that runs on a vCPU's thread:
//   - Taking the code lock may wait, and waiting is a safe point: what was known about code pages or TLB tags before
//   has
//     to be looked at again after. A callback of translated code that waited leaves the block (Vcpu::waits changed).
//   - A write check (tag compare or slow_access) allows stores until the next call of C++, which may evict the entry by
//   which
//     others see that stores are under way; translated code that wants to use the address longer checks again.
//   - Waiting for anybody else (the host's answer to an exit, a lock that is held across a wait) needs a PinnedScope,
//   or
//     an exclusive section of another vCPU waits for it too.
//   - Never begin an exclusive section while holding the code lock, nor with a block number that is used afterwards.
// Futexes and atomics only: guest vector state is live. With one vCPU nothing here ever waits.
#pragma once

#include <atomic>

#include "../cpu/types.h"

namespace rz {

struct Vcpu;
class Machine;

/// Where a vCPU's thread is, as others see it.
enum Presence : u32 {
  kOutside =
      0,        // knows no block, is between no check and its store: parked, halted, waiting at the top of the run loop
  kPinned = 1,  // between no check and its store, but will go back into a block: its code must stay
  kInside = 2,  // anything may be under way
};

/// The vCPU that this thread runs, from the beginning to the end of run(); null elsewhere.
void set_current_vcpu(Vcpu* vcpu);
Vcpu* current_vcpu();

class VcpuSync {
 public:
  /// Take and release the code lock. Any thread; the same thread may take it again.
  void lock_code();
  void unlock_code();

  /// Come inside; waits while another vCPU has an exclusive section. The vCPU's own thread.
  void enter(Vcpu& v);
  /// Become kOutside or kPinned.
  void leave(Vcpu& v, Presence to);
  /// From kPinned back to kInside; never waits, because no exclusive section begins while a vCPU is pinned.
  void resume(Vcpu& v);
  /// kAttnSafePoint was seen at the top of the run loop.
  void pass_safe_point(Vcpu& v);
  /// Wait until `other`, if inside, was once at a safe point after this call began. The caller's stores that the other
  /// must see then come before the call.
  void wait_for_safe_point(Vcpu& other);

  /// Begin an exclusive section; the caller is inside and at a point where it knows no block. Nothing else of the
  /// machine runs until the end. The owner may begin it again (it counts).
  void begin_exclusive(Vcpu& v);
  void end_exclusive(Vcpu& v);
  bool owns_exclusive(const Vcpu& v) const { return owner_.load(std::memory_order_relaxed) == &v; }

  explicit VcpuSync(Machine& machine) : machine_(machine) {}

 private:
  void arrived();
  template <typename Ready>
  void await(Ready ready);

  Machine& machine_;
  std::atomic<u32> code_word_{0};                 // futex: 0 free, 1 held, 2 held and waited for
  std::atomic<const void*> code_owner_{nullptr};  // thread that holds the code lock
  u32 code_depth_ = 0;                            // of that thread
  std::atomic<Vcpu*> owner_{nullptr};             // has or gathers the exclusive section
  std::atomic<u32> wanted_{0};                    // futex: 1 from gathering to the end of an exclusive section
  u32 exclusive_depth_ = 0;                       // of owner_
  std::atomic<u32> waiters_{0};                   // threads in await()
  std::atomic<u32> arrivals_{0};                  // futex: counts what await() waits for
};

/// Holds the code lock of a machine.
class CodeGuard {
 public:
  explicit CodeGuard(VcpuSync& sync) : sync_(sync) { sync_.lock_code(); }
  ~CodeGuard() { sync_.unlock_code(); }
  CodeGuard(const CodeGuard&) = delete;
  CodeGuard& operator=(const CodeGuard&) = delete;

 private:
  VcpuSync& sync_;
};

/// While a vCPU's thread waits inside a callback of translated code for something outside this machine's vCPUs.
class PinnedScope {
 public:
  explicit PinnedScope(Vcpu& v);
  ~PinnedScope();
  PinnedScope(const PinnedScope&) = delete;
  PinnedScope& operator=(const PinnedScope&) = delete;

 private:
  Vcpu& v_;
  bool was_inside_;
};

}  // namespace rz
