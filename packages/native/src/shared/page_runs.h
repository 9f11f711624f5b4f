// The replies of Command::kTakeDirty: pages in ascending order become runs, pairs of u64 (address, bytes), adjacent
// pages one run. A run of no bytes at the end says that there was no room for the rest, which waits for the next reply.
#pragma once

#include <string.h>

#include <vector>

#include "types.h"

namespace rz::shared {

/// Pages that were taken out of a log and told to nobody yet. One thread.
class PagesToTell {
 public:
  /// @param words  one bit for each page of the range at `base`; what was noted of it before stays noted
  void note(u64 base, const u64* words, size_t count) {
    size_t i = 0;
    while (i < ranges_.size() && ranges_[i].base < base) ++i;
    if (i == ranges_.size() || ranges_[i].base != base)
      ranges_.insert(ranges_.begin() + static_cast<long>(i), {base, {}});
    std::vector<u64>& known = ranges_[i].words;
    if (known.size() < count) known.resize(count);
    for (size_t w = 0; w < count; ++w) known[w] |= words[w];
  }

  /// Writes as many runs as there is room for, lowest first, and forgets their pages.
  /// @param room  bytes, for two runs or more
  /// @returns how many bytes
  u32 tell(u8* into, u32 room) {
    Run run = {};
    u32 bytes = 0;
    const auto put = [&] {
      memcpy(into + bytes, &run, sizeof run);
      bytes += sizeof run;
    };
    for (Range& range : ranges_) {
      for (size_t w = 0; w < range.words.size(); ++w) {
        for (u64& rest = range.words[w]; rest != 0; rest &= rest - 1) {
          const u64 at = range.base + (w * 64 + static_cast<u64>(__builtin_ctzll(rest))) * kPageBytes;
          if (run.bytes != 0 && run.at + run.bytes == at) {
            run.bytes += kPageBytes;
            continue;
          }
          if (run.bytes != 0) put();
          run = {};
          if (bytes + 2 * sizeof run > room) {
            put();
            return bytes;
          }
          run = {at, kPageBytes};
        }
      }
    }
    if (run.bytes != 0) put();
    return bytes;
  }

  void clear() { ranges_.clear(); }

 private:
  static constexpr u64 kPageBytes = 4096;
  struct Run {
    u64 at, bytes;
  };
  struct Range {
    u64 base;  // guest-physical
    std::vector<u64> words;
  };
  std::vector<Range> ranges_;  // by base
};

}  // namespace rz::shared
