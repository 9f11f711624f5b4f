// Bytes between one producer and one consumer, which may be different processes: a view of a given memory area.
// Area: u32 head at 0 (bytes produced, counts for ever), u32 starved at 4 (the producer found it full), u32 tail at 64
// (bytes consumed), then `capacity` bytes at 128. All zero is a valid empty ring. Neither side trusts the other's index
// further than modulo the capacity, so that a hostile peer can garble bytes but never cause an access out of bounds.
// Index stores are sequentially consistent: "store mine, then look at yours" on both sides loses no wake-up.
#pragma once

#include <atomic>

#include "../shared/types.h"

namespace rz {

class ByteRing {
 public:
  static constexpr u32 kHeaderBytes = 128;
  static_assert(std::atomic_ref<u32>::is_always_lock_free);

  /// A ring without memory: always empty for the consumer and swallowing everything from the producer.
  ByteRing() = default;
  /// @param area      at least kHeaderBytes + capacity bytes, aligned to 4 (64 for speed); outlives the view
  /// @param capacity  bytes, a power of two up to 2^30
  ByteRing(void* area, u32 capacity) : area_(static_cast<u8*>(area)), capacity_(capacity) {}

  u32 capacity() const { return capacity_; }
  /// Bytes waiting for the consumer, 0..capacity. Either side.
  u32 waiting() const {
    if (area_ == nullptr) return 0;
    const u32 n = head().load(std::memory_order_seq_cst) - tail().load(std::memory_order_seq_cst);
    return n <= capacity_ ? n : capacity_;
  }
  /// Room for the producer, bytes. Either side.
  u32 room() const { return area_ == nullptr ? ~0u : capacity_ - waiting(); }

  // ---- producer --------------------------------------------------------------------------------------------
  /// Append a byte; false when full, with the starved mark set for take_starved(). `first` becomes true when the
  /// consumer may have seen the ring empty, and so must be told.
  bool push(u8 byte, bool& first) { return write(&byte, 1, first) == 1; }
  /// Append up to `count` bytes; returns how many fitted. Copies byte by byte: touches no vector register in code that
  /// is compiled without them.
  u32 write(const u8* from, u32 count, bool& first) {
    first = false;
    if (area_ == nullptr) return count;
    u32 space = capacity_ - waiting();
    if (space < count) {
      starved().store(1, std::memory_order_seq_cst);
      space = capacity_ - waiting();  // the consumer may have made room before it could see the mark
    }
    const u32 n = space < count ? space : count;
    if (n == 0) return 0;
    const u32 at = head().load(std::memory_order_relaxed);
    u8* const bytes = area_ + kHeaderBytes;
    for (u32 i = 0; i < n; ++i) bytes[(at + i) & (capacity_ - 1)] = from[i];
    head().store(at + n, std::memory_order_seq_cst);
    first = tail().load(std::memory_order_seq_cst) == at;
    return n;
  }

  // ---- consumer --------------------------------------------------------------------------------------------
  bool pop(u8& byte) { return read(&byte, 1) == 1; }
  /// Take up to `count` bytes; returns how many there were.
  u32 read(u8* into, u32 count) {
    if (area_ == nullptr) return 0;
    const u32 there = waiting();
    const u32 n = there < count ? there : count;
    if (n == 0) return 0;
    const u32 at = tail().load(std::memory_order_relaxed);
    const u8* const bytes = area_ + kHeaderBytes;
    for (u32 i = 0; i < n; ++i) into[i] = bytes[(at + i) & (capacity_ - 1)];
    tail().store(at + n, std::memory_order_seq_cst);
    return n;
  }
  /// True, once, when the producer found the ring full since the last call: tell it that there is room. Call after
  /// read().
  bool take_starved() {
    if (area_ == nullptr || starved().load(std::memory_order_seq_cst) == 0) return false;
    return starved().exchange(0, std::memory_order_seq_cst) != 0;
  }

 private:
  std::atomic_ref<u32> word(u32 offset) const { return std::atomic_ref<u32>(*reinterpret_cast<u32*>(area_ + offset)); }
  std::atomic_ref<u32> head() const { return word(0); }
  std::atomic_ref<u32> starved() const { return word(4); }
  std::atomic_ref<u32> tail() const { return word(64); }

  u8* area_ = nullptr;
  u32 capacity_ = 0;
};

}  // namespace rz
