// Page walks in every paging mode: addresses, rights, error codes, accessed and dirty bits.
#include "guest.h"

namespace rz::test {
namespace {

constexpr u64 kFar = 0xffff800012345000ull;  // a kernel-half address
constexpr u32 kErrP = 1, kErrW = 2, kErrU = 4, kErrRsvd = 8, kErrFetch = 16;

void expect_fault(Guest& g, u64 linear, Access access, PrivClass cls, u32 error, int line) {
  Translation t;
  check(!walk(g.v, linear, access, cls, t), __FILE__, line, "walk faults");
  check_equal(g.v.exception.vector, kPFx, __FILE__, line, "vector");
  check_equal(g.v.exception.error, error, __FILE__, line, "page-fault error code");
  check_equal(g.v.exception.cr2, linear, __FILE__, line, "CR2");
  g.v.exception = PendingException{};
}
#define FAULTS(linear, access, cls, error) expect_fault(g, (linear), (access), (cls), (error), __LINE__)

bool maps(Guest& g, u64 linear, Access access, PrivClass cls, u64 gpa) {
  Translation t;
  if (!walk(g.v, linear, access, cls, t)) {
    g.v.exception = PendingException{};
    return false;
  }
  return t.gpa == gpa;
}

void four_level() {
  Guest g;
  g.long_mode();
  g.pte(kFar) = 0x5000 | kP;
  CHECK(maps(g, kFar + 0x123, Access::kRead, kSupervisor, 0x5123));
  CHECK_EQ(g.pte(kFar) & (kA | kD), kA);
  FAULTS(kFar, Access::kRead, kUser, kErrP | kErrU);
  FAULTS(kFar, Access::kWrite, kSupervisor, kErrP | kErrW);  // CR0.WP
  g.v.cr0 &= ~kCr0WP;
  CHECK(maps(g, kFar, Access::kWrite, kSupervisor, 0x5000));
  CHECK_EQ(g.pte(kFar) & kD, kD);
  FAULTS(kFar, Access::kWrite, kUser, kErrP | kErrW | kErrU);
  g.v.cr0 |= kCr0WP;
  FAULTS(kFar + 0x1000, Access::kReadWrite, kUser, kErrW | kErrU);
  FAULTS(kFar + 0x1000, Access::kExecute, kSupervisor, kErrFetch);

  g.pte(kFar) = 0x5000 | kP | kRw | kUs | kNx;
  FAULTS(kFar, Access::kExecute, kUser, kErrP | kErrU | kErrFetch);
  CHECK(maps(g, kFar, Access::kRead, kUser, 0x5000));
  g.v.msr.efer &= ~kEferNXE;
  FAULTS(kFar, Access::kRead, kSupervisor, kErrP | kErrRsvd);  // bit 63 is reserved now
  g.v.msr.efer |= kEferNXE;
  g.pte(kFar) = 0x5000 | kP | 1ull << 50;  // above the physical width
  FAULTS(kFar, Access::kWrite, kSupervisor, kErrP | kErrRsvd | kErrW);
  CHECK_EQ(g.pte(kFar) & (kA | kD), 0);  // a faulting walk sets nothing

  Translation t;
  CHECK(!walk(g.v, 0x800000000000ull, Access::kRead, kSupervisor, t));
  CHECK_EQ(g.v.exception.vector, kGP);
  g.v.exception = PendingException{};
}

void large_pages() {
  Guest g;
  g.long_mode();
  const u64 linear = 0xffffc00000000000ull;
  g.pte(linear) = 0;  // makes the upper levels
  u64* const pml4 = reinterpret_cast<u64*>(g.ram(kTables));
  u64* const pdpt = reinterpret_cast<u64*>(g.ram(pml4[linear >> 39 & 511] & ~0xfffull));
  u64* const pd = reinterpret_cast<u64*>(g.ram(pdpt[0] & 0xffffffffff000));
  pd[1] = 0x400000 | kP | kRw | kPs | kG;
  Translation t;
  CHECK(walk(g.v, linear + 0x234567, Access::kWrite, kSupervisor, t));
  CHECK_EQ(t.gpa, 0x434567);
  CHECK_EQ(t.page_bytes, 2u << 20);
  CHECK(t.global && t.writable);
  CHECK_EQ(pd[1] & (kA | kD), kA | kD);
  pd[1] |= 1 << 13;
  FAULTS(linear + 0x200000, Access::kRead, kSupervisor, kErrP | kErrRsvd);
  pdpt[3] = 0x40000000 | kP | kPs;
  CHECK(walk(g.v, linear + (3ull << 30) + 0x12345678, Access::kRead, kSupervisor, t));
  CHECK_EQ(t.gpa, 0x52345678);
  CHECK_EQ(t.page_bytes, 1u << 30);
  pml4[300] = 0x5000 | kP | kPs;  // PS is reserved at the top
  FAULTS(0xffff000000000000ull | 300ull << 39, Access::kRead, kSupervisor, kErrP | kErrRsvd);
}

void five_level() {
  Guest g;
  g.long_mode();
  const u64 pml5 = 0x600000;
  g.v.cr4 |= kCr4LA57;
  g.v.cr3 = pml5;
  g.store(pml5, kTables | kP | kRw | kUs);
  g.store(pml5 + 8 * 511, kTables | kP | kRw);
  tlb_flush_all(g.v);
  CHECK(maps(g, 0x5123, Access::kWrite, kUser, 0x5123));
  FAULTS(0xfeff000000005123ull + (1ull << 56), Access::kRead, kUser, kErrP | kErrU);  // user bit clear at level 5
  Translation t;
  CHECK(!walk(g.v, 1ull << 56, Access::kRead, kSupervisor, t));
  CHECK_EQ(g.v.exception.vector, kGP);
  g.v.exception = PendingException{};
  CHECK(!walk(g.v, 1ull << 50, Access::kRead, kSupervisor, t));  // canonical now, but unmapped
  CHECK_EQ(g.v.exception.vector, kPFx);
  g.v.exception = PendingException{};
}

void smep_smap() {
  Guest g;
  g.long_mode();
  g.v.cr4 |= kCr4SMEP;
  FAULTS(0x5000, Access::kExecute, kSupervisor, kErrP | kErrFetch);
  CHECK(maps(g, 0x5000, Access::kExecute, kUser, 0x5000));
  CHECK(maps(g, 0x5000, Access::kRead, kSupervisor, 0x5000));
  g.v.cr4 |= kCr4SMAP;
  FAULTS(0x5000, Access::kRead, kSupervisor, kErrP);
  FAULTS(0x5000, Access::kWrite, kSupervisor, kErrP | kErrW);
  g.v.rflags |= kFlagAC;
  CHECK(maps(g, 0x5000, Access::kWrite, kSupervisorAc, 0x5000));
  FAULTS(0x5000, Access::kExecute, kSupervisorAc, kErrP | kErrFetch);
  // An implicit supervisor access does not look at AC.
  FAULTS(0x5000, Access::kRead, kSupervisor, kErrP);
}

void pae() {
  Guest g;
  g.v.cr0 |= kCr0PE | kCr0PG;
  g.v.cr4 = kCr4PAE;
  g.v.msr.efer = kEferNXE;
  g.v.pdpte[0] = 0x200000 | kP;
  g.v.pdpte[3] = 0x201000 | kP;
  g.store(0x200000 + 8 * 1, 0x202000 | kP | kRw | kUs);
  g.store(0x202000 + 8 * 2, 0x7000 | kP | kUs | kNx);
  g.store(0x201000, 0x400000 | kP | kRw | kPs);
  CHECK(maps(g, 0x202345, Access::kRead, kUser, 0x7345));
  FAULTS(0x202345, Access::kExecute, kUser, kErrP | kErrU | kErrFetch);
  FAULTS(0x202345, Access::kWrite, kUser, kErrP | kErrU | kErrW);
  CHECK(maps(g, 0xc0012345, Access::kWrite, kSupervisor, 0x412345));
  CHECK_EQ(g.load(0x201000) & (kA | kD), kA | kD);
  FAULTS(0x40000000, Access::kRead, kSupervisor, 0);  // PDPTE not present
  g.store(0x202000 + 8 * 2, 0x7000 | kP | 1ull << 52);
  FAULTS(0x202000, Access::kRead, kSupervisor, kErrP | kErrRsvd);
}

void two_level() {
  Guest g;
  g.v.cr0 |= kCr0PE | kCr0PG;
  g.v.cr3 = 0x200000;
  g.store(0x200000 + 4 * 1, 0x201000 | kP | kRw | kUs, 4);
  g.store(0x201000 + 4 * 3, 0x9000 | kP | kUs, 4);
  g.store(0x200000 + 4 * 2, 0x800000 | kP | kRw | kPs | 5 << 13, 4);
  CHECK(maps(g, 0x403abc, Access::kRead, kUser, 0x9abc));
  CHECK_EQ(g.load(0x201000 + 12, 4) & (kA | kD), kA);
  CHECK(maps(g, 0x403abc, Access::kWrite, kSupervisor, 0x9abc));  // WP is clear
  CHECK_EQ(g.load(0x201000 + 12, 4) & (kA | kD), kA | kD);
  FAULTS(0x403abc, Access::kWrite, kUser, kErrP | kErrW | kErrU);
  g.v.cr4 |= kCr4PSE;
  CHECK(maps(g, 0x812345, Access::kRead, kSupervisor, (5ull << 32) + 0x812345));
  FAULTS(0x812345, Access::kRead, kUser, kErrP | kErrU);
  g.store(0x200000 + 4 * 2, 0x800000 | kP | kPs | 1 << 21, 4);
  FAULTS(0x812345, Access::kRead, kSupervisor, kErrP | kErrRsvd);
  FAULTS(0xf0000000, Access::kExecute, kUser, kErrU);  // no NX, no SMEP: no fetch bit
}

void peeking() {
  Guest g;
  g.long_mode();
  g.pte(kFar) = 0x5000 | kP;
  Translation t;
  CHECK(peek_walk(g.v, kFar, t));
  CHECK_EQ(t.gpa, 0x5000);
  CHECK_EQ(g.pte(kFar) & kA, 0);
  CHECK(!peek_walk(g.v, kFar + 0x1000, t));
  CHECK_EQ(g.v.exception.vector, PendingException::kNone);
}

// An accessed bit set in a page table that holds translated code must drop that code.
void table_with_code() {
  Guest g;
  g.long_mode();
  g.pte(kFar) = 0x5000 | kP;
  const u64 at = static_cast<u64>(reinterpret_cast<u8*>(&g.pte(kFar)) - g.ram(0));
  g_code.page = at & kPageMask;
  g_code.granule = at & ~63ull;
  CHECK(maps(g, kFar, Access::kRead, kSupervisor, 0x5000));
  CHECK_EQ(g_code.invalidations, 1);
  CHECK(maps(g, kFar, Access::kRead, kSupervisor, 0x5000));
  CHECK_EQ(g_code.invalidations, 1);
}

}  // namespace

void walk_tests() {
  four_level();
  large_pages();
  five_level();
  smep_smap();
  pae();
  two_level();
  peeking();
  table_with_code();
}

}  // namespace rz::test
