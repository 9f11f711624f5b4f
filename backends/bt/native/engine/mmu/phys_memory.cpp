// The table of RAM and ROM ranges. Sorted by base so that a lookup is a short binary search.
#include "phys_memory.h"

namespace rz {

bool PhysMemory::add(const MemorySlot& slot) {
  if (slot.bytes == 0 || slot.host == nullptr) return false;
  if (((slot.base | slot.bytes) & (kPageBytes - 1)) != 0) return false;
  if (slot.base + slot.bytes < slot.base) return false;
  if (count_ == sizeof slots_ / sizeof slots_[0]) return false;
  unsigned at = 0;
  while (at < count_ && slots_[at].base < slot.base) ++at;
  if (at > 0 && slots_[at - 1].base + slots_[at - 1].bytes > slot.base) return false;
  if (at < count_ && slot.base + slot.bytes > slots_[at].base) return false;
  for (unsigned i = count_; i > at; --i) slots_[i] = slots_[i - 1];
  slots_[at] = slot;
  ++count_;
  return true;
}

bool PhysMemory::remove(u64 base) {
  for (unsigned i = 0; i < count_; ++i) {
    if (slots_[i].base != base) continue;
    for (unsigned j = i + 1; j < count_; ++j) slots_[j - 1] = slots_[j];
    --count_;
    return true;
  }
  return false;
}

const MemorySlot* PhysMemory::find(u64 gpa) const {
  unsigned low = 0, high = count_;
  while (low < high) {
    const unsigned middle = (low + high) / 2;
    const MemorySlot& s = slots_[middle];
    if (gpa < s.base)
      high = middle;
    else if (gpa - s.base >= s.bytes)
      low = middle + 1;
    else
      return &s;
  }
  return nullptr;
}

}  // namespace rz
