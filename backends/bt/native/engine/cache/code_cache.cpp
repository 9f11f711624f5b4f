// Storage, lookup, linking and invalidation of translated blocks. See code_cache.h.
#include "code_cache.h"

#include <sys/mman.h>
#include <unistd.h>

#include "../emit/assembler.h"
#include "../mmu/mmu.h"
#include "../mmu/phys_memory.h"
#include "../mmu/ram_heat.h"
#include "perf_map.h"

namespace rz {
namespace {

constexpr u32 kHashSlots = 1u << 18;
constexpr u32 kMaxBlocks = 1u << 21;
constexpr u32 kMaxLinks = 1u << 22;
constexpr u32 kMaxMaps = 1u << 25;
constexpr u32 kMaxStarts = 1u << 25;
constexpr u32 kMaxInsts = 1u << 21;
constexpr u64 kRoomPerBlock = 256 << 10;  // upper bound of one block's code, with slack
constexpr u32 kReadyBytes = 64 << 10;     // of code memory are asked from the host at a time

template <typename T>
T* reserve(u64 count) {
  void* at =
      mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : static_cast<T*>(at);
}

template <typename T>
void release(T*& at, u64 count) {
  if (at) munmap(at, count * sizeof(T));
  at = nullptr;
}

/// An address at which so many bytes were free, a multiple of what a huge page has, or null. A wish for mmap(2): who
/// takes it meanwhile gets it.
void* room_for_huge_pages(u64 bytes) {
  const u64 more = bytes + RamHeat::kPieceBytes;
  void* at = mmap(nullptr, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) return nullptr;
  munmap(at, more);
  const u64 first = reinterpret_cast<u64>(at) + RamHeat::kPieceBytes - 1;
  return reinterpret_cast<void*>(first / RamHeat::kPieceBytes * RamHeat::kPieceBytes);
}

/// The code's memory, once to run and once to write. To run, it lies where huge pages may.
bool map_twice(u64 bytes, u8*& rx, u8*& rw) {
  const int fd = memfd_create("ringzero-code", MFD_CLOEXEC);
  if (fd < 0) return false;
  const bool sized = ftruncate(fd, static_cast<off_t>(bytes)) == 0;
  void* x = sized ? mmap(room_for_huge_pages(bytes), bytes, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) : MAP_FAILED;
  void* w = sized ? mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
  close(fd);
  rx = x == MAP_FAILED ? nullptr : static_cast<u8*>(x);
  rw = w == MAP_FAILED ? nullptr : static_cast<u8*>(w);
  return rx && rw;
}

/// Likewise, so that perf looks at the map file: it does for anonymous memory only, and a memfd is a file to it. The
/// second mapping of shared memory that has no descriptor comes from mremap(2) of zero bytes.
bool map_for_perf(u64 bytes, u8*& rx, u8*& rw) {
  void* w = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (w == MAP_FAILED) return false;
  void* x = mremap(w, 0, bytes, MREMAP_MAYMOVE);
  if (x == MAP_FAILED || mprotect(x, bytes, PROT_READ | PROT_EXEC) != 0) return false;
  rx = static_cast<u8*>(x);
  rw = static_cast<u8*>(w);
  return true;
}

u64 granule_mask(u64 gpa, u64 bytes_in_page) {
  const unsigned first = static_cast<unsigned>(gpa & 4095) >> kGranuleShift;
  const unsigned last = static_cast<unsigned>((gpa & 4095) + bytes_in_page - 1) >> kGranuleShift;
  const u64 upto = last == 63 ? ~0ull : (1ull << (last + 1)) - 1;
  return upto & ~((1ull << first) - 1);
}

// What vCPUs read without the lock.
template <typename T>
T peek(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
template <typename T>
void put(T& word, T value) {
  __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

/// Granules of physical page `page` that the block was made from.
u64 granules_on(const Block& b, u64 page) {
  const u64 first = b.gpa2 == ~0ull ? b.guest_bytes : kPageBytes - (b.gpa & 4095);
  u64 mask = 0;
  if ((b.gpa >> 12) == page) {
    mask |= granule_mask(b.gpa, first);
    for (unsigned i = 0; i < b.more_count; i++) mask |= granule_mask(b.more[i].at, b.more[i].bytes);
  }
  if (b.gpa2 != ~0ull && (b.gpa2 >> 12) == page) mask |= granule_mask(b.gpa2, b.guest_bytes - first);
  return mask;
}

unsigned row_of(u64 gpa) { return static_cast<unsigned>(gpa & 4095) >> PageCode::kRowShift; }

/// Where the block's first or second part begins.
u64 part_of(const Block& b, unsigned which) { return which ? b.gpa2 : b.gpa; }

/// The row in which a part of the block stands.
unsigned row_of_part(const Block& b, unsigned which) {
  return b.more_count ? PageCode::kScattered : row_of(part_of(b, which));
}

/// Through which of its parts a block stands in this row. Both may be in one page (mapped twice), but not in one row.
unsigned which_part(const Block& b, u64 page, unsigned row) {
  return (b.gpa >> 12) == page && row_of_part(b, 0) == row ? 0 : 1;
}

bool meet(u64 a, u64 a_bytes, u64 b, u64 b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

}  // namespace

bool depends_on(const Block& b, u64 gpa, unsigned bytes) {
  const u64 first = b.gpa2 == ~0ull ? b.guest_bytes : kPageBytes - (b.gpa & 4095);
  if (b.gpa2 != ~0ull && meet(gpa, bytes, b.gpa2, b.guest_bytes - first)) return true;
  const u64 page = b.gpa & kPageMask;
  bool met = meet(gpa, bytes, b.gpa, first);
  for (unsigned i = 0; i < b.more_count; i++) met |= meet(gpa, bytes, page + b.more[i].at, b.more[i].bytes);
  if (!met) return false;
  for (unsigned i = 0; i < b.soft_count; i++) {
    const u64 at = page + b.soft[i].at;
    if (gpa >= at && gpa + bytes <= at + b.soft[i].bytes) return false;
  }
  return true;
}

bool CodeCache::init(Machine& machine, u64 bytes, u64 top_of_memory) {
  machine_ = &machine;
  bytes_ = bytes;
  if (!(machine.options.perf_map ? map_for_perf(bytes, rx_, rw_) : map_twice(bytes, rx_, rw_))) return false;
  pages_count_ = (top_of_memory + kPageBytes - 1) >> 12;
  if (pages_count_ < 1u << 20) pages_count_ = 1u << 20;  // the whole 32-bit space, ROM below 4 GiB included
  blocks_ = reserve<Block>(kMaxBlocks);
  links_ = reserve<Link>(kMaxLinks);
  maps_ = reserve<InstMap>(kMaxMaps);
  starts_ = reserve<InstStart>(kMaxStarts);
  insts_ = reserve<Inst>(kMaxInsts);
  sources_ = reserve<u8>(kMaxSources);
  hash_ = reserve<u32>(kHashSlots);
  pages_ = reserve<PageCode>(pages_count_ ? pages_count_ : 1);
  patch_sites_ = reserve<PatchSites>(1);
  return patch_sites_ && rx_ && rw_ && blocks_ && links_ && maps_ && starts_ && insts_ && sources_ && hash_ && pages_;
}

void CodeCache::destroy() {
  release(rx_, bytes_);
  release(rw_, bytes_);
  release(blocks_, kMaxBlocks);
  release(links_, kMaxLinks);
  release(maps_, kMaxMaps);
  release(starts_, kMaxStarts);
  release(insts_, kMaxInsts);
  release(sources_, kMaxSources);
  release(hash_, kHashSlots);
  release(pages_, pages_count_ ? pages_count_ : 1);
  release(patch_sites_, 1);
}

bool CodeCache::nearly_full() const {
  return used_ + kRoomPerBlock > bytes_ || block_count_ + 2 > kMaxBlocks || link_count_ + 256 > kMaxLinks ||
         map_count_ + 256 > kMaxMaps || start_count_ + 256 > kMaxStarts || inst_count_ + 256 > kMaxInsts;
}

void CodeCache::seal_thunks(const u8* end) {
  used_ = (offset_of(end) + 63) & ~63u;
  thunks_end_ = used_;
}

// Page faults one by one, for either mapping, cost more than most blocks take to translate.
void CodeCache::make_ready() {
#ifdef MADV_POPULATE_WRITE
  const u64 from = ready_ & kPageMask;
  const u64 bytes = from + kReadyBytes < bytes_ ? kReadyBytes : bytes_ - from;
  madvise(rw_ + from, bytes, MADV_POPULATE_WRITE);  // hosts that do not know it serve faults
  madvise(rx_ + from, bytes, MADV_POPULATE_READ);
  ready_ = static_cast<u32>(from + bytes);
#endif
}

// Guests that run much code, as just-in-time compilers do, miss the host's TLB for code; a boot does not fill so much.
void CodeCache::ask_for_huge_pages() {
  constexpr u32 kLarge = 32u << 20;
  if (!huge_pages_ || used_ < kLarge) return;
  while (huge_asked_ < used_ / RamHeat::kPieceBytes) huge_pages_->want(huge_asked_++);
}

// The memory of a large cache that is about to be empty. Tables come back as zeros, which is what empty ones hold.
void CodeCache::give_back() {
  constexpr u64 kWorthwhile = 1 << 20;
  const u64 first = (thunks_end_ + kPageBytes - 1) & kPageMask;
  if (used_ < first + kWorthwhile) return;
  while (huge_asked_ > 0) huge_pages_->forget(--huge_asked_);
  madvise(rw_ + first, (ready_ > used_ ? ready_ : used_) - first, MADV_REMOVE);
  ready_ = static_cast<u32>(first);
  madvise(blocks_, block_count_ * sizeof(Block), MADV_DONTNEED);
  madvise(links_, link_count_ * sizeof(Link), MADV_DONTNEED);
  madvise(maps_, map_count_ * sizeof(InstMap), MADV_DONTNEED);
  madvise(starts_, start_count_ * sizeof(InstStart), MADV_DONTNEED);
  madvise(insts_, inst_count_ * sizeof(Inst), MADV_DONTNEED);
  madvise(sources_, source_count_, MADV_DONTNEED);
  madvise(pages_, pages_count_ * sizeof(PageCode), MADV_DONTNEED);
}

void CodeCache::flush() {
  CodeGuard guard(machine_->sync);
  for (u32 i = 1; i < block_count_; i++) {
    const Block& b = blocks_[i];
    if (!b.valid) continue;
    for (u64 gpa : {b.gpa, b.gpa2}) {
      if (gpa == ~0ull) continue;
      const u64 page = gpa >> 12;
      pages_[page] = {};
      if (page < shared_pages_)
        __atomic_fetch_and(&shared_bitmap_[page >> 6], ~(1ull << (page & 63)), __ATOMIC_RELEASE);
    }
  }
  madvise(hash_, kHashSlots * sizeof(u32), MADV_DONTNEED);
  give_back();
  used_ = thunks_end_;
  block_count_ = link_count_ = map_count_ = start_count_ = 1;
  inst_count_ = 0;
  source_count_ = 1;
  for (auto& words : wanderers_)
    for (u64& word : words) word = 0;
  generation_++;
  invalidations_++;
  for (Vcpu* vcpu : machine_->vcpus) jump_flush_all(*vcpu);
}

void CodeCache::note_wanderer(u32 index, unsigned at) {
  CodeGuard guard(machine_->sync);
  const u64 rip = rip_in_page(blocks_[index], at);
  wanderers_[wanders(rip) != 0][wanderer(rip) / 64] |= 1ull << wanderer(rip) % 64;
  remove(index, false);  // its granules stay marked, for what takes its place
}

bool CodeCache::still_guarded(u64 gpa) {
  const u64 n = gpa >> 12;
  if (n >= pages_count_) return false;
  PageCode& page = pages_[n];
  if (peek(page.granules)) return true;
  // In one piece: a count that another vCPU brought back after the end would let claim() believe that there are no
  // tags.
  u32 left = peek(page.guard);
  while (left &&
         !__atomic_compare_exchange_n(&page.guard, &left, left - 1, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {}
  return left > 1;
}

u32 CodeCache::hash(u64 gpa, u64 rip, u64 mode) {
  u64 h = gpa * 0x9e3779b97f4a7c15ull ^ (rip >> 12) * 0xc2b2ae3d27d4eb4full ^ mode * 0x165667b19e3779f9ull;
  return static_cast<u32>(h >> 40) & (kHashSlots - 1);
}

u32 CodeCache::find(u64 gpa, u64 rip, u64 mode) const {
  for (u32 i = peek(hash_[hash(gpa, rip, mode)]); i; i = peek(blocks_[i].hash_next)) {
    const Block& b = blocks_[i];
    if (b.gpa == gpa && b.rip == rip && b.mode == mode && peek(b.valid)) return i;
  }
  return 0;
}

u32 CodeCache::find_host(const void* host) const {
  if (!contains(host)) return 0;
  const u32 offset = static_cast<u32>(static_cast<const u8*>(host) - rx_);
  // Blocks are laid out in the order of their numbers.
  const u32 count = peek(block_count_);
  u32 lo = 1, hi = count;
  while (lo < hi) {
    const u32 mid = lo + (hi - lo) / 2;
    if (blocks_[mid].code_end <= offset)
      lo = mid + 1;
    else
      hi = mid;
  }
  return lo < count && blocks_[lo].code_indirect <= offset ? lo : 0;
}

u32 CodeCache::new_block() {
  if (used_ + kPageBytes > ready_ && ready_ < bytes_) {
    if (ready_ < used_) ready_ = used_;
    make_ready();
    ask_for_huge_pages();
  }
  Block& b = blocks_[block_count_];
  b = Block{};
  b.gpa2 = ~0ull;
  return block_count_;
}

u32 CodeCache::new_link(u32 source, u32 field, u32 stub, u64 target_rip, bool backward, bool careful) {
  links_[link_count_] = Link{target_rip, source, field, stub, 0, 0, backward, careful};
  return link_count_++;
}

u32 CodeCache::add_map(const InstMap& map) {
  maps_[map_count_] = map;
  return map_count_++;
}

const Inst* CodeCache::keep(const Inst& inst) {
  insts_[inst_count_] = inst;
  return &insts_[inst_count_++];
}

bool CodeCache::soften(u32 index, unsigned at, unsigned bytes) {
  Block& b = blocks_[index];
  if (b.soft_count == sizeof b.soft / sizeof b.soft[0]) return false;
  b.soft[b.soft_count++] = {static_cast<u16>(at), static_cast<u8>(bytes)};
  return true;
}

const u8* CodeCache::soft_host(const Block& block, unsigned i) const {
  return machine_->memory->host((block.gpa & kPageMask) + block.soft[i].at);
}

bool CodeCache::claim(Vcpu& self, u64 gpa, unsigned bytes) {
  const u64 n = gpa >> 12;
  PageCode& page = pages_[n];
  const u64 mask = granule_mask(gpa, bytes);
  if ((page.granules & mask) == mask) return false;
  const bool first = page.granules == 0;
  put(page.granules, page.granules | mask);
  if (first && n < shared_pages_) __atomic_fetch_or(&shared_bitmap_[n >> 6], 1ull << (n & 63), __ATOMIC_SEQ_CST);
  if (!machine_->smp()) {
    if (first && page.guard == 0) tlb_protect_physical(self, n << 12, true);
    return first;
  }
  // A store that another vCPU begins from now on sees the granules; for those under way, wait. Whoever ends the page's
  // guard looks for granules before it stores through a write tag.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  const bool open = first && peek(page.guard) == 0;
  const u8* host = machine_->memory->host(gpa & kPageMask);
  u64 wait_for = 0;
  for (Vcpu* vcpu : machine_->vcpus) {
    const bool held = open && tlb_protect_physical(*vcpu, n << 12, vcpu == &self);
    if (vcpu != &self && (held || wrote_recently(*vcpu, host))) wait_for |= 1ull << vcpu->index;
  }
  for (; wait_for; wait_for &= wait_for - 1)
    machine_->sync.wait_for_safe_point(*machine_->vcpus[static_cast<unsigned>(__builtin_ctzll(wait_for))]);
  return true;
}

void CodeCache::publish(u32 index, const u8* end) {
  Block& b = blocks_[index];
  b.code_end = offset_of(end);
  used_ = (b.code_end + 15) & ~15u;
  b.valid = true;
  const u32 slot = hash(b.gpa, b.rip, b.mode);
  b.hash_next = hash_[slot];
  put(block_count_, index + 1);
  put(hash_[slot], index);
  enter_page(index, 0);
  if (b.gpa2 != ~0ull) enter_page(index, 1);
  if (machine_->options.perf_map) perf_map_add(rx_ + b.code_indirect, b.code_end - b.code_indirect, b.rip, b.mode);
}

void CodeCache::connect(u32 link_index, u32 target) {
  Link& link = links_[link_index];
  Block& to = blocks_[target];
  link.target = target;
  link.next_in = to.links_in;
  to.links_in = link_index;
  Assembler::patch(rw_ + link.field, rw_ + (link.backward ? to.code_polled : to.code_direct));
}

void CodeCache::connect_code(u32 link_index, const u8* end) {
  links_[link_index].stub = used_;
  Assembler::patch(rw_ + links_[link_index].field, begin_code());
  used_ = (offset_of(end) + 15) & ~15u;
}

void CodeCache::enter_page(u32 index, unsigned which) {
  Block& b = blocks_[index];
  const u64 gpa = part_of(b, which);
  PageCode& page = pages_[gpa >> 12];
  u32& first = page.first_block[row_of_part(b, which)];
  b.page_next[which] = first;
  first = index;
  // A second part is shorter than an instruction, and a first one with a second ends with its row.
  const u32 reach = row_of((gpa & ((1u << PageCode::kRowShift) - 1)) + b.guest_bytes - 1);
  if (b.gpa2 == ~0ull && page.reach < reach) page.reach = static_cast<u8>(reach);
}

void CodeCache::unlink_page(u32 index, unsigned which) {
  const u64 gpa = part_of(blocks_[index], which), n = gpa >> 12;
  const unsigned row = row_of_part(blocks_[index], which);
  u32* at = &pages_[n].first_block[row];
  while (*at && *at != index) at = &blocks_[*at].page_next[which_part(blocks_[*at], n, row)];
  if (*at) *at = blocks_[index].page_next[which];
}

/// Take a block that is not valid out of the table of keys.
void CodeCache::forget(u32 index) {
  Block& b = blocks_[index];
  b.asleep = false;
  u32* at = &hash_[hash(b.gpa, b.rip, b.mode)];
  while (*at && *at != index) at = &blocks_[*at].hash_next;
  if (*at) put(*at, b.hash_next);  // b.hash_next stays for those who are at b now
}

void CodeCache::remove(u32 index, bool may_sleep) {
  Block& b = blocks_[index];
  if (!b.valid) return;
  put(b.valid, false);
  if (machine_->smp()) __atomic_thread_fence(__ATOMIC_SEQ_CST);  // before the jump tables; see fill_jump_table()
  put(invalidations_, invalidations_ + 1);
  b.asleep = may_sleep && b.source;
  if (!b.asleep) forget(index);
  unlink_page(index, 0);
  if (b.gpa2 != ~0ull) unlink_page(index, 1);
  for (u32 l = b.links_in; l;) {
    Link& link = links_[l];
    const u32 next = link.next_in;
    if (link.target == index) {
      link.target = 0;
      Assembler::patch(rw_ + link.field, rw_ + link.stub);
    }
    l = next;
  }
  b.links_in = 0;
  // Links out of this block: take them off their targets' lists, their numbers are never used again.
  const u8* host = rx_ + b.code_indirect;
  const unsigned slot = jump_index(b.rip);
  static_assert(kContexts * kCodeClasses <= 8 * sizeof b.jumped_to);
  for (u32 rest = peek(b.jumped_to); rest; rest &= rest - 1) {
    const unsigned table = static_cast<unsigned>(__builtin_ctz(rest));
    for (Vcpu* vcpu : machine_->vcpus) {
      JumpTable& jump = vcpu->contexts[table / kCodeClasses].jump[table % kCodeClasses];
      if (peek(jump.host[slot]) == host) put(jump.host[slot], jump_miss);
      const u8*& second = jump.second[second_jump_index(b.rip)].host;
      if (peek(second) == host) put(second, static_cast<const u8*>(nullptr));
    }
  }
}

bool CodeCache::hits(u64 gpa, unsigned bytes) const {
  while (bytes) {
    const u64 n = gpa >> 12;
    const u64 room = kPageBytes - (gpa & 4095);
    const unsigned part = bytes < room ? bytes : static_cast<unsigned>(room);
    if (n < pages_count_ && (peek(pages_[n].granules) & granule_mask(gpa, part))) return true;
    gpa += part;
    bytes -= part;
  }
  return false;
}

bool CodeCache::invalidate_page(u64 gpa, unsigned bytes) {
  const u64 n = gpa >> 12;
  if (n >= pages_count_) return false;
  PageCode& page = pages_[n];
  if (!(page.granules & granule_mask(gpa, bytes))) return false;
  const auto for_each_block = [&](u64 first_byte, u64 last_byte, auto visit) {
    const unsigned last = row_of(last_byte);
    unsigned row = row_of(first_byte);
    row -= row < page.reach ? row : page.reach;
    for (; row <= PageCode::kScattered; row = row == last ? PageCode::kScattered : row + 1)
      for (u32 i = page.first_block[row], next; i; i = next) {
        next = blocks_[i].page_next[which_part(blocks_[i], n, row)];
        visit(i);
      }
  };
  const bool all = bytes == kPageBytes;  // the page gets another use
  u64 lost = 0;
  for_each_block(gpa, gpa + bytes - 1, [&](u32 i) {
    if (!depends_on(blocks_[i], gpa, bytes)) return;
    lost |= granules_on(blocks_[i], n);
    remove(i, !all);
  });
  if (lost == 0) return false;
  if (page.dropped < PageCode::kOftenDropped) page.dropped++;
  if (all) page.dropped = page.patched = 0;
  u64 kept = 0;
  for_each_block(static_cast<u64>(__builtin_ctzll(lost)) << kGranuleShift,
                 static_cast<u64>(63 - __builtin_clzll(lost)) << kGranuleShift,
                 [&](u32 i) { kept |= granules_on(blocks_[i], n); });
  const u64 granules = page.granules & ~(lost & ~kept);
  if (granules == 0) {
    page.reach = 0;
    put(page.guard, page.dropped == PageCode::kOftenDropped ? PageCode::kGuardedStores : 0);
  }
  put(page.granules, granules);
  if (granules == 0 && n < shared_pages_)
    __atomic_fetch_and(&shared_bitmap_[n >> 6], ~(1ull << (n & 63)), __ATOMIC_RELEASE);
  return true;
}

void CodeCache::invalidate(u64 gpa, unsigned bytes) {
  if (machine_->smp()) __atomic_thread_fence(__ATOMIC_SEQ_CST);  // the store that led here comes before the look
  if (!hits(gpa, bytes)) return;
  CodeGuard guard(machine_->sync);
  while (bytes) {
    const u64 room = kPageBytes - (gpa & 4095);
    const unsigned part = bytes < room ? bytes : static_cast<unsigned>(room);
    if (invalidate_page(gpa, part)) patch_sites_->note(gpa, part);
    gpa += part;
    bytes -= part;
  }
}

bool code_page(const Machine& machine, u64 gpa) { return machine.code && machine.code->page_has_code(gpa); }
bool code_hit(const Machine& machine, u64 gpa, unsigned bytes) {
  return machine.code && machine.code->hits(gpa, bytes);
}
bool code_still_guarded(const Machine& machine, u64 gpa) { return machine.code && machine.code->still_guarded(gpa); }
void code_invalidate(Machine& machine, u64 gpa, unsigned bytes) {
  if (machine.code) machine.code->invalidate(gpa, bytes);
}
const u8* jump_miss_thunk(const Machine& machine) { return machine.code ? machine.code->jump_miss : nullptr; }

}  // namespace rz
