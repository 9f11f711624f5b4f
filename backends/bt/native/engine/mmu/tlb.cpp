// The soft TLB: filling, architectural flushes, and the address-space contexts that let entries survive CR3 writes
// under PCID. Without PCID one context serves all address spaces, because MOV CR3 must drop its non-global entries.
// Every flush also empties the jump tables that may hold targets on the flushed pages.
#include "tlb.h"

#include "../cpu/bytes.h"
#include "../cpu/debug.h"
#include "../debug/trace.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "dirty_log.h"
#include "phys_memory.h"
#include "ram_heat.h"
#include "spans.h"

namespace rz {
namespace {

constexpr u64 kNoSpace = ~0ull;
constexpr u64 kPcidMask = 0xfff;

void set_bit(u64* words, unsigned i) { words[i / 64] |= 1ull << (i % 64); }
void clear_bit(u64* words, unsigned i) { words[i / 64] &= ~(1ull << (i % 64)); }
bool test_bit(const u64* words, unsigned i) { return (words[i / 64] >> (i % 64) & 1) != 0; }
void assign_bit(u64* words, unsigned i, bool on) { on ? set_bit(words, i) : clear_bit(words, i); }

template <typename Visit>
void for_each_bit(u64 word, unsigned base, Visit visit) {
  for (; word; word &= word - 1) visit(base + static_cast<unsigned>(__builtin_ctzll(word)));
}

template <typename Visit>
void for_each_set(const u64* words, unsigned count, Visit visit) {
  for (unsigned w = 0; w < count; w++) for_each_bit(words[w], w * 64, visit);
}

// Hash of a large page into the Bloom filter; 4 MiB pages are entered as two 2 MiB regions.
unsigned region_hash(u64 linear, unsigned shift) {
  return static_cast<unsigned>(((linear >> shift) * 0x9e3779b97f4a7c15ull) >> 54);
}

unsigned half_of(u64 linear) { return linear >> 63; }

// Remember that a large page was filled, for INVLPG.
void note_large(TlbTable& t, u64 linear, u64 page_bytes) {
  if (page_bytes == kPageBytes) return;
  t.large_half[half_of(linear)] = true;
  set_bit(t.region_seen, region_hash(linear, page_bytes == 1u << 30 ? 30 : 21));
  if (page_bytes == 4u << 20) set_bit(t.region_seen, region_hash(linear ^ (2u << 20), 21));
}

enum SideIndex : unsigned { kReadSide, kWriteSide };

u64& tag_of(TlbTable& t, unsigned side, unsigned i) {
  return side == kReadSide ? t.entries[i].read_tag : t.entries[i].write_tag;
}

// Another vCPU may take a write tag away at any time (tlb_protect_physical): single stores, and no decision that two
// loads of the tag must agree on.
void put_tag(TlbTable& t, unsigned side, unsigned i, u64 tag) {
  __atomic_store_n(&tag_of(t, side, i), tag, __ATOMIC_RELAXED);
}

void drop_side(TlbTable& t, unsigned side, unsigned i) {
  put_tag(t, side, i, tlb_invalid(i));
  clear_bit(t.side[side].filled, i);
}

void drop_second(TlbTable& t) {
  if (!t.second_used) return;
  for (unsigned i = 0; i < kSecondEntries; ++i) t.second[i].read_tag = second_invalid(i);
  t.second_used = false;
}

void drop_exec(TlbTable& t, unsigned i) {
  t.exec_tag[i] = tlb_invalid(i);
  clear_bit(t.exec_filled, i);
}

// Calls visit(side, entry) for the filled entries of both sides whose bit in `chosen(side, word)` is set.
template <typename Chosen, typename Visit>
void for_each_filled(TlbTable& t, Chosen chosen, Visit visit) {
  for (unsigned side = 0; side < 2; ++side) {
    TlbSide& s = t.side[side];
    for_each_set(s.busy, TlbSide::kWords / 64, [&](unsigned w) {
      for_each_bit(s.filled[w] & chosen(s, w), w * 64, [&](unsigned i) { visit(side, i); });
      if (s.filled[w] == 0) clear_bit(s.busy, w);
    });
  }
}

void empty_jump(Vcpu& vcpu, Context& c, unsigned cls) {
  JumpTable& jump = c.jump[cls];
  fill_words(jump.host, reinterpret_cast<u64>(jump_miss_thunk(*vcpu.machine)), kJumpEntries);
  if (jump.second_used) fill_words(jump.second, 0, sizeof jump.second / 8);
  jump.second_used = false;
  TlbTable& t = c.tlb[cls];
  bool any = false;
  t.jump_non_global = false;
  for (unsigned w = 0; w < TlbTable::kExecWords; ++w) {
    t.exec_lost[w] = 0;
    any |= t.exec_filled[w] != 0;
    t.jump_non_global |= (t.exec_filled[w] & ~t.exec_global[w]) != 0;
  }
  // Pages that stay filled can become jump targets again without being filled again.
  if (!any) t.exec_half[0] = t.exec_half[1] = false;
}

void flush_context(Vcpu& vcpu, Context& c) {
  forget_last_pages(vcpu);
  for (unsigned cls = 0; cls < kPrivClasses; ++cls) {
    TlbTable& t = c.tlb[cls];
    drop_second(t);
    const bool had_code = t.exec_half[0] || t.exec_half[1];
    for_each_filled(
        t, [](const TlbSide&, unsigned) { return ~0ull; }, [&](unsigned side, unsigned i) { drop_side(t, side, i); });
    for (unsigned w = 0; w < TlbTable::kExecWords; ++w)
      for_each_bit(t.exec_filled[w], w * 64, [&](unsigned i) { drop_exec(t, i); });
    for (u64& word : t.region_seen) word = 0;
    t.large_half[0] = t.large_half[1] = false;
    t.keyed = false;
    if (had_code) empty_jump(vcpu, c, cls);
  }
  c.stale = false;
}

void flush_context_non_global(Vcpu& vcpu, Context& c) {
  forget_last_pages(vcpu);
  vcpu.count(Counter::kTlbFlushSpace);
  if (tracing(*vcpu.machine, Trace::kTlb)) TraceLine(vcpu, Trace::kTlb, "flush-space").hex("cr3", c.cr3);
  if (c.stale) return flush_context(vcpu, c);
  for (unsigned cls = 0; cls < kPrivClasses; ++cls) {
    TlbTable& t = c.tlb[cls];
    drop_second(t);
    for_each_filled(
        t, [](const TlbSide& s, unsigned w) { return ~s.global[w]; },
        [&](unsigned side, unsigned i) { drop_side(t, side, i); });
    for (unsigned w = 0; w < TlbTable::kExecWords; ++w)
      for_each_bit(t.exec_filled[w] & ~t.exec_global[w], w * 64, [&](unsigned i) { drop_exec(t, i); });
    if (t.jump_non_global) empty_jump(vcpu, c, cls);
  }
}

void flush_large(TlbTable& t, u64 linear, unsigned shift, u64 (TlbSide::*members)[TlbSide::kWords]) {
  for_each_filled(
      t, [&](TlbSide& s, unsigned w) { return (s.*members)[w]; },
      [&](unsigned side, unsigned i) {
        if ((tag_of(t, side, i) ^ linear) >> shift == 0) drop_side(t, side, i);
      });
}

// Drops the data entries of the large page that holds `linear`; true when its code may be in the jump table.
bool flush_large_page(TlbTable& t, u64 linear) {
  if (!t.large_half[half_of(linear)]) return false;
  const bool in_2m = test_bit(t.region_seen, region_hash(linear, 21));
  const bool in_1g = test_bit(t.region_seen, region_hash(linear, 30));
  if (in_2m || in_1g) drop_second(t);
  if (in_2m) flush_large(t, linear, 22, &TlbSide::large_2m);  // 4 MiB granularity covers both sizes
  if (in_1g) flush_large(t, linear, 30, &TlbSide::large_1g);
  if (!(in_2m || in_1g) || !t.exec_half[half_of(linear)]) return false;
  bool code = false;
  for (unsigned w = 0; w < TlbTable::kExecWords; ++w) {
    code |= t.exec_lost[w] != 0;  // a lost page may have been part of it
    for_each_bit(t.exec_filled[w] & t.exec_large[w], w * 64, [&](unsigned i) {
      if ((t.exec_tag[i] ^ linear) >> 30 == 0) drop_exec(t, i), code = true;
    });
  }
  return code;
}

// INVLPG drops every entry of the page that holds `linear`, whatever the page's size. The jump table is emptied only
// when the page's code may be in it: it is in its slot, or something in the same half was pushed out of that slot.
void flush_page_in(Vcpu& vcpu, Context& c, u64 linear) {
  forget_last_pages(vcpu);
  vcpu.count(Counter::kTlbFlushPage);
  if (tracing(*vcpu.machine, Trace::kTlb)) TraceLine(vcpu, Trace::kTlb, "flush-page").hex("linear", linear);
  const unsigned index = tlb_index(linear), code_index = exec_index(linear);
  const u64 page = linear & kPageMask;
  for (unsigned cls = 0; cls < kPrivClasses; ++cls) {
    TlbTable& t = c.tlb[cls];
    for (unsigned side = 0; side < 2; ++side)
      if (tag_of(t, side, index) == page) drop_side(t, side, index);
    SecondEntry& second = t.second[second_index(linear)];
    if (second.read_tag == page) second.read_tag = second_invalid(second_index(linear));
    bool code = t.exec_half[half_of(linear)] && test_bit(t.exec_lost, code_index);
    if (t.exec_tag[code_index] == page) drop_exec(t, code_index), code = true;
    code |= flush_large_page(t, linear);
    if (code) empty_jump(vcpu, c, cls);
  }
}

/// The tables of all address spaces that are held.
template <typename Visit>
void for_each_table(Vcpu& vcpu, Visit visit) {
  for (unsigned n = 0; n < kContexts; ++n) {
    if (vcpu.contexts[n].cr3 == kNoSpace) continue;
    for (TlbTable& t : vcpu.contexts[n].tlb) visit(t);
  }
}

/// Indices of entries for writing. Another vCPU's thread may do so.
template <typename Visit>
void for_each_write(TlbTable& t, Visit visit) {
  TlbSide& s = t.side[kWriteSide];
  for_each_set(s.busy, TlbSide::kWords / 64,
               [&](unsigned w) { for_each_bit(__atomic_load_n(&s.filled[w], __ATOMIC_RELAXED), w * 64, visit); });
}

Context* find_context(Vcpu& vcpu, u64 pcid) {
  for (unsigned i = 0; i < kContexts; ++i)
    if (vcpu.contexts[i].cr3 != kNoSpace && (vcpu.contexts[i].cr3 & kPcidMask) == pcid) return &vcpu.contexts[i];
  return nullptr;
}

bool pcid_on(const Vcpu& vcpu) { return (vcpu.cr4 & kCr4PCIDE) != 0; }

// A context's first use: until then its tables take no memory, and what is not filled later takes none after it.
void init_context(Vcpu& vcpu, Context& c) {
  for (unsigned cls = 0; cls < kPrivClasses; ++cls) {
    TlbTable& t = c.tlb[cls];
    t.entries[0] = {tlb_invalid(0), tlb_invalid(0), 0, 0};
    t.second[0].read_tag = second_invalid(0);
    for (unsigned e = 0; e < kExecEntries; ++e) t.exec_tag[e] = tlb_invalid(e);
  }
  for (unsigned cls = 0; cls < kCodeClasses; ++cls) {
    empty_jump(vcpu, c, cls);
    c.jump_mode[cls] = ~0ull;
  }
  c.last_used = 0;
  c.stale = false;
}

}  // namespace

void tlb_init(Vcpu& vcpu) {
  for (unsigned i = 0; i < kContexts; ++i) vcpu.contexts[i].cr3 = kNoSpace;
  init_context(vcpu, vcpu.contexts[0]);
  vcpu.contexts[0].cr3 = 0;
  vcpu.context = &vcpu.contexts[0];
  vcpu.tlb = &vcpu.context->tlb[kSupervisor];
  vcpu.jump = &vcpu.context->jump[kSupervisor];
}

// A miss on one side also fills the other where that evicts nothing of use: nothing was there, it held this page, or
// (when a read moves in) both sides held the same page, which leaves as a whole.
void tlb_fill(Vcpu& vcpu, PrivClass cls, u64 linear, const Translation& t, Access access) {
  const MemorySlot* slot = vcpu.machine->memory->find(t.gpa);
  if (!slot) return;
  if (vcpu.watch_data && watched_page(vcpu, linear)) {  // every access has to come here
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return;
  }
  const u64 page = linear & kPageMask;
  const u64 gpa_page = t.gpa & kPageMask;
  const unsigned index = tlb_index(linear);
  TlbTable& table = vcpu.context->tlb[cls];
  TlbEntry& e = table.entries[index];
  const u64 host = reinterpret_cast<u64>(slot->host + (gpa_page - slot->base));
  if (tracing(*vcpu.machine, Trace::kTlb))
    TraceLine(vcpu, Trace::kTlb, writes(access) ? "fill-write" : "fill-read")
        .hex("linear", page)
        .hex("physical", gpa_page)
        .hex("page-bytes", t.page_bytes)
        .number("class", cls);
  if (RamHeat* heat = vcpu.machine->ram_heat) heat->note(host);
  const bool writable = t.writable && !slot->read_only;
  DirtyLog* const dirty = vcpu.machine->dirty;
  if (dirty && writable && writes(access)) dirty->note(*slot, gpa_page);
  const bool unnoted = dirty && writable && !dirty->noted(*slot, gpa_page);  // its first write has to come here
  const bool may_write = writable && !unnoted && !code_page(*vcpu.machine, gpa_page);
  const auto fill = [&](unsigned side) {
    TlbSide& s = table.side[side];
    set_bit(s.filled, index);
    set_bit(s.busy, index / 64);
    assign_bit(s.global, index, t.global);
    assign_bit(s.large_2m, index, t.page_bytes > kPageBytes && t.page_bytes < 1u << 30);
    assign_bit(s.large_1g, index, t.page_bytes == 1u << 30);
    if (t.keyed) {
      set_bit(s.keyed, index);
      table.keyed = true;
    }
  };
  const bool smp = vcpu.machine->smp();
  const u64 none = tlb_invalid(index);
  const bool writing = writes(access);
  if (e.write_tag == page && !may_write) {
    drop_side(table, kWriteSide, index);
    forget_last_pages(vcpu);
  }
  if (may_write && (writing || e.write_tag == none || e.write_tag == page || e.write_tag == e.read_tag)) {
    put_tag(table, kWriteSide, index, page);
    e.write_add = host - page;
    fill(kWriteSide);
  }
  const bool code_write = writable && !unnoted && !may_write;
  if (!writing || e.read_tag == none || e.read_tag == page || code_write) {
    if (e.read_tag != page && e.read_tag != none) {
      table.second[second_index(e.read_tag)] = {e.read_tag, e.read_add};
      table.second_used = true;
    }
    e.read_tag = page;
    e.read_add = host - page;
    fill(kReadSide);
    assign_bit(table.code_write, index, code_write);
  }
  if (smp && t.writable) {
    // Whoever makes the page code marks it, then looks for entries; here the entry comes first, then the look.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (e.write_tag == page && code_page(*vcpu.machine, gpa_page)) drop_side(table, kWriteSide, index);
  }
  note_large(table, linear, t.page_bytes);
}

u8* tlb_code_write(const Vcpu& vcpu, PrivClass cls, u64 linear) {
  const unsigned index = tlb_index(linear);
  const TlbTable& table = vcpu.context->tlb[cls];
  const TlbEntry& e = table.entries[index];
  if (e.read_tag != (linear & kPageMask) || !test_bit(table.code_write, index)) return nullptr;
  return reinterpret_cast<u8*>(linear + e.read_add);
}

void tlb_fill_exec(Vcpu& vcpu, PrivClass cls, u64 linear, const Translation& t) {
  const unsigned index = exec_index(linear);
  TlbTable& table = vcpu.context->tlb[cls];
  if (tracing(*vcpu.machine, Trace::kTlb))
    TraceLine(vcpu, Trace::kTlb, "fill-code")
        .hex("linear", linear & kPageMask)
        .hex("physical", t.gpa & kPageMask)
        .number("class", cls);
  if (test_bit(table.exec_filled, index) && table.exec_tag[index] != (linear & kPageMask))
    set_bit(table.exec_lost, index);
  table.exec_tag[index] = linear & kPageMask;
  table.exec_page[index] = t.gpa & kPageMask;
  set_bit(table.exec_filled, index);
  table.exec_half[half_of(linear)] = true;
  assign_bit(table.exec_global, index, t.global);
  assign_bit(table.exec_large, index, t.page_bytes > kPageBytes);
  if (!t.global) table.jump_non_global = true;
  note_large(table, linear, t.page_bytes);
}

void tlb_flush_all(Vcpu& vcpu) {
  forget_last_pages(vcpu);
  vcpu.count(Counter::kTlbFlushAll);
  if (tracing(*vcpu.machine, Trace::kTlb)) TraceLine(vcpu, Trace::kTlb, "flush-all");
  for (unsigned i = 0; i < kContexts; ++i) vcpu.contexts[i].stale = true;
  flush_context(vcpu, *vcpu.context);
}

void tlb_flush_non_global(Vcpu& vcpu) { flush_context_non_global(vcpu, *vcpu.context); }

void tlb_flush_all_non_global(Vcpu& vcpu) {
  for (unsigned i = 0; i < kContexts; ++i)
    if (&vcpu.contexts[i] != vcpu.context) vcpu.contexts[i].stale = true;
  flush_context_non_global(vcpu, *vcpu.context);
}

void tlb_flush_page(Vcpu& vcpu, u64 linear) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  for (unsigned i = 0; i < kContexts; ++i) {
    Context& c = vcpu.contexts[i];
    if (c.cr3 != kNoSpace && !c.stale) flush_page_in(vcpu, c, linear);
  }
}

