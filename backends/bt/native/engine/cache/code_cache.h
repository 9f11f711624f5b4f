// The code cache of a machine: executable memory (mapped twice, RW and RX, never both), the blocks in it,
// the links between them, and which granules of guest-physical pages they were made from. The only place
// that writes code memory besides emit/. All tables live in lazily populated mappings: no malloc, because
// guest vector state may be live in the host's registers.
//
// Threads (run/sync.h): every change is made under the machine's code lock; invalidate() takes it itself. find(),
// hits(), page_has_code() and what they lead to (block(), link(), inst_map()) take no lock. A dropped block is out of
// all tables at once but its memory, number and fields stay until flush(), which needs an exclusive section: another
// vCPU may be in it, or on its way into it. It leaves at its next exit, for links to it and entries of jump tables are
// gone; so code must have no way back to its own beginning but a link, and a block's memory or number must not be used
// again before a flush. Link displacements of machines with several vCPUs lie in aligned 8 bytes, so that patching them
// is one store. A block of a page that keeps being written sleeps instead, when it is dropped: found again by its key,
// it wakes if its guest bytes are what they were (sleepers.cpp).
#pragma once

#include "../cpu/types.h"
#include "../run/machine.h"
#include "patch_sites.h"

namespace rz {

/// Guest bytes that a block reads when it runs, so that a store to them leaves it valid.
struct SoftBytes {
  u16 at;  // bytes from the start of the page
  u8 bytes;
};

/// Guest bytes of one page.
struct GuestRange {
  u16 at;  // bytes from the start of the page
  u16 bytes;
};

/// A translated run of guest instructions: one piece of a page, and up to three more of the same page that direct jumps
/// and calls in it lead to. Index 0 means none.
struct Block {
  u64 rip;            // guest RIP (offset in CS) of the first instruction
  u64 gpa;            // guest-physical address of the first byte
  u64 mode;           // mode key
  u64 gpa2;           // physical page of the second part of a page-crossing instruction, or ~0
  u32 code_indirect;  // offset: entry for jumps through the table (RIP in T0, flags parked)
  u32 code_polled;    // offset: entry that looks at `attention` (flags in the host)
  u32 code_direct;    // offset: entry without poll (flags in the host)
  u32 code_body;      // offset: where the entries meet
  u32 code_end;       // offset past the last byte of code
  u32 hash_next;      // next block in the hash chain
  u32 page_next[2];   // next block in the row of the physical page of gpa / gpa2
  u32 links_in;       // first link that points here
  u32 map;            // index of the first InstMap
  u32 starts;         // index of the first InstStart
  u32 source;         // index of the first of its guest bytes that were kept, piece after piece; 0: none were
  u16 guest_bytes;    // of the first piece
  u16 insts;
  u16 branch_at;    // in 64-bit code: where in the page the return or indirect jump is that ends it, and
  i32 branch_pops;  // what that adds to RSP
  u8 live_in;       // Flag mask read before written
  u8 soft_count;
  SoftBytes soft[4];
  static constexpr unsigned kMaxMore = 3;
  GuestRange more[kMaxMore];  // the other pieces
  u8 more_count;
  bool valid;
  bool asleep;     // not valid, but may become so again
  bool linkable;   // may be entered by a direct link from its own page
  u16 jumped_to;   // jump tables whose entries may lead here; see CodeCache::note_jump()
  bool exclusive;  // its instruction must look like one access to the other vCPUs: run in an exclusive section
};

/// A patchable direct jump to another block of the same page.
struct Link {
  u64 target_rip;
  u32 source;     // block that holds the jump
  u32 field;      // offset of the 32-bit displacement
  u32 stub;       // offset of the code that leaves to the run loop
  u32 target;     // block it is linked to, or 0
  u32 next_in;    // next link that points to the same target
  bool backward;  // enters through the poll
  bool careful;   // leads to a careful block (translate/merge.cpp), from anywhere else to an ordinary one
};

/// Where one guest instruction begins in host code.
struct InstMap {
  u32 host;   // code offset
  u16 guest;  // bytes from the start of the page
  u8 parked;  // 1: guest flags are in parked_flags at its first faulting host instruction, else in EFLAGS
};

/// For listings: where one guest instruction, or what lies behind the last one, begins in the page and in host code.
struct InstStart {
  u32 host;   // bytes from the block's first
  u16 guest;  // bytes from the start of the page
};

/// What a physical page was translated from. Blocks stand in the row in which their part of the page begins, so that a
/// store looks at the few around it and not at all of the page; those of several pieces stand in one of their own.
struct PageCode {
  static constexpr unsigned kRowShift = 9, kRows = 4096 >> kRowShift, kScattered = kRows;
  static constexpr u8 kOftenDropped = 4;     // what says that code of the page will be written and run again
  static constexpr u8 kOftenPatched = 2;     // ... that all its immediates will change
  static constexpr u32 kGuardedStores = 64;  // that go to C++ until the page may be written freely
  u64 granules;
  u32 first_block[kRows + 1];
  u32 guard;   // without code, the page stays without write tags for so many stores more
  u8 reach;    // rows that a block may go on into behind its own
  u8 dropped;  // stores that dropped code of the page, no more than kOftenDropped; anew when all of it was written
  u8 patched;  // immediates that were found to have changed, no more than kOftenPatched; likewise
};

/// RIP of the instruction `at` bytes from the start of the block's page.
inline u64 rip_in_page(const Block& block, unsigned at) { return block.rip - (block.gpa & 4095) + at; }

/// A store of these bytes, all in one page, changes what the block was made from.
bool depends_on(const Block& block, u64 gpa, unsigned bytes);

inline constexpr unsigned kGranuleShift = 6;  // 64-byte granules, 64 to a page

class CodeCache {
 public:
  /// @param top_of_memory  first guest-physical address above all RAM and ROM
  [[nodiscard]] bool init(Machine& machine, u64 bytes, u64 top_of_memory);
  void destroy();

