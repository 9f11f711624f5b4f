// The soft TLB that translated code reads inline. One direct-mapped table per address-space
// context and privilege class. Layout is part of the code generator's contract.
#pragma once

#include "../cpu/types.h"

namespace rz {

inline constexpr unsigned kTlbBits = 14;
inline constexpr unsigned kTlbEntries = 1u << kTlbBits;
inline constexpr unsigned kTlbEntryShift = 5;

/// The tag that no access can hit: a page that belongs to another entry, as generated code compares tags by XOR. It is
/// zero wherever it can be, which is what fresh memory holds: entries that nobody filled take none.
constexpr u64 tlb_invalid(unsigned index) { return index == 0 ? 1u << 12 : 0; }

/// An access hits when its page address equals the tag for its kind. The two sides are independent, because a copy
/// between buffers that share an entry must not evict its own source: they often hold the same page, and need not.
/// A page that must be noticed (MMIO, code on it, not yet dirty, watched) has tlb_invalid() in that tag.
struct alignas(32) TlbEntry {
  u64 read_tag;   // linear page address, or tlb_invalid()
  u64 write_tag;  // linear page address, or tlb_invalid(); a page that can be written can be read
  u64 read_add;   // host minus linear address in read_tag's page
  u64 write_add;  // ... in write_tag's page
};
static_assert(sizeof(TlbEntry) == 1u << kTlbEntryShift);

/// What tlb.cpp remembers of one side of the entries, one bit an entry, so that a flush costs what was filled.
struct TlbSide {
  static constexpr unsigned kWords = kTlbEntries / 64;
  u64 busy[kWords / 64];  // bit a word of `filled` that may be non-zero
  u64 filled[kWords];     // holds a page
  u64 global[kWords];     // ... that is global
  u64 large_2m[kWords];   // ... that is part of a 2 or 4 MiB page
  u64 large_1g[kWords];   // ... that is part of a 1 GiB page
  u64 keyed[kWords];      // ... or held one since the last flush, whose protection key is not 0
};

/// A second chance for reads: what a fill pushed out of the read side of its entry, found by other bits of the address,
/// so that two arrays 64 MiB apart do not send each access to a page walk. Looked at by the slow-access thunk.
inline constexpr unsigned kSecondBits = 8, kSecondEntries = 1u << kSecondBits, kSecondShift = 22;
struct SecondEntry {
  u64 read_tag;  // as in TlbEntry, or second_invalid()
  u64 read_add;
};
constexpr unsigned second_index(u64 linear) {
  return static_cast<unsigned>(linear >> kSecondShift) & (kSecondEntries - 1);
}
/// As tlb_invalid().
constexpr u64 second_invalid(unsigned index) { return index == 0 ? 1ull << kSecondShift : 0; }
/// After so many hits one is sent to the page walk, which puts the page back into its own entry: the other may be cold.
inline constexpr u32 kSecondHits = 64;

inline constexpr unsigned kExecBits = 10;
inline constexpr unsigned kExecEntries = 1u << kExecBits;
constexpr unsigned exec_index(u64 linear) { return static_cast<unsigned>(linear >> 12) & (kExecEntries - 1); }

struct TlbTable {
  TlbEntry entries[kTlbEntries];
  SecondEntry second[kSecondEntries];

  // Not read by translated code.
  TlbSide side[2];  // read, write
  // The read side's page may also be written, its dirty bit is set, and it held code when it was filled.
  u64 code_write[kTlbEntries / 64];
  u64 exec_tag[kExecEntries];   // linear page address of code, or tlb_invalid()
  u64 exec_page[kExecEntries];  // its guest-physical page address
  static constexpr unsigned kExecWords = kExecEntries / 64;
  u64 exec_filled[kExecWords];  // code side holds a page
  u64 exec_global[kExecWords];
  u64 exec_large[kExecWords];  // ... that is part of a page above 4 KiB
  u64 exec_lost[kExecWords];   // code side lost a page to another since the jump table was last emptied
  u64 region_seen[16];         // Bloom filter over the large pages filled since the last flush
  bool second_used;            // something may be in `second`
  bool jump_non_global;        // the jump table may hold targets on non-global pages
  bool exec_half[2];           // code was entered in the lower, upper half of the address space since then
  bool keyed;                  // any bit of TlbSide::keyed may be set
  bool large_half[2];          // large pages were filled in the lower, upper half since the last flush
};

constexpr unsigned tlb_index(u64 linear) { return static_cast<unsigned>(linear >> 12) & (kTlbEntries - 1); }

/// Host code addresses by linear RIP; an entry that is not filled points at the miss thunk. The target
/// block compares the RIP itself, so an entry may be stale for another RIP but never for its own.
inline constexpr unsigned kJumpBits = 14;
inline constexpr unsigned kJumpEntries = 1u << kJumpBits;
/// Behind it, for targets whose slots others want too: asked by the miss thunk, so that two that are jumped to by turns
/// need no C++. Nothing is in an entry without a host address.
struct SecondJump {
  u64 rip;
  const u8* host;
};
inline constexpr unsigned kSecondJumpBits = 12;
inline constexpr unsigned kSecondJumps = 1u << kSecondJumpBits;
struct JumpTable {
  const u8* host[kJumpEntries];
  SecondJump second[kSecondJumps];
  bool second_used;  // something may be in `second`
};
/// What emit_table_jump() computes.
constexpr unsigned jump_index(u64 rip) { return static_cast<u32>((rip >> 6) + (rip << 3)) >> 3 & (kJumpEntries - 1); }

/// Privilege classes with separate tables: supervisor accesses, user accesses (CPL 3), and supervisor accesses with
/// EFLAGS.AC set, which SMAP lets through to user pages: STAC and CLAC only change tables. Code is fetched, and the
/// jump tables are filled, in the first two.
enum PrivClass : u8 { kSupervisor = 0, kUser = 1, kSupervisorAc = 2, kPrivClasses = 3, kCodeClasses = 2 };

/// What the miss thunk computes.
constexpr unsigned second_jump_index(u64 rip) {
  return static_cast<u32>((rip >> 8) + (rip << 3)) >> 4 & (kSecondJumps - 1);
}

/// One remembered address space (a CR3 value with its PCID).
struct Context {
  TlbTable tlb[kPrivClasses];
  JumpTable jump[kCodeClasses];
  u64 jump_mode[kCodeClasses];  // mode key the jump table was filled under
  u64 cr3;                      // page-table root and PCID; ~0: free
  u64 last_used;                // for replacement
  bool stale;                   // must be flushed before its next use
};
inline constexpr unsigned kContexts = 8;

}  // namespace rz
