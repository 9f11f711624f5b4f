// Which immediates of guest code keep being rewritten. Just-in-time compilers patch constants into code that stays
// otherwise the same; the translator then reads such a constant from guest memory when the code runs
// (patched_immediate.cpp), so that the next patch costs a store and no translation. A hint only: forgetting a site
// costs time, nothing else.
#pragma once

#include "../cpu/types.h"

namespace rz {

class PatchSites {
 public:
  /// A store of `bytes` at `gpa` dropped translated code.
  void note(u64 gpa, unsigned bytes) {
    if (bytes != 4 && bytes != 8) return;
    Site& s = sites_[slot(gpa)];
    if (s.gpa != gpa) s = {gpa, 0};
    if (s.count < kOften) s.count++;
  }
  /// The immediate at `gpa` is not what it was when code was last translated from it.
  void note_changed(u64 gpa) { sites_[slot(gpa)] = {gpa, kOften}; }
  /// The immediate at `gpa` was patched often enough to expect more.
  bool often(u64 gpa) const {
    const Site& s = sites_[slot(gpa)];
    return s.gpa == gpa && s.count >= kOften;
  }

 private:
  static constexpr u32 kOften = 2;
  static constexpr unsigned kBits = 14;
  struct Site {
    u64 gpa;
    u32 count;
  };
  static unsigned slot(u64 gpa) { return static_cast<unsigned>(gpa * 0x9e3779b97f4a7c15ull >> (64 - kBits)); }
  Site sites_[1u << kBits];
};

}  // namespace rz
