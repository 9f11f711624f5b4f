// State images. The guest's state is this thread's own FPU state, as in a running vCPU; nothing of the host's
// instruction pointers may reach guest memory, and what was saved must come back.
#include "guest.h"

#include <cstring>

namespace rz::test {
namespace {

void fxsave_round_trip() {
  Guest g;
  g.long_mode();
  g.v.regs[0] = 0x5000;
  u8 pattern[16], back[16];
  for (unsigned i = 0; i < 16; ++i) pattern[i] = static_cast<u8>(i * 17 + 1);
  fill_bytes(g.ram(0x5000), 0xcc, 512);
  asm volatile("fninit; fld1; movdqu %0, %%xmm5" : : "m"(pattern));
  const OpResult saved = g.run({0x0f, 0xae, 0x00});  // fxsave [rax]
  asm volatile("fstp %%st(0); pxor %%xmm5, %%xmm5" : :);
  CHECK(saved == OpResult::kNext);
  CHECK_EQ(g.load(0x5000, 2), 0x37f);
  for (unsigned at = 6; at < 24; ++at) CHECK_EQ(g.load(0x5000 + at, 1), 0);  // no host pointers
  CHECK(!std::memcmp(g.ram(0x5000 + 160 + 80), pattern, 16));
  CHECK_EQ(g.load(0x5000 + 416, 1), 0xcc);  // not written by processors either
  const OpResult restored = g.run({0x0f, 0xae, 0x08});
  double top;
  asm volatile("movdqu %%xmm5, %0; fstpl %1" : "=m"(back), "=m"(top));
  CHECK(restored == OpResult::kNext);
  CHECK(!std::memcmp(back, pattern, 16));
  CHECK(top == 1.0);
  g.store(0x5000 + 24, 0xffffffff, 4);
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x08}), kGP, 0);  // reserved MXCSR bits
  g.v.regs[0] = 0x5008;
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x00}), kGP, 0);  // alignment
}

void environment() {
  Guest g;
  g.long_mode();
  g.v.regs[0] = 0x5000;
  const u16 control = 0x27f;
  asm volatile("fninit; fldcw %0; fldpi" : : "m"(control));
  CHECK(g.run({0xd9, 0x30}) == OpResult::kNext);  // fnstenv [rax]
  CHECK_EQ(g.load(0x5000, 4), 0xffff027f);
  CHECK_EQ(g.load(0x5008, 4), 0xffff3fff);  // one register in use
  CHECK_EQ(g.load(0x500c), 0);
  CHECK_EQ(g.load(0x5014, 4), 0);
  asm volatile("fninit");
  CHECK(g.run({0xd9, 0x20}) == OpResult::kNext);  // fldenv
  u16 now;
  asm volatile("fnstcw %0; fninit" : "=m"(now));
  CHECK_EQ(now, control);
  asm volatile("fld1; fldpi");
  CHECK(g.run({0x66, 0xdd, 0x30}) == OpResult::kNext);  // fnsave, 16-bit layout
  CHECK_EQ(g.load(0x5000, 2), 0x37f);
  CHECK_EQ(g.load(0x5004, 2), 0x0fff);
  CHECK(g.run({0x66, 0xdd, 0x20}) == OpResult::kNext);
  double pi, one;
  asm volatile("fstpl %0; fstpl %1; fninit" : "=m"(pi), "=m"(one));
  CHECK(pi > 3.14159 && pi < 3.14160 && one == 1.0);
}

