// Blocks that sleep: dropped because a store hit them, on a page whose code was written before. A just-in-time compiler
// that fills its buffer again, or a program that patches a function back and forth, mostly brings back what was there;
// then a compare with the bytes that the block was made from takes the place of a translation. Immediates that the
// block reads when it runs (patch_sites.h) are left out of the compare.
#include "../cpu/bytes.h"
#include "../mmu/mmu.h"
#include "../mmu/phys_memory.h"
#include "code_cache.h"

namespace rz {
namespace {

GuestRange piece_of(const Block& b, unsigned i) {
  return i == 0 ? GuestRange{static_cast<u16>(b.gpa & 4095), b.guest_bytes} : b.more[i - 1];
}

/// The bytes of a piece, `source` and `page` + piece.at, are the same but for what is read at run time.
bool same(const Block& b, GuestRange piece, const u8* source, const u8* page) {
  unsigned at = piece.at;
  const auto equal_to = [&](unsigned end) { return equal_bytes(source + (at - piece.at), page + at, end - at); };
  for (unsigned i = 0; i < b.soft_count; i++) {
    const SoftBytes& soft = b.soft[i];
    if (soft.at < at || soft.at + soft.bytes > piece.at + piece.bytes) continue;
    if (!equal_to(soft.at)) return false;
    at = soft.at + soft.bytes;
  }
  return equal_to(piece.at + piece.bytes);
}

bool same(const Block& b, const u8* source, const u8* page) {
  for (unsigned i = 0; i <= b.more_count; i++) {
    const GuestRange piece = piece_of(b, i);
    if (!same(b, piece, source, page)) return false;
    source += piece.bytes;
  }
  return true;
}

}  // namespace

void CodeCache::keep_source(u32 index, const u8* page) {
  Block& b = blocks_[index];
  u32 bytes = 0;
  for (unsigned i = 0; i <= b.more_count; i++) bytes += piece_of(b, i).bytes;
  if (source_count_ + bytes > kMaxSources) return;
  b.source = source_count_;
  for (unsigned i = 0; i <= b.more_count; i++) {
    const GuestRange piece = piece_of(b, i);
    copy_bytes(sources_ + source_count_, page + piece.at, piece.bytes);
    source_count_ += piece.bytes;
  }
}

const u8* CodeCache::source_at(const Block& block, unsigned at, unsigned bytes) const {
  const u8* source = sources_ + block.source;
  for (unsigned i = 0; block.source && i <= block.more_count; i++) {
    const GuestRange piece = piece_of(block, i);
    if (at >= piece.at && at + bytes <= u32{piece.at} + piece.bytes) return source + (at - piece.at);
    source += piece.bytes;
  }
  return nullptr;
}

u32 CodeCache::find_asleep(u64 gpa, u64 rip, u64 mode) const {
  for (u32 i = hash_[hash(gpa, rip, mode)]; i; i = blocks_[i].hash_next) {
    const Block& b = blocks_[i];
    if (b.asleep && b.gpa == gpa && b.rip == rip && b.mode == mode) return i;
  }
  return 0;
}

bool CodeCache::wake(Vcpu& self, u32 index) {
  Block& b = blocks_[index];
  const u64 first = b.gpa & kPageMask;
  const u8* page = machine_->memory->host(first);
  const u8* source = sources_ + b.source;
  bool still = page && same(b, source, page);
  if (still) {
    bool read_too_early = false;
    for (unsigned i = 0; i <= b.more_count; i++)
      read_too_early |= claim(self, first + piece_of(b, i).at, piece_of(b, i).bytes);
    // Another vCPU may have been storing to it, or the host.
    still = !read_too_early || same(b, source, page);
  }
  if (!still) {
    forget(index);
    return false;
  }
  b.asleep = false;
  enter_page(index, 0);
  __atomic_store_n(&b.valid, true, __ATOMIC_RELEASE);
  return true;
}

}  // namespace rz
