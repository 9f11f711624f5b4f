// What the verifier knows of a value in a register or spill slot. Every value has an identity, so that the tag of a TLB
// entry can be matched with the address it was looked up for; a value is redefined with a new identity.
#pragma once

#include "../emit/registers.h"
#include "../mmu/tlb.h"

namespace rz::verify {

inline constexpr u32 kNoMemo = ~0u;

enum class Kind : u8 {
  kNumber,    // lo..hi, unsigned; a multiple of 1 << zeros
  kEntry,     // &tlb->entries[index of the value named by `of`]
  kXor,       // the value named by `of`, XOR a tag of its own entry; at most hi. Below 4096: its offset in the page
  kLinear,    // such an offset with the tag added again: the value named by `of`, known to be in the entry's page
  kHost,      // with the sum of its terms, a host address; the `hi` bytes from there on, and the `lo` bytes before, are
              // guest memory or bounce buffer. Without terms it is a host address less `offset`.
  kTlb,       // vcpu.tlb; after a compare, `known`: the entry at byte `base` has the tag `offset`
  kJump,      // inside vcpu.jump, lo..hi from its start, likewise a multiple
  kCode,      // address of the code at offset lo
  kRecalled,  // a linear address, as the terms say, less the base of the memo number `of`; hi is 0 once it is known to
              // be in the memo's room
  kFirst,     // the first linear address of the range `range`, plus `offset`; it has `hi` bytes, if that is known, and
              // is what the memo number `of` holds
  kEnd,       // likewise, what follows the last, or less
};

/// How a number was made from another on the way to a TLB index.
enum class From : u8 { kNothing, kLow32, kShifted, kIndex };

struct Value {
  Kind kind = Kind::kNumber;
  From from = From::kNothing;
  bool write = false;  // kXor, kLinear, kTlb: the write tag; kHost: writable
  u8 zeros = 0;        // kNumber, kJump
  u32 id = 0;
  u32 of = 0;  // From, kEntry, kXor: which value; kRecalled, kFirst: which memo
  u64 lo = 0, hi = ~0ull;
  // kHost: the identity of the value that proved the check, which stands for the range of linear addresses that were
  // found to be in a row in the host; 0: not known any more. All that the value allows lies in it. kFirst, kEnd:
  // likewise.
  u32 range = 0;
  // kNumber, kXor: the value (the linear address) is base + (index << scale) + offset, with base and index the
  // identities of values, 0 for none. kHost: that sum is what has to be added.
  bool known = false;
  u8 scale = 0;
  u32 base = 0, index = 0;
  u64 offset = 0;

  bool same_terms(const Value& o) const {
    return known == o.known && scale == o.scale && base == o.base && index == o.index;
  }
  void take_terms(const Value& o) {
    known = o.known;
    scale = o.scale;
    base = o.base;
    index = o.index;
    offset = o.offset;
  }
  bool is_constant() const { return kind == Kind::kNumber && lo == hi; }
  bool same(const Value& o) const {
    return kind == o.kind && from == o.from && write == o.write && zeros == o.zeros && id == o.id && of == o.of &&
           lo == o.lo && hi == o.hi && range == o.range && same_terms(o) && offset == o.offset;
  }
};

// Slots of a State: the host's registers, the spill slots, the two halves of exit_meta, the addends of merged
// accesses, the homes of guest R14 and R15, which live nowhere else, and last_page_at.
inline constexpr unsigned kScratchSlot = 16, kMetaSlot = 24, kMergedSlot = 26, kHomeSlot = 42, kMemoSlot = 44,
                          kSlots = 45;

/// The last comparison of a register (or of a tag of the soft TLB, whose address is in a register) with a constant, as
/// long as both still stand.
struct Compared {
  u8 slot = 0xff;  // 0xff: none
  bool wide = false;
  u64 with = 0;
  bool tag = false;  // compared was the quadword `at` bytes behind the register
  u32 at = 0;
  bool room = false;   // compared with was the room of the memo number `with`
  bool limit = false;  // compared with was the slot number `with`, a kFirst or kEnd

  bool same(const Compared& o) const {
    return slot == o.slot && wide == o.wide && with == o.with && tag == o.tag && at == o.at && room == o.room &&
           limit == o.limit;
  }
};

struct State {
  Value slot[kSlots];
  Compared compared;

  /// Everything unknown, as where control comes in. `at` makes the identities here and below: offsets in the piece.
  void forget_all(u32 at);
  /// A new value in slot `s`, of no known kind; whatever was derived from a value of the same identity is unknown too.
  Value& define(unsigned s, u32 at);
  /// The same with a constant.
  void define_constant(unsigned s, u32 at, u64 value);
  /// Behind a comparison of a register with a limit, that `condition` holds.
  void learn_limit(unsigned condition);
  /// What holds whichever way control came here. Returns whether this state changed.
  /// @param merges  how many there were at this place, this one among them: after some, what differs is given up
  bool merge(const State& other, u32 at, unsigned merges);

 private:
  void drop_derived(u32 id, unsigned except);
  bool rebase(const State& other, const Value (&before)[16], u64 (&offset)[2], u32 (&root)[2], unsigned scale,
              u32& out) const;
  Value merge_host(const State& other, const Value (&before)[16], unsigned s, u32 id) const;
  /// Above every identity that an instruction made on any way here. Only what was made before can have derived values,
  /// and code is mostly met once, in its order: looking at all slots for each new value took a fifth of the verifier's
  /// time.
  u32 made_until_ = 0;
};

// Values made by an instruction and values made where paths meet must not be confused: an instruction may stand there.
constexpr u32 made_at(u32 at, unsigned slot) { return (at * kSlots + slot) * 2 + 1; }
constexpr u32 met_at(u32 at, unsigned slot) { return (at * kSlots + slot) * 2 + 2; }
u8 zeros_of(u64 value);

}  // namespace rz::verify
