// Which 2 MiB pieces of memory huge host pages would serve better (host/huge_pages.h, decision 0008): of guest RAM
// those that the soft TLB keeps being filled from, because accesses are spread so wide that the host's own TLB misses
// too; of the code cache all that are full, once it is large.
#pragma once

#include <atomic>

#include "../cpu/types.h"

namespace rz {

class RamHeat {
 public:
  static constexpr u64 kPieceBytes = 2u << 20;
  static constexpr u32 kHot = 1u << 13;  // fills

  /// @param ram     first byte of the memory in the host, a multiple of kPieceBytes
  /// @param counts  one zero a whole piece
  RamHeat(const u8* ram, u64 pieces, u32* counts)
      : ram_(reinterpret_cast<u64>(ram)), pieces_(pieces), counts_(counts) {}

  /// An entry was filled with this host page. vCPU threads; counts that are lost in a race do not matter.
  void note(u64 host) {
    const u64 piece = (host - ram_) / kPieceBytes;
    if (piece >= pieces_) return;
    const u32 count = __atomic_load_n(&counts_[piece], __ATOMIC_RELAXED) + 1;
    __atomic_store_n(&counts_[piece], count, __ATOMIC_RELAXED);
    if (count == kHot) announce();
  }

  /// Ask for this piece. The code cache does, under its lock.
  void want(u64 piece) {
    if (piece >= pieces_) return;
    __atomic_store_n(&counts_[piece], kHot, __ATOMIC_RELAXED);
    announce();
  }
  /// Not any more: its memory was given back.
  void forget(u64 piece) {
    if (piece < pieces_) cool(piece);
  }

  // ---- for the one thread that serves hot pieces ----
  u64 pieces() const { return pieces_; }
  /// Sleep until announced() differs from `seen`.
  void wait(u32 seen);
  u32 announced() const { return announced_.load(std::memory_order_acquire); }
  bool hot(u64 piece) const { return __atomic_load_n(&counts_[piece], __ATOMIC_RELAXED) >= kHot; }
  /// Count a piece anew.
  void cool(u64 piece) { __atomic_store_n(&counts_[piece], 0, __ATOMIC_RELAXED); }

 private:
  void announce();

  const u64 ram_;
  const u64 pieces_;
  u32* const counts_;
  std::atomic<u32> announced_{0};  // pieces that became hot, ever; a futex
};

}  // namespace rz
