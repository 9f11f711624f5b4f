// Segment loads, far transfers, LAR/LSL/VERR/VERW, control registers, and system-register instructions.
#include "guest.h"

namespace rz::test {
namespace {

void loads() {
  Guest g;
  g.protected_mode();
  g.gdt(0x30, 0x12345678, 0xfffff, 0xc92);  // not accessed yet
  CHECK(load_segment(g.v, kDS, 0x30));
  CHECK_EQ(g.v.seg[kDS].base, 0x12345678);
  CHECK_EQ(g.v.seg[kDS].limit, 0xffffffff);
  CHECK_EQ(g.load(kGdt + 0x30) >> 40 & 1, 1);  // accessed
  const Segment before = g.v.seg[kDS];
  g.gdt(0x30, 0, 0xfffff, 0xc12);  // not present
  CHECK(!load_segment(g.v, kDS, 0x30));
  CHECK_EQ(g.v.exception.vector, kNP);
  CHECK_EQ(g.v.exception.error, 0x30);
  CHECK_EQ(g.v.seg[kDS].base, before.base);
  CHECK(!load_segment(g.v, kSS, 0x30));
  CHECK_EQ(g.v.exception.vector, kSSx);
  CHECK(!load_segment(g.v, kDS, 0x80));  // outside the table
  CHECK_EQ(g.v.exception.vector, kGP);
  CHECK_EQ(g.v.exception.error, 0x80);
  CHECK(!load_segment(g.v, kDS, 0x28));  // a TSS
  CHECK_EQ(g.v.exception.error, 0x28);
  CHECK(!load_segment(g.v, kSS, 0));
  CHECK_EQ(g.v.exception.error, 0);
  CHECK(!load_segment(g.v, kSS, 0x08));  // code
  g.gdt(0x30, 0, 0xfffff, 0xc99);        // execute-only code
  CHECK(!load_segment(g.v, kDS, 0x30));
  g.gdt(0x30, 0, 0xfffff, 0xc9e);  // conforming, readable: any privilege
  g.user();
  CHECK(load_segment(g.v, kES, 0x30));
  CHECK(!load_segment(g.v, kES, 0x10));  // DPL 0 at CPL 3
  CHECK_EQ(g.v.exception.error, 0x10);
  CHECK(!load_segment(g.v, kSS, 0x20));  // RPL 0
  CHECK(load_segment(g.v, kES, 0x23));
  g.v.exception = PendingException{};
}

void null_in_long_mode() {
  Guest g;
  g.long_mode();
  g.v.seg[kFS].base = 0x5000;
  CHECK_EQ(static_cast<u32>(g.run({0x8e, 0xe1})), static_cast<u32>(OpResult::kNext));  // mov fs, ecx (0)
  CHECK_EQ(g.v.seg[kFS].base, 0);
  CHECK(load_segment(g.v, kSS, 0));  // allowed at CPL 0 in 64-bit mode
  CHECK(!load_segment(g.v, kSS, 3));
  g.user();
  CHECK(!load_segment(g.v, kSS, 3));
  g.v.exception = PendingException{};
}

void real_mode() {
  Guest g;
  CHECK_EQ(g.v.seg[kCS].base, 0xffff0000);
  CHECK_EQ(g.v.rip, 0xfff0);
  CHECK(load_segment(g.v, kDS, 0x1234));
  CHECK_EQ(g.v.seg[kDS].base, 0x12340);
  CHECK_EQ(g.v.seg[kDS].limit, 0xffff);
  g.v.regs[0] = 0x2000;
  CHECK(g.run({0x8e, 0xd0}) == OpResult::kNext);  // mov ss, ax
  CHECK_EQ(g.v.seg[kSS].base, 0x20000);
  CHECK_EQ(g.v.shadow_rip, 0xfff2);                                 // the next instruction
  CHECK(g.run({0xea, 0x00, 0x01, 0x00, 0x03}) == OpResult::kJump);  // jmp 0300h:0100h
  CHECK_EQ(g.v.seg[kCS].base, 0x3000);
  CHECK_EQ(g.v.rip, 0x100);
}

void entering_protected_and_long_mode() {
  Guest g;
  g.v.regs[0] = kCr0PE | kCr0ET;
  CHECK(g.run({0x0f, 0x22, 0xc0}) == OpResult::kNext);
  CHECK(g.v.protected_mode());
  g.v.regs[0] = kCr0PG;
  CHECK_FAULT(g, g.run({0x0f, 0x22, 0xc0}), kGP, 0);  // PG without PE
  g.v.regs[0] = kCr4PAE;
  CHECK(g.run({0x0f, 0x22, 0xe0}) == OpResult::kNext);
  g.v.regs[0] = 1ull << 30;
  CHECK_FAULT(g, g.run({0x0f, 0x22, 0xe0}), kGP, 0);  // a CR4 bit that the profile lacks
  CHECK(msr_write(g.v, 0xc0000080, kEferLME | kEferNXE));
  g.store(0x200000, 0x201000 | kP | kRw);
  g.store(0x201000, kP | kRw | kPs);
  g.v.regs[0] = 0x200000;
  CHECK(g.run({0x0f, 0x22, 0xd8}) == OpResult::kNext);
  g.v.regs[0] = kCr0PE | kCr0PG | kCr0NE;
  CHECK(g.run({0x0f, 0x22, 0xc0}) == OpResult::kNext);
  CHECK(g.v.long_mode() && !g.v.code64());
  CHECK(!msr_write(g.v, 0xc0000080, 0));  // LME may not change under paging
  g.v.regs[0] = 0;
  CHECK_FAULT(g, g.run({0x0f, 0x22, 0xe0}), kGP, 0);  // CR4.PAE may not go in long mode
  g.gdt(0x08, 0, 0xfffff, 0xa9b);
  g.v.gdtr = {kGdt, 0x7f};
  CHECK(g.run({0x66, 0xea, 0x00, 0x90, 0, 0, 0x08, 0}) == OpResult::kJump);
  CHECK(g.v.code64());
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.mode & kModeSizeMask, static_cast<u64>(CodeSize::k64));
}

void pdptes() {
  Guest g;
  g.protected_mode();
  g.store(0x200000, 0x201000 | kP);
  g.store(0x200008, 0x201000 | kP | kRw);  // RW is reserved in a PDPTE
  g.v.cr4 = kCr4PAE;
  g.v.cr3 = 0x200000;
  g.v.regs[0] = g.v.cr0 | kCr0PG;
  CHECK_FAULT(g, g.run({0x0f, 0x22, 0xc0}), kGP, 0);
  CHECK(!g.v.paging());
  g.store(0x200008, 0);
  CHECK(g.run({0x0f, 0x22, 0xc0}) == OpResult::kNext);
  CHECK_EQ(g.v.pdpte[0], 0x201000 | kP);
}

void call_gate() {
  Guest g;
  g.protected_mode();
  // 32-bit call gate to 08h:00009000h with two parameters, DPL 3; the inner stack is 10h:6000h.
  g.store(kGdt + 0x30, 0x9000ull | 0x08ull << 16 | 2ull << 32 | 0xecull << 40);
  g.store(kTss + 4, 0x6000, 4);
  g.store(kTss + 8, 0x10, 4);
  g.user();
  g.v.regs[4] = 0x7000;
  g.store(0x7000, 0x11111111, 4);
  g.store(0x7004, 0x22222222, 4);
  CHECK(g.run({0x9a, 0, 0, 0, 0, 0x30, 0}) == OpResult::kJump);
  CHECK_EQ(g.v.cpl, 0);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.regs[4], 0x6000 - 24);
  CHECK_EQ(g.load(0x6000 - 24, 4), 0x8007);  // return address behind the call
  CHECK_EQ(g.load(0x6000 - 20, 4), 0x1b);
  CHECK_EQ(g.load(0x6000 - 16, 4), 0x11111111);
  CHECK_EQ(g.load(0x6000 - 12, 4), 0x22222222);
  CHECK_EQ(g.load(0x6000 - 8, 4), 0x7000);
  CHECK_EQ(g.load(0x6000 - 4, 4), 0x23);
  CHECK(g.run({0xca, 8, 0}) == OpResult::kJump);  // retf 8: back, parameters released on both stacks
  CHECK_EQ(g.v.cpl, 3);
  CHECK_EQ(g.v.rip, 0x8007);
  CHECK_EQ(g.v.regs[4], 0x7008);
  CHECK_EQ(g.v.seg[kSS].selector, 0x23);
}

