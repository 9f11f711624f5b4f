// Which pages of RAM the guest wrote: a bit a page. While there is a log, a soft TLB learns a page for writing only
// when the page is in it, so that each store either finds its page noted or comes to the slow path, which notes it;
// taking the log empties the write sides again. Without one (Machine::dirty is null) nothing is looked at but that
// pointer, on slow paths. Made, taken and ended while no vCPU runs; noted by any vCPU.
#pragma once

#include <memory>

#include "../cpu/vcpu.h"
#include "phys_memory.h"

namespace rz {

class DirtyLog {
 public:
  explicit DirtyLog(const PhysMemory& memory);
  void note(const MemorySlot& slot, u64 gpa) {
    const u64 n = page(slot, gpa);
    u64& word = words_[n / 64];
    const u64 bit = 1ull << (n % 64);
    if ((__atomic_load_n(&word, __ATOMIC_RELAXED) & bit) == 0) __atomic_fetch_or(&word, bit, __ATOMIC_RELAXED);
  }
  bool noted(const MemorySlot& slot, u64 gpa) const {
    const u64 n = page(slot, gpa);
    return (__atomic_load_n(&words_[n / 64], __ATOMIC_RELAXED) >> (n % 64) & 1) != 0;
  }
  /// Calls visit(base, words, count) for each slot, lowest first: bit n of the words is its page n.
  template <typename Visit>
  void for_each_slot(Visit visit) const {
    for (unsigned s = 0; s < memory_.count(); ++s) {
      const MemorySlot& slot = memory_.slot(s);
      visit(slot.base, words_.get() + first_[s], (slot.bytes / kPageBytes + 63) / 64);
    }
  }
  /// Nothing is noted any more.
  void clear();

 private:
  u64 page(const MemorySlot& slot, u64 gpa) const {
    return first_[&slot - &memory_.slot(0)] * 64 + (gpa - slot.base) / kPageBytes;
  }

  const PhysMemory& memory_;
  u64 first_[32];  // by slot: its first word
  u64 count_ = 0;  // of words
  std::unique_ptr<u64[]> words_;
};

}  // namespace rz
