// Memory of the log.
#include "dirty_log.h"

namespace rz {

DirtyLog::DirtyLog(const PhysMemory& memory) : memory_(memory) {
  for (unsigned s = 0; s < memory.count(); ++s) {
    first_[s] = count_;
    count_ += (memory.slot(s).bytes / kPageBytes + 63) / 64;
  }
  words_ = std::make_unique<u64[]>(count_);
}

void DirtyLog::clear() {
  for (u64 i = 0; i < count_; ++i) words_[i] = 0;
}

}  // namespace rz