void selectors_examined() {
  Guest g;
  g.protected_mode();
  g.v.regs[1] = 0x10;
  CHECK(g.run({0x0f, 0x02, 0xc1}) == OpResult::kNext);  // lar eax, ecx
  CHECK_EQ(g.v.regs[0] & 0xf0ff00, 0xc09300);
  CHECK(g.v.rflags & kFlagZF);
  CHECK(g.run({0x0f, 0x03, 0xc1}) == OpResult::kNext);  // lsl
  CHECK_EQ(g.v.regs[0], 0xffffffff);
  CHECK(g.run({0x0f, 0x00, 0xe9}) == OpResult::kNext);  // verw
  CHECK(g.v.rflags & kFlagZF);
  g.v.regs[1] = 0x08;
  CHECK(g.run({0x0f, 0x00, 0xe9}) == OpResult::kNext);
  CHECK(!(g.v.rflags & kFlagZF));
  g.v.regs[1] = 0x2000;  // outside the table: no fault, ZF clear
  CHECK(g.run({0x0f, 0x02, 0xc1}) == OpResult::kNext);
  CHECK(!(g.v.rflags & kFlagZF));
  g.gdt(0x28, kTss, 0x67, 0x089);
  g.v.regs[1] = 0x28;
  CHECK(g.run({0x0f, 0x00, 0xd9}) == OpResult::kNext);  // ltr: becomes busy
  CHECK_EQ(g.load(kGdt + 0x28) >> 40 & 15, 11);
  CHECK_FAULT(g, g.run({0x0f, 0x00, 0xd9}), kGP, 0x28);
}

}  // namespace

void segment_tests() {
  loads();
  null_in_long_mode();
  real_mode();
  entering_protected_and_long_mode();
  pdptes();
  call_gate();
  selectors_examined();
}

}  // namespace rz::test
