// What user-mode code remembers of the page that an access last went to: a range test against two words, with the
// soft TLB behind it (translate/last_page.cpp). A few accesses share each memo. It holds a translation that the soft
// TLB of the user's class held when it was taken, and is void from the moment at which any entry may be taken away:
// forget_last_pages(). Where pages in a row are in a row in the host too, one memo serves them all, and so do accesses
// across their ends (widen_last_page()). Layout is part of the code generator's contract.
#pragma once

#include "../cpu/types.h"

namespace rz {

struct alignas(32) LastPage {
  u64 base;  // linear address of the first page
  u64 room;  // an access may begin in so many bytes from there; 0: the memo is empty
  u64 add;   // host minus linear address
};
inline constexpr unsigned kLastPageShift = 5;
static_assert(sizeof(LastPage) == 1u << kLastPageShift);

/// Accesses that share a memo are checked as if they were as wide as the widest of their class, so that what a memo
/// says holds for all of them.
inline constexpr unsigned kLastPageClasses = 5, kLastPagesPerClass = 64;
inline constexpr u16 kLastPageBytes[kLastPageClasses] = {8, 16, 32, 64, 512};
/// Memos for reads, then as many for writes; each half by class.
inline constexpr unsigned kLastPages = 2 * kLastPageClasses * kLastPagesPerClass;

/// A load that chases pointers, whose next address is what it loads, may ask several memos before it gives up: which
/// one knows the page is predicted from the way that it came, and the address waits for nothing. The last memos for
/// reads of each class make up such sets.
inline constexpr unsigned kLastPageWays = 8, kLastPageSets = 2;

/// Memos are emptied by groups, so that it costs what was filled.
inline constexpr unsigned kLastPageGroupShift = 4;
static_assert(kLastPages >> kLastPageGroupShift <= 64 && kLastPages % (1u << kLastPageGroupShift) == 0);

/// So many memos in a row that change pages make C++ look.
inline constexpr i32 kLastPageChanges = 64;

constexpr unsigned last_page_class(unsigned bytes) {
  unsigned cls = 0;
  while (cls < kLastPageClasses && bytes > kLastPageBytes[cls]) cls++;
  return cls;  // kLastPageClasses: none
}
constexpr bool last_page_writes(unsigned index) { return index >= kLastPages / 2; }
constexpr unsigned last_page_index(unsigned cls, bool write, unsigned number) {
  const unsigned alone = write ? kLastPagesPerClass : kLastPagesPerClass - kLastPageSets * kLastPageWays;
  return ((write ? kLastPageClasses : 0) + cls) * kLastPagesPerClass + number % alone;
}
/// First memo of a set, for reads.
constexpr unsigned last_page_set(unsigned cls, unsigned number) {
  return (cls + 1) * kLastPagesPerClass - (number % kLastPageSets + 1) * kLastPageWays;
}
constexpr bool starts_last_page_set(unsigned index) {
  return index % kLastPageWays == 0 && !last_page_writes(index) &&
         index % kLastPagesPerClass >= kLastPagesPerClass - kLastPageSets * kLastPageWays;
}
constexpr unsigned last_page_bytes(unsigned index) {
  return kLastPageBytes[index / kLastPagesPerClass % kLastPageClasses];
}
/// How far a memo is widened in each direction: what a look costs has a bound, and as much of it as is needed was met.
inline constexpr unsigned kLastPageReach = 64;
/// LastPage::room of a memo that holds one page.
constexpr u32 last_page_room(unsigned index) { return 4096 + 1 - last_page_bytes(index); }

}  // namespace rz