  const u8* rx(u32 offset) const { return rx_ + offset; }
  u8* rw(u32 offset) const { return rw_ + offset; }
  u32 used() const { return used_; }
  u64 bytes() const { return bytes_; }
  bool contains(const void* host) const {
    return static_cast<const u8*>(host) >= rx_ && static_cast<const u8*>(host) < rx_ + bytes_;
  }
  /// True when the next translation might not fit: the caller flushes first.
  bool nearly_full() const;
  /// Drop every block; thunks stay. Only in an exclusive section, or while no vCPU runs: see flush_code().
  void flush();
  /// The instruction `at` bytes from the start of the block's page wanders: the block is dropped, to be made again.
  /// Only in C++ called from the block.
  void note_wanderer(u32 index, unsigned at);
  /// Drop the blocks made from these guest-physical bytes. Only in C++ called from a block or between blocks.
  void invalidate(u64 gpa, unsigned bytes);
  /// False for addresses beyond all memory, from which no code can be cached.
  bool covers(u64 gpa) const { return gpa >> 12 < pages_count_; }
  /// Stores to the page must be noticed: some block was made from it, or another soon will be.
  bool page_has_code(u64 gpa) const {
    const u64 n = gpa >> 12;
    return n < pages_count_ && (__atomic_load_n(&pages_[n].granules, __ATOMIC_ACQUIRE) != 0 ||
                                __atomic_load_n(&pages_[n].guard, __ATOMIC_ACQUIRE) != 0);
  }
  /// Likewise, on behalf of a store that is noticed. Not for ever, when no code is made of the page.
  bool still_guarded(u64 gpa);
  /// A store may change what was translated: some block was made from these granules.
  bool hits(u64 gpa, unsigned bytes) const;

