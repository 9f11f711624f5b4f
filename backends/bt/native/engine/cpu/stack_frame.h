// A stack being built by an event, a call gate or a task switch: items are pushed into a buffer first and written to
// guest memory in one go, so that a fault on the way leaves no architectural change.
#pragma once

#include "../mmu/mmu.h"
#include "segments.h"

namespace rz {

class StackFrame {
 public:
  /// @param item_bytes  2, 4 or 8
  /// @param base, limit, attributes  of the stack segment; in 64-bit stacks pass base 0 and wide = true
  StackFrame(Vcpu& vcpu, const Segment& ss, u64 sp, unsigned item_bytes, PrivClass cls, bool wide)
      : vcpu_(vcpu), ss_(ss), sp_(sp), item_(item_bytes), cls_(cls), wide_(wide) {}

  void push(u64 value) { items_[count_++] = value; }

  /// Write everything. On failure #SS with `error` (or a page fault) is pending.
  [[nodiscard]] bool commit(u32 error) {
    const u64 mask = wide_ ? ~0ull : ss_.big() ? 0xffffffffull : 0xffffull;
    const u64 bytes = static_cast<u64>(count_) * item_;
    u8 image[8 * kMaxItems];
    for (unsigned i = 0; i < count_; ++i) {  // the last push lies lowest
      u64 v = items_[count_ - 1 - i];
      for (unsigned b = 0; b < item_; ++b, v >>= 8) image[i * item_ + b] = static_cast<u8>(v);
    }
    const u64 low = (sp_ - bytes) & mask;
    if (wide_) {
      if (!canonical(vcpu_, low) || !canonical(vcpu_, low + bytes - 1)) return fail(error);
      if (!linear_write(vcpu_, low, image, static_cast<unsigned>(bytes), cls_)) return false;
    } else if (low <= ((sp_ - 1) & mask)) {
      if (!inside(low, bytes)) return fail(error);
      if (!linear_write(vcpu_, static_cast<u32>(ss_.base + low), image, static_cast<unsigned>(bytes), cls_))
        return false;
    } else {  // wraps around the top of a 16-bit stack
      for (unsigned i = 0; i < count_; ++i) {
        const u64 at = (low + i * item_) & mask;
        if (!inside(at, item_)) return fail(error);
        if (!linear_write(vcpu_, static_cast<u32>(ss_.base + at), image + i * item_, item_, cls_)) return false;
      }
    }
    new_sp_ = wide_ ? low : (sp_ & ~mask) | low;
    return true;
  }

  /// Stack pointer after commit().
  u64 sp() const { return new_sp_; }

 private:
  static constexpr unsigned kMaxItems = 40;  // a call gate copies up to 31 parameters

  bool inside(u64 low, u64 bytes) const {
    const u64 last = low + bytes - 1;
    if ((ss_.attributes & 0xc) == 4) return low > ss_.limit && last <= (ss_.big() ? 0xffffffffull : 0xffffull);
    return last <= ss_.limit;
  }
  bool fail(u32 error) {
    vcpu_.raise(kSSx, error);
    return false;
  }

  Vcpu& vcpu_;
  const Segment& ss_;
  u64 sp_;
  u64 new_sp_ = 0;
  unsigned item_;
  PrivClass cls_;
  bool wide_;
  unsigned count_ = 0;
  u64 items_[kMaxItems];
};

/// Segment cache contents of a descriptor, for a stack that is not loaded yet.
inline Segment stack_of(u16 selector, const Descriptor& d) {
  Segment s{};
  s.selector = selector;
  s.attributes = d.attributes();
  s.limit = d.limit();
  s.base = d.base() & 0xffffffff;
  return s;
}

/// Stack pointer and SS for privilege `dpl` from a 16- or 32-bit TSS. #TS on a short TSS.
[[nodiscard]] bool tss_stack(Vcpu& vcpu, unsigned dpl, u32 external, u16& ss, u64& sp);
/// RSPn (0..2) or ISTn (1..7, as 8 + n) from a 64-bit TSS.
[[nodiscard]] bool tss_stack64(Vcpu& vcpu, unsigned which, u32 external, u64& sp);

}  // namespace rz
