// The memos of last_page.h from C++: emptied, widened, searched. They are filled by thunks, and here only where pages
// in a row are in a row in the host too.
#include "last_page.h"

#include "../run/machine.h"
#include "mmu.h"

namespace rz {
namespace {

using Group = LastPage[1u << kLastPageGroupShift];
Group& group_of(Vcpu& vcpu, unsigned group) {
  return *reinterpret_cast<Group*>(&vcpu.last_page[group << kLastPageGroupShift]);
}

template <typename Visit>
void for_each_used_group(Vcpu& vcpu, Visit visit) {
  for (u64 used = vcpu.last_pages_used; used; used &= used - 1)
    visit(group_of(vcpu, static_cast<unsigned>(__builtin_ctzll(used))));
}

/// The memo holds the byte at `offset` from its first page.
bool reaches(u64 room, u64 offset, unsigned bytes) { return room != 0 && offset < room + bytes - 1; }

}  // namespace

void forget_last_pages(Vcpu& vcpu) {
  for_each_used_group(vcpu, [](Group& group) {
    for (LastPage& memo : group) __atomic_store_n(&memo.room, 0, __ATOMIC_RELAXED);
  });
  vcpu.last_pages_used = 0;
}

// A memo may know a page that its TLB entry lost to another.
bool remembers_page(Vcpu& vcpu, u64 page) {
  bool found = false;
  for_each_used_group(vcpu, [&](Group& group) {
    for (const LastPage& memo : group) found |= memo.base <= page && reaches(memo.room, page - memo.base, 1);
  });
  return found;
}

void widen_last_page(Vcpu& vcpu, unsigned memo, u64 page) {
  const bool write = last_page_writes(memo);
  const TlbEntry* const entries = vcpu.tlb->entries;
  // Tags are loaded once: another vCPU may take them away.
  const auto tag = [&](u64 linear) {
    const TlbEntry& e = entries[tlb_index(linear)];
    return __atomic_load_n(write ? &e.write_tag : &e.read_tag, __ATOMIC_RELAXED);
  };
  const auto add = [&](u64 linear) {
    const TlbEntry& e = entries[tlb_index(linear)];
    return write ? e.write_add : e.read_add;
  };
  if (tag(page) != page) return;
  const u64 addend = add(page);
  const auto belongs = [&](u64 linear) { return tag(linear) == linear && add(linear) == addend; };
  u64 first = page, last = page;
  for (unsigned n = 0; n < kLastPageReach && first >= kPageBytes && belongs(first - kPageBytes); n++)
    first -= kPageBytes;
  for (unsigned n = 0; n < kLastPageReach && last < kPageMask && belongs(last + kPageBytes); n++) last += kPageBytes;

  unsigned at = memo;
  if (starts_last_page_set(memo)) {  // the one that holds some of these pages, else by turns as the thunk does it
    at += static_cast<unsigned>(-vcpu.last_page_left) & (kLastPageWays - 1);
    for (unsigned way = memo; way < memo + kLastPageWays; way++) {
      const LastPage& held = vcpu.last_page[way];
      if (held.room && held.base >= first && held.base <= last) at = way;
    }
  }
  LastPage& out = vcpu.last_page[at];
  __atomic_store_n(&out.base, first, __ATOMIC_RELAXED);
  __atomic_store_n(&out.add, addend, __ATOMIC_RELAXED);
  __atomic_store_n(&out.room, last - first + last_page_room(at), __ATOMIC_RELAXED);
  vcpu.last_pages_used |= 1ull << (at >> kLastPageGroupShift);
}

// One that the vCPU is filling right now comes from tags that were seen by whoever took them away, and is void at the
// safe point that is waited for because of it; one whose tag went since is complete, and seen here.
bool protect_last_pages(Vcpu& vcpu, u64 host) {
  bool held = false;
  for (unsigned i = kLastPages / 2; i < kLastPages; ++i) {
    LastPage& memo = vcpu.last_page[i];
    const u64 first = __atomic_load_n(&memo.base, __ATOMIC_RELAXED) + __atomic_load_n(&memo.add, __ATOMIC_RELAXED);
    const u64 room = __atomic_load_n(&memo.room, __ATOMIC_RELAXED);
    if (host < first || !reaches(room, host - first, last_page_bytes(i))) continue;
    __atomic_store_n(&memo.room, 0, __ATOMIC_RELAXED);
    held = true;
  }
  return held;
}

}  // namespace rz
