// Sleeping and waking of the thread that serves hot pieces. See ram_heat.h.
#include "ram_heat.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace rz {

void RamHeat::wait(u32 seen) {
  while (announced_.load(std::memory_order_acquire) == seen)
    syscall(SYS_futex, &announced_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
}

void RamHeat::announce() {
  announced_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &announced_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

}  // namespace rz
