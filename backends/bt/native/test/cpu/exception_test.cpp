// Delivery of exceptions and interrupts, and the way back: frames, stack switch, IST, escalation, V8086, system calls.
#include "guest.h"

namespace rz::test {
namespace {

void same_level_64() {
  Guest g;
  g.long_mode();
  g.gate64(14, 0xffff800000009000, 0x08, 14, 0, 0);
  g.v.rflags = 2 | kFlagIF | kFlagTF;
  g.v.regs[4] = 0x7008;  // misaligned: the frame is aligned to 16
  g.v.raise_page_fault(0xdead000, 6);
  deliver_exception(g.v);
  CHECK_EQ(g.v.rip, 0xffff800000009000);
  CHECK_EQ(g.v.regs[4], 0x7000 - 48);
  CHECK_EQ(g.v.cr2, 0xdead000);
  CHECK_EQ(g.load(0x7000 - 48), 6);
  CHECK_EQ(g.load(0x7000 - 40), 0x8000);
  CHECK_EQ(g.load(0x7000 - 32), 0x08);
  CHECK_EQ(g.load(0x7000 - 24), 2 | kFlagIF | kFlagTF | kFlagRF);  // RF in a fault's image
  CHECK_EQ(g.load(0x7000 - 16), 0x7008);
  CHECK_EQ(g.load(0x7000 - 8), 0x10);
  CHECK_EQ(g.v.rflags, 2);
  CHECK_EQ(g.v.exception.vector, PendingException::kNone);
}

void inner_and_ist() {
  Guest g;
  g.long_mode();
  g.gate64(32, 0x9000, 0x08, 15, 0, 0);
  g.gate64(33, 0x9100, 0x08, 14, 0, 3);
  g.store(kTss + 4, 0x6000);             // RSP0
  g.store(kTss + 0x24 + 8 * 2, 0x5000);  // IST3
  g.user();
  g.v.rflags = 2 | kFlagIF;
  g.v.halted = true;
  CHECK(deliver_interrupt(g.v, 32));
  CHECK(!g.v.halted);
  CHECK_EQ(g.v.cpl, 0);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.regs[4], 0x6000 - 40);
  CHECK_EQ(g.load(0x6000 - 8), 0x1b);
  CHECK_EQ(g.load(0x6000 - 16), 0x7000);
  CHECK_EQ(g.load(0x6000 - 32), 0x23);
  CHECK_EQ(g.v.seg[kSS].selector, 0);  // null SS with RPL 0
  CHECK(g.v.rflags & kFlagIF);         // a trap gate leaves IF
  CHECK(deliver_interrupt(g.v, 33));
  CHECK_EQ(g.v.regs[4], 0x5000 - 40);
  CHECK(!(g.v.rflags & kFlagIF));
  // And back, twice.
  CHECK(g.run({0x48, 0xcf}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK(g.run({0x48, 0xcf}) == OpResult::kJump);
  CHECK_EQ(g.v.cpl, 3);
  CHECK_EQ(g.v.rip, 0x8000);
  CHECK_EQ(g.v.regs[4], 0x7000);
  CHECK_EQ(g.v.seg[kSS].selector, 0x1b);
  CHECK_EQ(g.v.mode & (kModeCpl3 | kModeCpl0), kModeCpl3);
}

void nested_faults() {
  Guest g;
  g.long_mode();
  const auto state = [&] { return g.v.rip ^ g.v.regs[4] << 1 ^ g.v.rflags << 20; };
  // #UD through a gate that is not present: #NP with EXT, delivered in its place.
  g.store(kIdt + 6 * 16 + 5, 0x0e, 1);
  g.gate64(11, 0x9000, 0x08, 14, 0, 0);
  g.v.raise(kUD);
  deliver_exception(g.v);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.load(g.v.regs[4]), 6 * 8 + 2 + 1);
  CHECK_EQ(g.load(g.v.regs[4] + 8), 0x8000);
  // Contributory after contributory: #DF with error code 0.
  g.gate64(8, 0x9800, 0x08, 14, 0, 0);
  g.store(kIdt + 13 * 16 + 5, 0x0e, 1);
  g.v.raise(kGP, 0x55);
  deliver_exception(g.v);
  CHECK_EQ(g.v.rip, 0x9800);
  CHECK_EQ(g.load(g.v.regs[4]), 0);
  // A page fault while delivering a page fault: #DF. CR2 is the second one's.
  g.gate64(14, 0x9000, 0x08, 14, 0, 1);
  g.store(kTss + 0x24, 0x40000000);  // IST1 is not mapped
  g.v.raise_page_fault(0x1000, 0);
  deliver_exception(g.v);
  CHECK_EQ(g.v.rip, 0x9800);
  CHECK_EQ(g.v.cr2, 0x40000000 - 48);
  // #DF that cannot be delivered: shutdown.
  g.store(kIdt + 8 * 16 + 5, 0x0e, 1);
  g.v.raise_page_fault(0x1000, 0);
  deliver_exception(g.v);
  CHECK(g.v.shutdown);
  // A failed delivery changes nothing.
  Guest h;
  h.long_mode();
  h.v.regs[4] = 0x40000000;
  h.gate64(3, 0x9000, 0x08, 14, 3, 0);
  const u64 before = h.v.rip ^ h.v.regs[4] << 1 ^ h.v.rflags << 20;
  CHECK(h.run({0xcc}) == OpResult::kFault);
  CHECK_EQ(h.v.exception.vector, kPFx);
  CHECK_EQ(before, h.v.rip ^ h.v.regs[4] << 1 ^ h.v.rflags << 20);
  (void)state;
}

void software_interrupts() {
  Guest g;
  g.long_mode();
  g.gate64(0x80, 0x9000, 0x08, 14, 3, 0);
  g.gate64(0x81, 0x9000, 0x08, 14, 0, 0);
  g.store(kTss + 4, 0x6000);
  g.user();
  CHECK_FAULT(g, g.run({0xcd, 0x81}), kGP, 0x81 * 8 + 2);  // gate DPL 0; EXT clear
  CHECK_EQ(g.v.cpl, 3);
  CHECK(g.run({0xcd, 0x80}) == OpResult::kJump);
  CHECK_EQ(g.load(0x6000 - 40), 0x8002);
  CHECK_FAULT(g, g.run({0xcd, 0xff}), kGP, 0xff * 8 + 2);  // an empty gate
}

void iret_checks() {
  Guest g;
  g.long_mode();
  const auto frame = [&](u64 rip, u64 cs, u64 flags, u64 rsp, u64 ss) {
    g.v.regs[4] = 0x6000;
    const u64 items[] = {rip, cs, flags, rsp, ss};
    for (unsigned i = 0; i < 5; ++i) g.store(0x6000 + 8 * i, items[i]);
  };
  frame(0x9000, 0, 2, 0x7000, 0x10);
  CHECK_FAULT(g, g.run({0x48, 0xcf}), kGP, 0);
  frame(0x9000, 0x10, 2, 0x7000, 0x10);  // data
  CHECK_FAULT(g, g.run({0x48, 0xcf}), kGP, 0x10);
  frame(0x800000000000, 0x23, 2, 0x7000, 0x1b);  // not canonical
  CHECK_FAULT(g, g.run({0x48, 0xcf}), kGP, 0);
  frame(0x9000, 0x23, 2, 0x7000, 0);  // null SS at CPL 3
  CHECK_FAULT(g, g.run({0x48, 0xcf}), kGP, 0);
  CHECK_EQ(g.v.regs[4], 0x6000);
  g.v.nmi_blocked = true;
  frame(0x9000, 0x08, 2 | kFlagIF | kFlagAC, 0x1234567, 0);  // null SS at CPL 0
  CHECK(g.run({0x48, 0xcf}) == OpResult::kJump);
  CHECK_EQ(g.v.regs[4], 0x1234567);
  CHECK(!g.v.nmi_blocked);
  CHECK_EQ(g.v.rflags, 2 | kFlagIF | kFlagAC);
  // To 32-bit compatibility code.
  frame(0x9000, 0x3b, 2, 0x7000, 0x1b);
  CHECK(g.run({0x48, 0xcf}) == OpResult::kJump);
  CHECK(!g.v.code64() && g.v.cpl == 3 && g.v.code_size() == CodeSize::k32);
}

void real_mode_vectors() {
  Guest g;
  g.v.seg[kCS].base = 0x1000;
  g.v.seg[kCS].selector = 0x100;
  g.v.rip = 0x50;
  g.v.regs[4] = 0;  // SP wraps to FFFAh
  g.v.rflags = 2 | kFlagIF | kFlagCF;
  g.v.idtr = {0, 0x3ff};
  g.store(0x21 * 4, 0x0200 | 0x0300u << 16, 4);
  CHECK(g.run({0xcd, 0x21}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x200);
  CHECK_EQ(g.v.seg[kCS].base, 0x3000);
  CHECK_EQ(g.v.regs[4], 0xfffa);
  CHECK_EQ(g.load(0xfffa, 2), 0x52);
  CHECK_EQ(g.load(0xfffc, 2), 0x100);
  CHECK_EQ(g.load(0xfffe, 2), 2 | kFlagIF | kFlagCF);
  CHECK(!(g.v.rflags & kFlagIF));
  CHECK(g.run({0xcf}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x52);
  CHECK_EQ(g.v.rflags, 2 | kFlagIF | kFlagCF);
  CHECK_EQ(g.v.regs[4], 0);
}

void v8086() {
  Guest g;
  g.protected_mode();
  g.gate32(13, 0x9000, 0x08, 14, 0);
  g.store(kTss + 4, 0x6000, 4);
  g.store(kTss + 8, 0x10, 4);
  g.store(kTss + 0x66, 0x68, 2);
  // Into V8086 mode by IRETD.
  const u32 items[] = {0x20, 0x300, 2 | 1u << 17 | 1u << 9, 0xfff0, 0x400, 0x500, 0x600, 0x700, 0x800};
  g.v.regs[4] = 0x6800;
  for (unsigned i = 0; i < 9; ++i) g.store(0x6800 + 4 * i, items[i], 4);
  CHECK(g.run({0xcf}) == OpResult::kJump);
  CHECK(g.v.v8086() && g.v.cpl == 3 && g.v.code_size() == CodeSize::k16);
  CHECK_EQ(g.v.seg[kCS].base, 0x3000);
  CHECK_EQ(g.v.seg[kSS].base, 0x4000);
  CHECK_EQ(g.v.seg[kGS].selector, 0x800);
  CHECK_EQ(g.v.rip, 0x20);
  CHECK_FAULT(g, g.run({0xfa}), kGP, 0);        // CLI with IOPL 0
  CHECK_FAULT(g, g.run({0xcd, 0x10}), kGP, 0);  // INT n with IOPL 0
  CHECK_FAULT(g, g.run({0xe4, 0x60}), kGP, 0);  // IN: the bitmap decides, and there is none
  g.v.raise(kGP, 0);
  deliver_exception(g.v);
  CHECK(!g.v.v8086() && g.v.cpl == 0);
  CHECK_EQ(g.v.rip, 0x9000);
  CHECK_EQ(g.v.regs[4], 0x6000 - 40);
  CHECK_EQ(g.load(0x6000 - 40, 4), 0);  // error code
  CHECK_EQ(g.load(0x6000 - 36, 4), 0x20);
  CHECK_EQ(g.load(0x6000 - 24, 4), 0xfff0);
  CHECK_EQ(g.load(0x6000 - 20, 4), 0x400);
  CHECK_EQ(g.load(0x6000 - 16, 4), 0x500);
  CHECK_EQ(g.load(0x6000 - 4, 4), 0x800);
  CHECK_EQ(g.v.seg[kDS].selector, 0);
  CHECK_EQ(g.v.seg[kDS].fast_ok, 0);
}

void port_permissions() {
  Guest g;
  g.long_mode();
  g.v.tr.limit = 0x67 + 0x21;
  g.store(kTss + 0x66, 0x68, 2);
  fill_bytes(g.ram(kTss + 0x68), 0xff, 0x20);
  g.store(kTss + 0x68 + 0x60 / 8, 0xfe, 1);  // port 60h only
  g.user();
  g.bus.answer = 0x5a;
  CHECK(g.run({0xe4, 0x60}) == OpResult::kNext);
  CHECK_EQ(g.v.regs[0] & 0xff, 0x5a);
  CHECK_FAULT(g, g.run({0x66, 0xe5, 0x60}), kGP, 0);  // two ports
  CHECK_FAULT(g, g.run({0xe6, 0x61}), kGP, 0);
  g.v.rflags |= kFlagIOPL;
  CHECK(g.run({0xe6, 0x61}) == OpResult::kNext);
  CHECK_EQ(g.bus.log.size(), 2);
}

void system_calls() {
  Guest g;
  g.long_mode();
  g.user();
  g.v.msr.star = 0x0008ull << 32 | 0x0013ull << 48;
  g.v.msr.lstar = 0xffff800000001000;
  g.v.msr.sfmask = kFlagIF | kFlagTF;
  g.v.rflags = 2 | kFlagIF | kFlagZF;
  CHECK(g.run({0x0f, 0x05}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0xffff800000001000);
  CHECK_EQ(g.v.regs[1], 0x8002);
  CHECK_EQ(g.v.regs[11], 2 | kFlagIF | kFlagZF);
  CHECK_EQ(g.v.rflags, 2 | kFlagZF);
  CHECK_EQ(g.v.cpl, 0);
  CHECK_EQ(g.v.seg[kCS].selector, 8);
  CHECK_EQ(g.v.seg[kSS].selector, 0x10);
  CHECK(g.run({0x48, 0x0f, 0x07}) == OpResult::kJump);
  CHECK_EQ(g.v.rip, 0x8002);
  CHECK_EQ(g.v.seg[kCS].selector, 0x23);
  CHECK_EQ(g.v.seg[kSS].selector, 0x1b);
  CHECK(g.v.cpl == 3 && g.v.code64());
  g.v.msr.efer &= ~kEferSCE;
  CHECK_FAULT(g, g.run({0x0f, 0x05}), kUD, 0);
}

void flag_rules() {
  Guest g;
  g.long_mode();
  g.user();
  g.v.rflags = 2 | kFlagIF;
  g.v.regs[4] = 0x7000;
  g.store(0x7000, kFlagCF | kFlagIOPL | kFlagDF);
  CHECK(g.run({0x9d}) == OpResult::kNext);
  CHECK_EQ(g.v.rflags, 2 | kFlagIF | kFlagCF | kFlagDF);  // IF and IOPL are not CPL 3's
  CHECK_EQ(g.v.regs[4], 0x7008);
  CHECK_FAULT(g, g.run({0xfb}), kGP, 0);
  g.v.rflags = 2 | kFlagIOPL;
  CHECK(g.run({0xfb}) == OpResult::kNext);
  CHECK(g.v.rflags & kFlagIF);
  CHECK_EQ(g.v.shadow_rip, 0x8001);
  g.v.cr4 |= kCr4TSD;
  CHECK_FAULT(g, g.run({0x0f, 0x31}), kGP, 0);
}

}  // namespace

void exception_tests() {
  same_level_64();
  inner_and_ist();
  nested_faults();
  software_interrupts();
  iret_checks();
  real_mode_vectors();
  v8086();
  port_permissions();
  system_calls();
  flag_rules();
}

}  // namespace rz::test