void xsave() {
  Guest g("x86-64-v3");
  if (!(g.profile.xcr0 & 4)) return;  // the host has no AVX
  g.long_mode();
  g.v.regs[0] = 7, g.v.regs[2] = 0, g.v.regs[1] = 0x5000;
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x21}), kUD, 0);  // CR4.OSXSAVE is clear
  g.v.cr4 |= kCr4OSXSAVE;
  g.v.regs[1] = 0;
  CHECK(g.run({0x0f, 0x01, 0xd1}) == OpResult::kNext);  // xsetbv 7
  CHECK_EQ(g.v.xcr0, 7);
  g.v.regs[0] = 5;
  CHECK_FAULT(g, g.run({0x0f, 0x01, 0xd1}), kGP, 0);  // AVX without SSE
  g.v.regs[0] = 0xe7;
  CHECK_FAULT(g, g.run({0x0f, 0x01, 0xd1}), kGP, 0);  // more than the profile has
  u8 pattern[32], back[32];
  for (unsigned i = 0; i < 32; ++i) pattern[i] = static_cast<u8>(i * 7 + 3);
  for (const bool compact : {false, true}) {
    g.v.regs[0] = 7, g.v.regs[1] = 0x5000;
    fill_bytes(g.ram(0x5000), 0, 1024);
    asm volatile("fninit; vmovdqu %0, %%ymm9" : : "m"(pattern));
    const OpResult saved = compact ? g.run({0x0f, 0xc7, 0x21}) : g.run({0x0f, 0xae, 0x21});
    asm volatile("vpxor %%xmm9, %%xmm9, %%xmm9" : :);
    CHECK(saved == OpResult::kNext);
    CHECK_EQ(g.load(0x5200) & 6, 6);
    CHECK_EQ(g.load(0x5208), compact ? 0x8000000000000007 : 0);
    CHECK(!std::memcmp(g.ram(0x5000 + 160 + 9 * 16), pattern, 16));
    CHECK(!std::memcmp(g.ram(0x5000 + 576 + 9 * 16), pattern + 16, 16));
    const OpResult restored = g.run({0x0f, 0xae, 0x29});
    asm volatile("vmovdqu %%ymm9, %0; vzeroupper" : "=m"(back));
    CHECK(restored == OpResult::kNext);
    CHECK(!std::memcmp(back, pattern, 32));
  }
  // Only AVX asked for: SSE data in the area is not touched, and the header keeps SSE's bit.
  g.store(0x5200, 2);
  g.store(0x5208, 0);
  g.v.regs[0] = 4;
  g.store(0x5000 + 160, 0x1122334455667788);
  CHECK(g.run({0x0f, 0xae, 0x21}) == OpResult::kNext);
  CHECK_EQ(g.load(0x50a0), 0x1122334455667788);
  CHECK_EQ(g.load(0x5200) & 2, 2);
  g.store(0x5200, 1ull << 9);  // a component outside XCR0
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x29}), kGP, 0);
  g.store(0x5200, 0);
  g.store(0x5208, 1);
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x29}), kGP, 0);
  g.v.cr0 |= kCr0TS;
  CHECK_FAULT(g, g.run({0x0f, 0xae, 0x29}), kNM, 0);
}

void gather() {
  Guest g("x86-64-v3");
  if (!(g.profile.f7_ebx >> 5 & 1)) return;  // the host has no AVX2
  g.long_mode();
  alignas(32) u32 index[8] = {0, 2, 4, 0x3ff, 1, 3, 5, 7}, mask[8], out[8];
  for (u32 i = 0; i < 0x400; ++i) g.store(0x200000 + 4 * i, 1000 + i, 4);
  for (u32& m : mask) m = 0x80000000;
  mask[1] = 0;
  g.v.regs[0] = 0x200000;
  asm volatile("vmovdqu %0, %%ymm1; vmovdqu %1, %%ymm2; vpxor %%ymm0, %%ymm0, %%ymm0" : : "m"(index), "m"(mask));
  OpResult r = g.run({0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x88});  // vpgatherdd ymm0, [rax + ymm1*4], ymm2
  asm volatile("vmovdqu %%ymm0, %0; vmovdqu %%ymm2, %1; vzeroupper" : "=m"(out), "=m"(mask));
  CHECK(r == OpResult::kNext);
  CHECK_EQ(out[0], 1000);
  CHECK_EQ(out[1], 0);
  CHECK_EQ(out[3], 1000 + 0x3ff);
  CHECK_EQ(out[7], 1007);
  for (const u32 m : mask) CHECK_EQ(m, 0);
  // The fifth element faults: the first four are there and their mask is clear.
  g.map(0x201000, 0);
  index[4] = 0x400;
  for (u32& m : mask) m = ~0u;
  asm volatile("vmovdqu %0, %%ymm1; vmovdqu %1, %%ymm2; vpxor %%ymm0, %%ymm0, %%ymm0" : : "m"(index), "m"(mask));
  r = g.run({0xc4, 0xe2, 0x6d, 0x90, 0x04, 0x88});
  asm volatile("vmovdqu %%ymm0, %0; vmovdqu %%ymm2, %1; vzeroupper" : "=m"(out), "=m"(mask));
  CHECK_FAULT(g, r, kPFx, 0);
  CHECK_EQ(out[3], 1000 + 0x3ff);
  CHECK_EQ(mask[3], 0);
  CHECK_EQ(mask[4], ~0u);
  // A masked store whose disabled half lies on the absent page does not fault.
  for (u32 i = 0; i < 8; ++i) mask[i] = i < 4 ? ~0u : 0;
  g.v.regs[0] = 0x200ff0;
  asm volatile("vmovdqu %0, %%ymm1; vmovdqu %1, %%ymm2" : : "m"(index), "m"(mask));
  r = g.run({0xc4, 0xe2, 0x6d, 0x8e, 0x08});  // vpmaskmovd [rax], ymm2, ymm1
  asm volatile("vzeroupper");
  CHECK(r == OpResult::kNext);
  CHECK_EQ(g.load(0x200ff4, 4), 2);
}

}  // namespace

void fpu_state_tests() {
  fxsave_round_trip();
  environment();
  xsave();
  gather();
}

}  // namespace rz::test