void tlb_page_fault(Vcpu& vcpu, u64 linear, bool fetch) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  Context& c = *vcpu.context;
  const unsigned index = tlb_index(linear), code_index = exec_index(linear);
  const u64 page = linear & kPageMask;
  bool known = false;
  for (unsigned cls = 0; cls < kPrivClasses; ++cls) {
    TlbTable& t = c.tlb[cls];
    for (unsigned side = 0; side < 2; ++side)
      if (tag_of(t, side, index) == page) drop_side(t, side, index), known = true;
    SecondEntry& second = t.second[second_index(linear)];
    if (second.read_tag == page) second.read_tag = second_invalid(second_index(linear)), known = true;
    bool code = t.exec_tag[code_index] == page;
    if (code) drop_exec(t, code_index);
    code |= fetch && t.exec_half[half_of(linear)] && test_bit(t.exec_lost, code_index);
    known |= t.large_half[half_of(linear)];
    code |= flush_large_page(t, linear);
    if (code) empty_jump(vcpu, c, cls);
  }
  if (known || remembers_page(vcpu, page)) forget_last_pages(vcpu);
}

void tlb_flush_page_pcid(Vcpu& vcpu, u16 pcid, u64 linear) {
  Context* c = pcid_on(vcpu) ? find_context(vcpu, pcid) : vcpu.context;
  if (c && !c->stale) flush_page_in(vcpu, *c, linear);
}

