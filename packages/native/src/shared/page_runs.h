// The reply of Command::kTakeDirty: pages in ascending order become runs, pairs of u64 (address, bytes), adjacent pages
// one run.
#pragma once

#include <string.h>

#include "types.h"

namespace rz::shared {

class PageRuns {
 public:
  /// @param into, room  where the runs go, in bytes
  PageRuns(u8* into, u32 room) : into_(into), room_(room) {}
  /// One page of 4096 bytes, above all before it. False: no room.
  bool add(u64 at) {
    if (bytes_ != 0 && last_[0] + last_[1] == at) {
      last_[1] += 4096;
    } else {
      if (bytes_ + sizeof last_ > room_) return false;
      bytes_ += sizeof last_;
      last_[0] = at;
      last_[1] = 4096;
    }
    memcpy(into_ + bytes_ - sizeof last_, last_, sizeof last_);
    return true;
  }
  u32 bytes() const { return bytes_; }

 private:
  u8* into_;
  u32 room_, bytes_ = 0;
  u64 last_[2] = {};
};

}  // namespace rz::shared
