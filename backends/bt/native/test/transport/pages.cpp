// What an answer to Command::kTakeDirty is made of.
#include <string.h>

#include <utility>

#include "shared/page_runs.h"
#include "transport_test.h"

using namespace rz;
using rz::shared::PagesToTell;

namespace {

using Runs = std::vector<std::pair<u64, u64>>;

/// One answer of `room` bytes.
Runs told(PagesToTell& pages, u32 room) {
  std::vector<u8> into(room);
  Runs runs(pages.tell(into.data(), room) / 16);
  if (!runs.empty()) memcpy(static_cast<void*>(runs.data()), into.data(), runs.size() * 16);
  return runs;
}

}  // namespace

CASE(page_runs, "adjacent pages are one run, across words and ranges, and are told once") {
  PagesToTell pages;
  const u64 high[] = {1}, low[] = {0x8000000000000006, 1};
  pages.note(0x41000, high, 1);
  pages.note(0, low, 2);
  CHECK((told(pages, 1024) == Runs{{0x1000, 0x2000}, {0x3f000, 0x3000}}));
  CHECK(told(pages, 1024).empty());
}

CASE(page_runs_parts, "what has no room is told next, and an empty run says that there is more") {
  PagesToTell pages;
  const u64 apart[] = {0x15, 0x4};
  pages.note(0x100000, apart, 2);
  CHECK((told(pages, 3 * 16) == Runs{{0x100000, 0x1000}, {0x102000, 0x1000}, {0, 0}}));
  const u64 later[] = {0x3};  // one of them was told before and was written again
  pages.note(0x100000, later, 1);
  CHECK((told(pages, 4 * 16) == Runs{{0x100000, 0x2000}, {0x104000, 0x1000}, {0x142000, 0x1000}}));
  CHECK(told(pages, 64).empty());
  pages.note(0x100000, apart, 2);
  pages.clear();
  CHECK(told(pages, 64).empty());
}
