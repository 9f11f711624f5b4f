// Hardware task switches: by far jump and call, by task gate with an error code, and back by IRET.
#include "guest.h"

namespace rz::test {
namespace {

constexpr u64 kOther = 0x4800;  // the other task's TSS

void build(Guest& g) {
  g.protected_mode();
  g.gdt(0x30, static_cast<u32>(kOther), 0x67, 0x089);
  g.store(kOther + 0x20, 0x9000, 4);
  g.store(kOther + 0x24, 2 | kFlagCF, 4);
  for (unsigned i = 0; i < 8; ++i) g.store(kOther + 0x28 + 4 * i, 0x100 + i, 4);
  g.store(kOther + 0x28 + 16, 0x6000, 4);  // ESP
  const u16 selectors[] = {0x10, 0x08, 0x10, 0x10, 0, 0};
  for (unsigned i = 0; i < 6; ++i) g.store(kOther + 0x48 + 4 * i, selectors[i], 4);
}

unsigned tss_type(Guest& g, u16 selector) { return g.load(kGdt + selector) >> 40 & 15; }

void jump() {
  Guest g;
  build(g);
  g.v.regs[3] = 0xabcdef;
  CHECK(g.run({0xea, 0, 0, 0, 0, 0x30, 0}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.regs[0], 0x100);
  CHECK_EQ(g.v.regs[7], 0x107);
  CHECK_EQ(g.v.rflags, 2 | kFlagCF);
  CHECK_EQ(g.v.tr.selector, 0x30);
  CHECK_EQ(tss_type(g, 0x28), 9);  // no longer busy
  CHECK_EQ(tss_type(g, 0x30), 11);
  CHECK_EQ(g.load(kTss + 0x20, 4), 0x8007);
  CHECK_EQ(g.load(kTss + 0x34, 4), 0xabcdef);
  CHECK_EQ(g.load(kTss + 0x4c, 2), 0x08);
  CHECK(g.v.cr0 & kCr0TS);
  CHECK_EQ(g.v.seg[kFS].fast_ok, 0);
  CHECK_FAULT(g, g.run({0xea, 0, 0, 0, 0, 0x30, 0}), kGP, 0x30);  // busy
}

void call_and_return() {
  Guest g;
  build(g);
  CHECK(g.run({0x9a, 0, 0, 0, 0, 0x30, 0}) == OpResult::kJump);
  CHECK(g.v.rflags & kFlagNT);
  CHECK_EQ(g.load(kOther, 2), 0x28);
  CHECK_EQ(tss_type(g, 0x28), 11);  // stays busy
  CHECK(g.run({0xcf}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x8007);
  CHECK_EQ(g.v.regs[4], 0x7000);
  CHECK_EQ(g.v.tr.selector, 0x28);
  CHECK_EQ(tss_type(g, 0x30), 9);
  CHECK(!(g.v.rflags & kFlagNT));
  CHECK_EQ(g.load(kOther + 0x24, 4) & kFlagNT, 0);
}

void gate_with_error() {
  Guest g;
  build(g);
  g.store(kIdt + 13 * 8, 0x30ull << 16 | 0x85ull << 40);  // task gate
  g.v.raise(kGP, 0x1234);
  deliver_exception(g.v);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.regs[4], 0x6000 - 4);
  CHECK_EQ(g.load(0x6000 - 4, 4), 0x1234);
  CHECK_EQ(g.load(kTss + 0x20, 4), 0x8000);
  // A fault in the new task's segments is taken in the new task.
  Guest h;
  build(h);
  h.store(kOther + 0x48 + 4 * 2, 0x08, 4);  // SS names code
  CHECK(h.run({0xea, 0, 0, 0, 0, 0x30, 0}) == OpResult::kFault);
  CHECK_EQ(h.v.exception.vector, kTS);
  CHECK_EQ(h.v.exception.error, 0x08);
  CHECK_EQ(h.v.rip, 0x9000);
  CHECK_EQ(h.v.tr.selector, 0x30);
}

}  // namespace

void task_tests() {
  jump();
  call_and_return();
  gate_with_error();
}

}  // namespace rz::test