void tlb_flush_pcid(Vcpu& vcpu, u16 pcid) {
  forget_last_pages(vcpu);
  Context* c = pcid_on(vcpu) ? find_context(vcpu, pcid) : vcpu.context;
  if (!c) return;
  if (c == vcpu.context)
    flush_context_non_global(vcpu, *c);
  else
    c->stale = true;
}

void set_pkru(Vcpu& vcpu, u32 value) {
  forget_last_pages(vcpu);
  const u64 changed = vcpu.msr.pkru ^ value;
  vcpu.msr.pkru = value;
  if (changed == 0 || !(vcpu.cr4 & kCr4PKE)) return;
  if (changed & 3) return tlb_flush_all(vcpu);  // key 0: any page of the user's
  for (unsigned n = 0; n < kContexts; ++n) {
    Context& c = vcpu.contexts[n];
    if (c.cr3 == kNoSpace || c.stale) continue;
    for (TlbTable& t : c.tlb) {
      if (!t.keyed) continue;
      drop_second(t);
      for_each_filled(
          t, [](const TlbSide& s, unsigned w) { return s.keyed[w]; },
          [&](unsigned side, unsigned i) { drop_side(t, side, i); });
      for (TlbSide& s : t.side)
        for (u64& word : s.keyed) word = 0;
      t.keyed = false;
    }
  }
}