  u32 find(u64 gpa, u64 rip, u64 mode) const;
  /// A dropped block of this key that may be woken, or 0. Under the code lock.
  u32 find_asleep(u64 gpa, u64 rip, u64 mode) const;
  /// Make it valid again if its guest bytes are what they were. Otherwise it will not be found again. Under the code
  /// lock, which is a safe point of other vCPUs, as claim() is.
  bool wake(Vcpu& self, u32 index);
  /// An entry of this jump table, of whichever vCPU, is about to lead to the block.
  static void note_jump(Block& block, unsigned context, unsigned cls) {
    const u16 bit = static_cast<u16>(1u << (context * kCodeClasses + cls));
    if (!(block.jumped_to & bit)) __atomic_fetch_or(&block.jumped_to, bit, __ATOMIC_RELAXED);
  }
  const Block& block(u32 index) const { return blocks_[index]; }
  Block& block(u32 index) { return blocks_[index]; }
  Link& link(u32 index) { return links_[index]; }
  const Link& link(u32 index) const { return links_[index]; }
  u32 link_count() const { return link_count_; }  // one more than the last link's number
  const InstMap& inst_map(u32 index) const { return maps_[index]; }
  /// The block whose code holds `host`, or 0. Slow: for faults in translated code.
  u32 find_host(const void* host) const;

  // ---- for the translator -----------------------------------------------------------------------
  u8* begin_code() const { return rw_ + used_; }
  u32 offset_of(const u8* rw_pointer) const { return static_cast<u32>(rw_pointer - rw_); }
  u32 new_block();
  u32 new_link(u32 source, u32 field, u32 stub, u64 target_rip, bool backward, bool careful = false);
  u32 add_map(const InstMap& map);
  u32 map_count() const { return map_count_; }
  u32 add_start(const InstStart& start) {
    starts_[start_count_] = start;
    return start_count_++;
  }
  const InstStart& start(u32 index) const { return starts_[index]; }
  /// Numbers for memos of last pages (mmu/last_page.h), by turns: neighbours in code shall not share them.
  unsigned next_memo() { return memos_++; }
  /// How often the instruction at this RIP was found to change pages too often for the memos that it had: 0, 1, 2 (or
  /// more). Until the next flush, and a few others with it.
  unsigned wanders(u64 rip) const {
    const auto bit = [&](const u64(&words)[kWandererWords]) {
      return words[wanderer(rip) / 64] >> wanderer(rip) % 64 & 1;
    };
    return static_cast<unsigned>(bit(wanderers_[0]) + bit(wanderers_[1]));
  }
  /// Copy kept as long as the block's code.
  const Inst* keep(const Inst& inst);
  /// True for the address of a kept instruction.
  bool is_kept(u64 address) const {
    const u64 offset = address - reinterpret_cast<u64>(insts_);
    return offset < u64{inst_count_} * sizeof(Inst) && offset % sizeof(Inst) == 0;
  }
  /// Whether to expect that an immediate, or all in its page, will be patched.
  bool often_patched(u64 gpa) const {
    return pages_[gpa >> 12].patched == PageCode::kOftenPatched || patch_sites_->often(gpa);
  }
  /// It is not what it was when code was last made from it.
  void note_patched(u64 gpa) {
    PageCode& page = pages_[gpa >> 12];
    if (page.patched < PageCode::kOftenPatched) page.patched++;
    patch_sites_->note_changed(gpa);
  }
  /// Declare guest bytes of the block being translated soft. False: it has as many as it can.
  bool soften(u32 index, unsigned at, unsigned bytes);
  /// Where the block's soft bytes number `i` are in the host.
  const u8* soft_host(const Block& block, unsigned i) const;
  /// Code of the page was dropped by stores to it.
  bool rewritten(u64 gpa) const { return pages_[gpa >> 12].dropped != 0; }
  /// The guest bytes of the block being translated; `page` is a copy of its page that holds them.
  void keep_source(u32 index, const u8* page);
  /// What the block's source had at these bytes of the page, or null.
  const u8* source_at(const Block& block, unsigned at, unsigned bytes) const;
  /// Declare guest bytes to be code, before they are trusted: marks their granules, takes the page's write tags from
  /// every soft TLB, waits for other vCPUs that may be storing to it, and lets writers outside the machine see that
  /// there is code. True: until now somebody could store to them without a word, so what was read of them before must
  /// be read again.
  [[nodiscard]] bool claim(Vcpu& self, u64 gpa, unsigned bytes);
  /// Make the block findable; everything up to `end` is its code. Its guest bytes were claimed.
  void publish(u32 index, const u8* end);
  /// Point a link at a block (patches the jump).
  void connect(u32 link, u32 target);
  /// Point a link at code that was just emitted at begin_code() and ends at `end`; it lives as long as the blocks do.
  void connect_code(u32 link, const u8* end);
  /// Keep what was emitted so far as thunks that survive flushes.
  void seal_thunks(const u8* end);

