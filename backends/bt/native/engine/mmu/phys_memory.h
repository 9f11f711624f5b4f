// Guest-physical memory: which ranges are RAM or ROM and where they live in the host.
// Everything else is MMIO and goes to the Bus.
#pragma once

#include "../cpu/types.h"

namespace rz {

/// One contiguous range. `base` and `bytes` are multiples of 4096.
struct MemorySlot {
  u64 base;
  u64 bytes;
  u8* host;
  bool read_only;  // ROM: guest writes are dropped
};

/// At most 32 slots, sorted by base, not overlapping. Changed only while no vCPU runs.
class PhysMemory {
 public:
  [[nodiscard]] bool add(const MemorySlot& slot);
  bool remove(u64 base);
  /// The slot that holds `gpa`, or null for MMIO.
  const MemorySlot* find(u64 gpa) const;
  /// Host address of `gpa` when it is RAM or ROM, else null.
  u8* host(u64 gpa) const {
    const MemorySlot* s = find(gpa);
    return s ? s->host + (gpa - s->base) : nullptr;
  }
  /// The guest-physical address that lies at `host`; false: none.
  bool gpa_of(const u8* host, u64& gpa) const {
    for (unsigned i = 0; i < count_; i++) {
      const u64 offset = static_cast<u64>(host - slots_[i].host);
      if (offset >= slots_[i].bytes) continue;
      gpa = slots_[i].base + offset;
      return true;
    }
    return false;
  }
  unsigned count() const { return count_; }
  const MemorySlot& slot(unsigned i) const { return slots_[i]; }

 private:
  MemorySlot slots_[32];
  unsigned count_ = 0;
};

}  // namespace rz