void tlb_switch_context(Vcpu& vcpu, u64 cr3, bool keep_entries) {
  forget_last_pages(vcpu);
  vcpu.count(Counter::kSpaceSwitches);
  if (!pcid_on(vcpu)) {
    vcpu.context->cr3 = cr3 & ~kPcidMask;
    flush_context_non_global(vcpu, *vcpu.context);
  } else {
    Context* c = find_context(vcpu, cr3 & kPcidMask);
    if (!c) {
      c = &vcpu.contexts[0];
      for (unsigned i = 0; i < kContexts; ++i) {
        if (vcpu.contexts[i].cr3 == kNoSpace) {
          c = &vcpu.contexts[i];
          init_context(vcpu, *c);
          break;
        }
        if (vcpu.contexts[i].last_used < c->last_used) c = &vcpu.contexts[i];
      }
      // Global entries of the evicted space stay valid for the new one.
      if (c->stale)
        flush_context(vcpu, *c);
      else
        flush_context_non_global(vcpu, *c);
    } else if (c->stale) {
      flush_context(vcpu, *c);
    } else if (!keep_entries || c->cr3 != cr3) {
      flush_context_non_global(vcpu, *c);
    }
    c->cr3 = cr3;
    c->last_used = ++vcpu.context_clock;
    vcpu.context = c;
  }
  tlb_select(vcpu);
}