  u64 generation() const { return generation_; }                                            // counts flushes
  u64 invalidations() const { return __atomic_load_n(&invalidations_, __ATOMIC_ACQUIRE); }  // counts dropped blocks
  u64 dropped() const { return invalidations() - generation(); }  // counts blocks dropped by themselves
  u32 block_count() const { return __atomic_load_n(&block_count_, __ATOMIC_ACQUIRE); }
  /// Bit a page, shared with outside writers of guest memory; may be null.
  void set_shared_bitmap(u64* bitmap, u64 pages) {
    shared_bitmap_ = bitmap;
    shared_pages_ = pages;
  }

  /// Whom to ask for huge host pages; may be null. Before code is translated.
  void set_huge_pages(RamHeat* pages) { huge_pages_ = pages; }

  const u8* jump_miss = nullptr;  // RX address of the miss thunk

 private:
  void give_back();
  void make_ready();
  void ask_for_huge_pages();
  void remove(u32 index, bool may_sleep);
  void forget(u32 index);
  void enter_page(u32 index, unsigned which);
  void unlink_page(u32 index, unsigned which);
  /// Drops the blocks made from these bytes of one page; true when there were any.
  bool invalidate_page(u64 gpa, unsigned bytes);
  static constexpr u32 kMaxSources = 64u << 20;
  static constexpr unsigned kWandererBits = 14, kWandererWords = (1u << kWandererBits) / 64;
  static unsigned wanderer(u64 rip) {
    return static_cast<unsigned>(rip * 0x9e3779b97f4a7c15ull >> (64 - kWandererBits));
  }
  static u32 hash(u64 gpa, u64 rip, u64 mode);

  Machine* machine_ = nullptr;
  u8* rx_ = nullptr;
  u8* rw_ = nullptr;
  u64 bytes_ = 0;
  u32 used_ = 0, thunks_end_ = 0;
  u32 ready_ = 0;  // code memory up to here is in the host's page tables
  RamHeat* huge_pages_ = nullptr;
  u32 huge_asked_ = 0;  // pieces of code memory that huge pages were asked for
  Block* blocks_ = nullptr;
  u32 block_count_ = 1;
  Link* links_ = nullptr;
  u32 link_count_ = 1;
  InstMap* maps_ = nullptr;
  u32 map_count_ = 1;
  InstStart* starts_ = nullptr;
  u32 start_count_ = 1;
  Inst* insts_ = nullptr;
  u32 inst_count_ = 0;
  u8* sources_ = nullptr;
  u32 source_count_ = 1;
  u32 memos_ = 0;
  u64 wanderers_[2][kWandererWords] = {};  // found once, found again
  u32* hash_ = nullptr;
  PageCode* pages_ = nullptr;
  u64 pages_count_ = 0;
  PatchSites* patch_sites_ = nullptr;
  u64* shared_bitmap_ = nullptr;
  u64 shared_pages_ = 0;
  u64 generation_ = 0, invalidations_ = 0;
};

}  // namespace rz
