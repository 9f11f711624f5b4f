// Huge pages behind a KVM guest's RAM. The processor walks the guest's page tables and the host's, and KVM makes an
// entry for each page of the host that the guest touches: with pages of 2 MiB the walks are shorter, and the faults
// that make the entries are 512 times fewer. RAM is a memfd. Where the administrator lets shared memory have huge pages
// when it is advised to (transparent_hugepage/shmem_enabled), the first touch makes one, as in private memory.
// Otherwise, as by default, MADV_COLLAPSE (Linux 6.1) makes one of a piece of which the guest or its loader has touched
// a few pages.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "host_kvm.h"
#include "shared/layout.h"

namespace rz::kvm {

class HugePages {
 public:
  /// Advises the kernel or, where that is of no use, starts the thread that looks for touched pieces. It ends by itself
  /// where the kernel cannot, or when all is huge.
  /// @param ram  the RAM memfd `fd`, mapped until this is destroyed
  HugePages(u8* ram, Fd fd, const shared::Header& header);
  ~HugePages();
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;

  /// Pieces that the thread made huge pages of. Any thread.
  u64 made() const { return made_.load(std::memory_order_relaxed); }

 private:
  struct Piece {
    u64 offset;   // in the memfd
    u32 refused;  // how often the kernel had no huge page for it, or the pages were in use
  };
  enum class Result { kMade, kNotNow, kCannot };
  void serve();
  Result collapse(Piece& piece);

  u8* const ram_;
  const Fd fd_;
  std::vector<Piece> pieces_;  // thread_'s own, once it runs: those that are not huge yet
  std::atomic<u64> made_{0};
  std::mutex lock_;  // guards stop_
  std::condition_variable changed_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace rz::kvm