void tlb_select(Vcpu& vcpu) {
  Context& c = *vcpu.context;
  const PrivClass cls = code_class(vcpu);
  // Code of modes without kModeFlat neither reads nor fills the table, so the last flat mode's may stay in it.
  if (c.jump_mode[cls] != vcpu.mode && (vcpu.mode & kModeFlat)) {
    empty_jump(vcpu, c, cls);
    c.jump_mode[cls] = vcpu.mode;
  }
  vcpu.tlb = &c.tlb[current_class(vcpu)];
  vcpu.tlb_by_ac[0] = &c.tlb[kSupervisor];
  vcpu.tlb_by_ac[1] = &c.tlb[kSupervisorAc];
  vcpu.jump = &c.jump[cls];
}

bool tlb_protect_physical(Vcpu& vcpu, u64 gpa_page, bool own) {
  const u8* host = vcpu.machine->memory->host(gpa_page & kPageMask);
  if (!host) return false;
  bool held = false;
  for_each_table(vcpu, [&](TlbTable& t) {
    for_each_write(t, [&](unsigned i) {
      const u64 tag = __atomic_load_n(&t.entries[i].write_tag, __ATOMIC_RELAXED);
      if (tag + __atomic_load_n(&t.entries[i].write_add, __ATOMIC_RELAXED) != reinterpret_cast<u64>(host)) return;
      held |= tag != tlb_invalid(i);
      if (own)
        drop_side(t, kWriteSide, i);
      else
        put_tag(t, kWriteSide, i, tlb_invalid(i));  // the bookkeeping is the owner's
    });
  });
  held |= protect_last_pages(vcpu, reinterpret_cast<u64>(host));  // after the tags
  return held;
}

void tlb_drop_writes(Vcpu& vcpu) {
  forget_last_pages(vcpu);
  for_each_table(vcpu, [&](TlbTable& t) {
    for_each_write(t, [&](unsigned i) { drop_side(t, kWriteSide, i); });
    for (u64& word : t.code_write) word = 0;
  });
}

void jump_flush_all(Vcpu& vcpu) {
  for (unsigned n = 0; n < kContexts; ++n) {
    if (vcpu.contexts[n].cr3 == kNoSpace) continue;
    for (unsigned cls = 0; cls < kCodeClasses; ++cls) empty_jump(vcpu, vcpu.contexts[n], cls);
  }
}

}  // namespace rz
