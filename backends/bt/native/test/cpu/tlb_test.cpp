// The soft TLB: what is entered, and what each architectural flush must and must not drop.
#include "guest.h"
#include "mmu/dirty_log.h"
#include "mmu/spans.h"

namespace rz::test {
namespace {

constexpr u64 kA1 = 0x123000, kB1 = 0x456000;  // arbitrary pages of the identity mapping

bool hits(Guest& g, u64 linear, Access access) {
  return tlb_hit(g.v, current_class(g.v), linear, 1, access) != nullptr;
}
bool touch(Guest& g, u64 linear, Access access) {
  const SlowResult r = slow_access(g.v, linear, 1, access);
  g.v.exception = PendingException{};
  return r.kind == SlowAccess::kHost;
}
bool executed(Guest& g, u64 linear) {
  return g.v.context->tlb[current_class(g.v)].exec_tag[exec_index(linear)] == (linear & kPageMask);
}

void filling() {
  Guest g;
  g.long_mode();
  g.pte(kA1) = kA1 | kP | kRw;  // clean
  CHECK(!hits(g, kA1, Access::kRead));
  const SlowResult r = slow_access(g.v, kA1 + 8, 8, Access::kRead);
  CHECK(r.kind == SlowAccess::kHost && r.host == g.ram(kA1 + 8));
  CHECK(hits(g, kA1, Access::kRead));
  CHECK(!hits(g, kA1, Access::kWrite));  // the dirty bit is still to be set
  CHECK(touch(g, kA1, Access::kWrite));
  CHECK(hits(g, kA1, Access::kWrite));
  CHECK_EQ(g.pte(kA1) & kD, kD);
  CHECK(!touch(g, kA1 + 0x40000000, Access::kRead));
  // Loads and stores across a page end get their operand; stores to frames that are apart, accesses that read and
  // write, MMIO and ROM writes do not.
  g.pte(kA1 + 0x1000) = (kA1 + 0x1000) | kP | kRw;
  const u64 across = 0x1122334455667788;
  __builtin_memcpy(g.ram(kA1 + 0xffc), &across, 8);
  const SlowResult crossing = slow_access(g.v, kA1 + 0xffc, 8, Access::kRead);
  CHECK(crossing.kind == SlowAccess::kHost && __builtin_memcmp(crossing.host, &across, 8) == 0);
  CHECK(slow_access(g.v, kA1 + 0xffc, 8, Access::kReadWrite).kind == SlowAccess::kBounce);
  const SlowResult store = slow_access(g.v, kA1 + 0xffc, 8, Access::kWrite);
  CHECK(store.kind == SlowAccess::kHost && store.host == g.ram(kA1 + 0xffc));
  CHECK_EQ(g.pte(kA1 + 0x1000) & kD, kD);
  g.pte(kA1 + 0x1000) = (kA1 + 0x3000) | kP | kRw;
  tlb_flush_page(g.v, kA1 + 0x1000);
  CHECK(slow_access(g.v, kA1 + 0xffc, 8, Access::kWrite).kind == SlowAccess::kBounce);
  CHECK(slow_access(g.v, kA1 + 0xffc, 8, Access::kRead).kind == SlowAccess::kHost);
  g.map(0x7000000000, 0xfee00000 | kP | kRw);
  CHECK(slow_access(g.v, 0x7000000000, 4, Access::kRead).kind == SlowAccess::kBounce);
  CHECK(!hits(g, 0x7000000000, Access::kRead));
  g.map(0x7000001000, kRomBase | kP | kRw | kD);
  CHECK(slow_access(g.v, 0x7000001000, 4, Access::kRead).kind == SlowAccess::kHost);
  CHECK(slow_access(g.v, 0x7000001000, 4, Access::kWrite).kind == SlowAccess::kBounce);
}

void code_pages() {
  Guest g;
  g.long_mode();
  g_code.page = kA1;
  g_code.granule = kA1 + 0x80;
  CHECK(slow_access(g.v, kA1, 8, Access::kWrite).kind == SlowAccess::kHost);  // other granule
  CHECK(!hits(g, kA1, Access::kWrite));
  CHECK(hits(g, kA1, Access::kRead));
  CHECK(slow_access(g.v, kA1 + 0x7c, 8, Access::kWrite).kind == SlowAccess::kCode);
  CHECK_EQ(slow_access(g.v, kA1 + 0x7c, 8, Access::kWrite).host - g.ram(kA1), 0x7c);
  CHECK(mem_write(g.v, kDS, kA1 + 0x80, 4, 1));
  CHECK_EQ(g_code.invalidations, 1);
  CHECK(mem_write(g.v, kDS, kA1 + 0x100, 4, 1));
  CHECK_EQ(g_code.invalidations, 1);
  // A page that gets code while it is writable in several contexts.
  g_code.page = ~0ull;
  CHECK(touch(g, kA1, Access::kWrite));
  CHECK(touch(g, kB1, Access::kWrite));
  CHECK(tlb_protect_physical(g.v, kA1, true));
  CHECK(!hits(g, kA1, Access::kWrite));
  CHECK(hits(g, kA1, Access::kRead));
  CHECK(hits(g, kB1, Access::kWrite));
}

void flushes() {
  Guest g;
  g.long_mode();
  g.pte(kB1) |= kG;
  const auto fill = [&] {
    CHECK(touch(g, kA1, Access::kRead));
    CHECK(touch(g, kB1, Access::kRead));
  };
  fill();
  tlb_flush_page(g.v, kA1 + 5);
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(hits(g, kB1, Access::kRead));
  fill();
  tlb_flush_non_global(g.v);
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(hits(g, kB1, Access::kRead));
  tlb_flush_page(g.v, kB1);  // INVLPG drops global entries too
  CHECK(!hits(g, kB1, Access::kRead));
  fill();
  tlb_flush_all(g.v);
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(!hits(g, kB1, Access::kRead));
}

// A page fault drops its page, from this address space only, and what user code remembers of it; other pages stay.
void page_fault_flush() {
  Guest g;
  g.long_mode();
  const auto forgets = [&](u64 linear) {
    g.v.last_page[17] = {.base = linear, .room = last_page_room(17), .add = 0};
    g.v.last_pages_used = 1 << (17 >> kLastPageGroupShift);
    tlb_page_fault(g.v, linear + 5, false);
    return g.v.last_page[17].room == 0;
  };
  CHECK(touch(g, kA1, Access::kWrite));
  CHECK(touch(g, kB1, Access::kRead));
  CHECK(hits(g, kA1, Access::kRead) && hits(g, kA1, Access::kWrite));
  CHECK(forgets(kA1));
  CHECK(!hits(g, kA1, Access::kRead) && !hits(g, kA1, Access::kWrite));
  CHECK(hits(g, kB1, Access::kRead));
  CHECK(forgets(kA1));  // although no entry knows it any more
  // The entry pushed out by one that shares its index.
  const u64 alias = kB1 + (u64{kTlbEntries} << 12);
  g.map(alias, kA1 | kP | kRw);
  CHECK(touch(g, kB1, Access::kRead));
  CHECK(touch(g, alias, Access::kRead));
  CHECK(!hits(g, kB1, Access::kRead));
  const SecondEntry& second = g.v.tlb->second[second_index(kB1)];
  CHECK_EQ(second.read_tag, kB1);
  tlb_page_fault(g.v, kB1, false);
  CHECK(second.read_tag != kB1);
  CHECK(hits(g, alias, Access::kRead));
  // Code only with faults of fetches, or in its own slot.
  u64 gpa;
  CHECK(fetch_translate(g.v, kA1, gpa));
  tlb_page_fault(g.v, kB1, true);
  CHECK(executed(g, kA1));
  tlb_page_fault(g.v, kA1, true);
  CHECK(!executed(g, kA1));
}

// INVLPG of any address in a large page drops all of it.
void large_page_flush() {
  Guest g;
  g.long_mode();
  const u64 linear = 0xffffc00000200000ull;
  g.pte(linear) = 0;
  u64* const pml4 = reinterpret_cast<u64*>(g.ram(kTables));
  u64* const pdpt = reinterpret_cast<u64*>(g.ram(pml4[linear >> 39 & 511] & ~0xfffull));
  u64* const pd = reinterpret_cast<u64*>(g.ram(pdpt[0] & 0xffffffffff000));
  pd[1] = 0x400000 | kP | kRw | kPs;
  CHECK(touch(g, linear + 0x3000, Access::kRead));
  CHECK(touch(g, linear + 0x1ff000, Access::kRead));
  CHECK(touch(g, kA1, Access::kRead));
  tlb_flush_page(g.v, linear + 0x80000);
  CHECK(!hits(g, linear + 0x3000, Access::kRead));
  CHECK(!hits(g, linear + 0x1ff000, Access::kRead));
  CHECK(hits(g, kA1, Access::kRead));
}

// Two pages that share an entry: a copy from one to the other must find both, whichever came first.
void aliases() {
  Guest g;
  g.long_mode();
  const u64 alias = kA1 + (u64{kTlbEntries} << 12);
  const u64 third = alias + (u64{kTlbEntries} << 12);
  g.map(alias, kB1 | kP | kRw | kA | kD);
  g.map(third, 0x5000 | kP | kRw | kA | kD);
  g.pte(kA1) = kA1 | kP | kRw | kA | kD;
  CHECK(touch(g, kA1, Access::kRead));
  CHECK(hits(g, kA1, Access::kWrite));  // one miss fills both sides
  for (int round = 0; round < 2; ++round) {
    CHECK(touch(g, alias, Access::kWrite));
    CHECK(hits(g, kA1, Access::kRead) && hits(g, alias, Access::kWrite));
    CHECK(!hits(g, kA1, Access::kWrite) && !hits(g, alias, Access::kRead));
    CHECK(touch(g, kA1, Access::kRead));
    CHECK(hits(g, kA1, Access::kRead) && hits(g, alias, Access::kWrite));
  }
  CHECK_EQ(slow_access(g.v, kA1 + 4, 4, Access::kRead).host - g.ram(kA1), 4);
  CHECK_EQ(tlb_hit(g.v, current_class(g.v), alias + 4, 4, Access::kWrite) - g.ram(kB1), 4);
  // INVLPG of one leaves the other; a page that moves in whole takes both sides.
  tlb_flush_page(g.v, kA1);
  CHECK(!hits(g, kA1, Access::kRead) && hits(g, alias, Access::kWrite));
  tlb_flush_page(g.v, alias);
  CHECK(!hits(g, alias, Access::kWrite));
  CHECK(touch(g, kA1, Access::kWrite));
  CHECK(hits(g, kA1, Access::kRead) && hits(g, kA1, Access::kWrite));
  CHECK(touch(g, third, Access::kRead));
  CHECK(hits(g, third, Access::kWrite) && !hits(g, kA1, Access::kRead) && !hits(g, kA1, Access::kWrite));
  // A flush drops both sides.
  CHECK(touch(g, kA1, Access::kWrite));
  tlb_flush_all(g.v);
  CHECK(!hits(g, kA1, Access::kWrite) && !hits(g, third, Access::kRead));
}

void jump_tables() {
  Guest g;
  g.long_mode();
  const u8* const miss = jump_miss_thunk(g.machine);
  SecondJump& second = g.v.jump->second[second_jump_index(kA1)];
  const auto set = [&] {
    g.v.jump->host[jump_index(kA1)] = g.ram(0);
    second = {kA1, g.ram(0)};
    g.v.jump->second_used = true;
  };
  const auto kept = [&] {  // in both tables, or in neither
    const bool kept = g.v.jump->host[jump_index(kA1)] != miss;
    CHECK(kept == (second.host != nullptr));
    return kept;
  };
  u64 gpa;
  CHECK(fetch_translate(g.v, kA1 + 7, gpa));
  CHECK_EQ(gpa, kA1 + 7);
  CHECK(executed(g, kA1));
  set();
  tlb_flush_page(g.v, kB1);
  CHECK(kept());
  tlb_flush_page(g.v, kA1);
  CHECK(!kept() && !executed(g, kA1));
  // A data page that shares the slot of a code page: its INVLPG leaves the jump table alone.
  CHECK(fetch_translate(g.v, kA1, gpa));
  set();
  tlb_flush_page(g.v, kA1 + (u64{kTlbEntries} << 12) * 2);
  CHECK(kept());
  tlb_flush_page(g.v, kA1);
  // Global code survives MOV CR3, other code does not.
  g.pte(kA1) |= kG;
  CHECK(fetch_translate(g.v, kA1, gpa));
  set();
  tlb_flush_non_global(g.v);
  CHECK(kept() && executed(g, kA1));
  CHECK(fetch_translate(g.v, kB1, gpa));
  tlb_flush_non_global(g.v);
  CHECK(!kept());
  set();
  jump_flush_all(g.v);
  CHECK(!kept());
  // A code page evicted from its slot by another may still be a jump target: INVLPG must not forget it.
  CHECK(fetch_translate(g.v, kA1, gpa));
  set();
  const u64 alias = kA1 + (u64{kTlbEntries} << 12);
  g.pte(alias) = 0x5000 | kP | kUs | kA;
  CHECK(fetch_translate(g.v, alias, gpa));
  CHECK(!executed(g, kA1));
  tlb_flush_page(g.v, kA1);
  CHECK(!kept());
}

void contexts() {
  Guest g;
  g.long_mode();
  g.v.cr4 |= kCr4PCIDE;
  tlb_switch_context(g.v, kTables, false);
  CHECK(touch(g, kA1, Access::kRead));
  Context* const first = g.v.context;
  tlb_switch_context(g.v, kTables | 1, false);
  CHECK(g.v.context != first);
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(touch(g, kB1, Access::kRead));
  tlb_switch_context(g.v, kTables, true);
  CHECK(g.v.context == first);
  CHECK(hits(g, kA1, Access::kRead));
  tlb_switch_context(g.v, kTables, false);  // bit 63 clear: this PCID's entries go
  CHECK(!hits(g, kA1, Access::kRead));
  tlb_flush_pcid(g.v, 1);
  tlb_switch_context(g.v, kTables | 1, true);
  CHECK(!hits(g, kB1, Access::kRead));
  // The same PCID with another root must not see the old root's entries.
  CHECK(touch(g, kB1, Access::kRead));
  tlb_switch_context(g.v, 0x600000 | 1, true);
  CHECK(!hits(g, kB1, Access::kRead));
  tlb_switch_context(g.v, kTables | 1, true);
  // More PCIDs than contexts: the least recently used is replaced.
  CHECK(touch(g, kA1, Access::kRead));
  for (u64 pcid = 2; pcid < 2 + kContexts; ++pcid) {
    tlb_switch_context(g.v, kTables | pcid, true);
    CHECK(!hits(g, kA1, Access::kRead));
    CHECK(touch(g, kB1, Access::kRead));
  }
  tlb_switch_context(g.v, kTables | (1 + kContexts), true);
  CHECK(hits(g, kB1, Access::kRead));
  tlb_flush_page(g.v, kB1);
  CHECK(!hits(g, kB1, Access::kRead));
  CHECK(touch(g, kB1, Access::kRead));
  tlb_switch_context(g.v, kTables | 5, true);
  tlb_flush_all(g.v);
  tlb_switch_context(g.v, kTables | (1 + kContexts), true);
  CHECK(!hits(g, kB1, Access::kRead));
}

void smap_entries() {
  Guest g;
  g.long_mode();
  g.v.cr4 |= kCr4SMAP;
  tlb_flush_all(g.v);
  g.v.rflags |= kFlagAC;
  refresh_mode(g.v);
  CHECK(touch(g, kA1, Access::kRead));
  CHECK(hits(g, kA1, Access::kRead));
  CHECK(g.run({0x0f, 0x01, 0xca}) == OpResult::kNext || g.v.exception.vector == kUD);  // CLAC
  g.v.exception = PendingException{};
  g.v.rflags &= ~kFlagAC;
  refresh_mode(g.v);
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(!touch(g, kA1, Access::kRead));
}

void privilege_classes() {
  Guest g;
  g.long_mode();
  g.pte(kA1) = kA1 | kP | kRw | kA | kD;  // supervisor only
  CHECK(touch(g, kA1, Access::kRead));
  g.user();
  CHECK(!hits(g, kA1, Access::kRead));
  CHECK(!touch(g, kA1, Access::kRead));
  CHECK(touch(g, kB1, Access::kRead));
}

// While there is a log of written pages, a page that is not in it has no entry for writing, however it is reached, and
// whatever writes notes it: stores by the TLB, beside code, across pages, by helpers and by page walks.
void dirty_log() {
  Guest g;
  g.long_mode();
  CHECK(touch(g, kA1, Access::kWrite) && touch(g, kB1, Access::kWrite));
  DirtyLog log(g.physical);
  const auto pages = [&log] {
    std::vector<u64> all;
    log.for_each([&all](u64 at) { return all.push_back(at), true; });
    return all;
  };
  const auto restart = [&] { log.clear(), tlb_drop_writes(g.v); };
  using Pages = std::vector<u64>;
  g.machine.dirty = &log;
  restart();
  CHECK(!hits(g, kA1, Access::kWrite) && hits(g, kA1, Access::kRead));
  CHECK(touch(g, kA1, Access::kRead) && touch(g, kA1 + 0x1000, Access::kRead));
  CHECK(!hits(g, kA1, Access::kWrite) && !hits(g, kA1 + 0x1000, Access::kWrite));  // reading lets nothing be written
  CHECK(pages().empty());
  CHECK(touch(g, kA1, Access::kWrite) && hits(g, kA1, Access::kWrite));
  CHECK(pages() == Pages{kA1});
  CHECK(touch(g, kB1, Access::kReadWrite));
  CHECK(pages() == (Pages{kA1, kB1}));
  LastPage& memo = g.v.last_page[kLastPages / 2];  // what user code remembers of a page for writing goes too
  memo = {kA1, 4096, 0};
  g.v.last_pages_used = 1ull << ((kLastPages / 2) >> kLastPageGroupShift);
  restart();
  CHECK_EQ(memo.room, 0);
  CHECK(pages().empty() && !hits(g, kA1, Access::kWrite) && !hits(g, kB1, Access::kWrite));
  // A page that was written and read again after the log was taken.
  tlb_flush_all(g.v);
  CHECK(touch(g, kA1, Access::kRead) && !hits(g, kA1, Access::kWrite));
  // Beside code, onto code, and again when the log was taken: such pages never have an entry for writing.
  g_code.page = kA1, g_code.granule = kA1 + 0x80;
  CHECK(slow_access(g.v, kA1, 8, Access::kWrite).kind == SlowAccess::kHost);
  CHECK(pages() == Pages{kA1});
  restart();
  CHECK(slow_access(g.v, kA1, 8, Access::kWrite).kind == SlowAccess::kHost);
  CHECK(pages() == Pages{kA1});
  restart();
  CHECK(mem_write(g.v, kDS, kA1 + 0x80, 4, 1));
  CHECK(pages() == Pages{kA1});
  g_code.page = g_code.granule = ~0ull;
  restart();
  // Across a page end; a helper's block; what the engine itself writes; an accessed bit in a page table.
  CHECK(slow_access(g.v, kA1 + 0xffc, 8, Access::kWrite).kind == SlowAccess::kHost);
  CHECK(pages() == (Pages{kA1, kA1 + 0x1000}));
  restart();
  const u64 block[4] = {1, 2, 3, 4};
  CHECK(mem_write_block(g.v, kDS, kB1 + 0xff0, block, sizeof block));
  CHECK(pages() == (Pages{kB1, kB1 + 0x1000}));
  restart();
  CHECK(phys_write(g.machine, kB1, block, sizeof block));
  CHECK(pages() == Pages{kB1});
  restart();
  g.map(kA1, kA1 | kP | kRw);
  CHECK(touch(g, kA1, Access::kRead));
  CHECK_EQ(pages().size(), 1);
  CHECK((pages()[0] & ~0xfffull) == (static_cast<u64>(reinterpret_cast<u8*>(&g.pte(kA1)) - g.ram(0)) & ~0xfffull));
  g.machine.dirty = nullptr;
}

// What user code remembers of pages in a row is one memo where they are in a row in the host too.
void pages_in_a_row() {
  Guest g;
  g.long_mode();
  const auto page = [](u64 n) { return kA1 + n * kPageBytes; };
  g.map(page(5), kB1 | kP | kRw);  // elsewhere in the host
  for (u64 n : {0, 1, 2, 4, 5}) CHECK(touch(g, page(n), Access::kWrite));
  const unsigned store = kLastPages / 2, load = 3;
  const LastPage &stores = g.v.last_page[store], &loads = g.v.last_page[load];
  widen_last_page(g.v, store, page(1));
  CHECK_EQ(stores.base, kA1);
  CHECK_EQ(stores.room, 3 * kPageBytes + 1 - last_page_bytes(store));
  CHECK_EQ(stores.base + stores.add, reinterpret_cast<u64>(g.ram(kA1)));
  CHECK(remembers_page(g.v, page(0)) && remembers_page(g.v, page(2)));
  CHECK(!remembers_page(g.v, page(3)) && !remembers_page(g.v, kA1 - kPageBytes));
  widen_last_page(g.v, load, page(4));
  CHECK(loads.base == page(4) && loads.room == last_page_room(load));
  widen_last_page(g.v, load, page(3));  // a page that the TLB does not hold
  CHECK_EQ(loads.base, page(4));
  // For reading only: no part of what may be written.
  g.pte(page(3)) = page(3) | kP;
  CHECK(touch(g, page(3), Access::kRead));
  widen_last_page(g.v, load, page(3));
  CHECK(loads.base == kA1 && loads.room == 5 * kPageBytes + 1 - last_page_bytes(load));
  widen_last_page(g.v, store, page(2));
  CHECK_EQ(stores.room, 3 * kPageBytes + 1 - last_page_bytes(store));
  // One page of them becomes code: memos for writes that reach it are empty, those for reads stay.
  const u64 host = reinterpret_cast<u64>(g.ram(page(2)));
  CHECK(!protect_last_pages(g.v, host + kPageBytes) && stores.room != 0);
  CHECK(protect_last_pages(g.v, host));
  CHECK(stores.room == 0 && loads.room != 0);
  CHECK(!protect_last_pages(g.v, host));
  // Of a set the memo that holds some of the pages is widened.
  const unsigned set = last_page_set(0, 0);
  LastPage& second = g.v.last_page[set + 1];
  second = {page(1), last_page_room(set), loads.add};
  widen_last_page(g.v, set, page(0));
  CHECK(second.base == kA1 && second.room == 5 * kPageBytes + 1 - last_page_bytes(set));
  tlb_page_fault(g.v, page(4), false);
  CHECK(second.room == 0 && loads.room == 0);
}

}  // namespace

void tlb_tests() {
  pages_in_a_row();
  dirty_log();
  filling();
  code_pages();
  aliases();
  flushes();
  page_fault_flush();
  large_page_flush();
  jump_tables();
  contexts();
  smap_entries();
  privilege_classes();
}

}  // namespace rz::test
