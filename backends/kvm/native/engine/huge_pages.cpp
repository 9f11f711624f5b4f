// Looking for touched pieces, and collapsing them.
#include "huge_pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

#include "peer/huge_page.h"

namespace rz::kvm {

using shared::kHugePageBytes;

namespace {

constexpr u32 kTouchedEnough = 16;  // pages; a stray one alone does not cost the guest's owner 2 MiB
constexpr u32 kMostRefusals = 8;
constexpr std::chrono::milliseconds kShortestRest{2}, kLongestRest{1000};
constexpr const char* kSetting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/// Whether shared memory has huge pages by MADV_COLLAPSE alone.
bool only_on_demand() {
  char text[128] = {};
  const Fd file(open(kSetting, O_RDONLY | O_CLOEXEC));
  return file.get() >= 0 && read(file.get(), text, sizeof text - 1) > 0 && strstr(text, "[never]") != nullptr;
}

}  // namespace

HugePages::HugePages(u8* ram, Fd fd, const shared::Header& header) : ram_(ram), fd_(std::move(fd)) {
  if (fd_.get() < 0 || reinterpret_cast<u64>(ram) % kHugePageBytes != 0) return;
  for (u32 i = 0; i < header.ranges; ++i) {
    const shared::Range& range = header.range[i];
    const u64 end = range.ram_offset + range.bytes;
    if ((range.base - range.ram_offset) % kHugePageBytes != 0) continue;  // KVM would not use them
    for (u64 at = (range.ram_offset + kHugePageBytes - 1) & ~(kHugePageBytes - 1); at + kHugePageBytes <= end;
         at += kHugePageBytes)
      pieces_.push_back({at, 0});
  }
  if (pieces_.empty()) return;
  (void)!madvise(ram, header.ram_bytes, MADV_HUGEPAGE);
  if (only_on_demand()) thread_ = std::thread([this] { serve(); });
}

HugePages::~HugePages() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard guard(lock_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void HugePages::serve() {
  prctl(PR_SET_NAME, "rz-huge-pages");
  std::chrono::milliseconds rest = kShortestRest;
  while (!pieces_.empty()) {
    {
      std::unique_lock lock(lock_);
      if (changed_.wait_for(lock, rest, [this] { return stop_; })) return;
    }
    rest = std::min(rest * 2, kLongestRest);
    off_t data = 0;  // no page of the file lies between the piece looked at and this
    std::vector<Piece> left;
    left.reserve(pieces_.size());
    for (size_t i = 0; i < pieces_.size(); ++i) {
      Piece piece = pieces_[i];
      if (data >= 0 && data < static_cast<off_t>(piece.offset)) {
        data = lseek(fd_.get(), static_cast<off_t>(piece.offset), SEEK_DATA);  // -1: none behind it
      }
      const bool any = data >= 0 && data < static_cast<off_t>(piece.offset + kHugePageBytes);
      if (!any || peer::resident_pages(ram_ + piece.offset) < kTouchedEnough) {
        left.push_back(piece);
        continue;
      }
      switch (collapse(piece)) {
        case Result::kCannot: return;
        case Result::kMade: rest = kShortestRest; break;
        case Result::kNotNow:
          if (++piece.refused < kMostRefusals) left.push_back(piece);
          break;
      }
      std::lock_guard guard(lock_);
      if (stop_) return;
    }
    pieces_ = std::move(left);
  }
}

HugePages::Result HugePages::collapse(Piece& piece) {
  if (peer::collapse(ram_ + piece.offset) == 0) {
    made_.fetch_add(1, std::memory_order_relaxed);
    return Result::kMade;
  }
  return errno == EINVAL ? Result::kCannot : Result::kNotNow;
}

}  // namespace rz::kvm
