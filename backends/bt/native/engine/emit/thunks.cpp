// The fixed pieces of host code at the start of every code cache: entering and leaving translated code, and
// calling C++ from it. All of them save every guest register to its home before C++ runs.
#include "../run/callbacks.h"
#include "../translate/translator.h"
#include "string_thunks.h"

namespace rz {

Thunks g_thunks_layout;

namespace {

constexpr u32 kRegs = offsetof(Vcpu, regs);
constexpr u32 kReturn = offsetof(Vcpu, scratch) + 56;
constexpr Host kHostSaved[] = {hRbx, hRbp, hR12, hR13, hR14, hR15};

class ThunkWriter {
 public:
  explicit ThunkWriter(CodeCache& code) : code_(code), a_(code.begin_code()) {}

  u32 here() {
    while (code_.offset_of(a_.at()) & 15) a_.b(0xcc);
    return code_.offset_of(a_.at());
  }

  void save_guest() {
    for (unsigned g = 0; g < 16; g++)
      if (kRegMap[g] != hNone) a_.gs_store(kRegMap[g], kRegs + 8 * g);
  }
  void load_guest(u16 which = 0xffff) {
    for (unsigned g = 0; g < 16; g++)
      if (kRegMap[g] != hNone && (which >> g & 1)) a_.gs_load(kRegMap[g], kRegs + 8 * g);
  }
  /// exit_meta = reason | (T1 << 8)
  void meta_from_t1(ExitReason reason) {
    a_.shift(true, 4, kT1, 8);
    if (reason) a_.op_imm(true, 1, kT1, reason);
    a_.gs_store(kT1, offsetof(Vcpu, exit_meta));
  }
  /// Save the guest, take the host's stack, call C++ with the vCPU as first argument. The address to come back to
  /// (T1) is kept in memory; T0 survives in RSI.
  void call_cpp(ThunkSlot slot) {
    save_guest();
    a_.gs_store(kT1, kReturn);
    a_.gs_load(hRsp, offsetof(Vcpu, host_rsp));
    a_.mov(hRsi, kT0);
    a_.gs_load(hRdx, offsetof(Vcpu, exit_meta));
    a_.gs_load(hRdi, offsetof(Vcpu, self));
    a_.gs_call(static_cast<u32>(offsetof(Vcpu, thunks) + 8u * slot));
  }
  /// Back to translated code.
  void come_back() {
    load_guest(kCallerSaved | 1 << 4);
    a_.gs_jmp(kReturn);
  }

  /// Jumps to the block at RIP T0 if the second jump table has it; falls through otherwise. Clobbers T1 and flags.
  void second_jump() {
    constexpr i32 kEntry = offsetof(JumpTable, second);
    static_assert(sizeof(SecondJump) == 1u << 4);
    emit_shifted(a_, true, kT1, kT0, 8);
    a_.lea(false, kT1, kT1, kT0, 3, 0);
    a_.op_imm(false, 4, kT1, static_cast<i32>((kSecondJumps - 1) << 4));
    a_.gs(true, 0x03, kT1, offsetof(Vcpu, jump));
    a_.rm(true, 0x3b, kT0, kT1, kEntry + static_cast<i32>(offsetof(SecondJump, rip)));
    u8* other = a_.jcc(cNE);
    a_.rm(true, 0x8b, kT1, kT1, kEntry + static_cast<i32>(offsetof(SecondJump, host)));  // once: it may be taken away
    a_.test(true, kT1, kT1);
    u8* nothing = a_.jcc(cE);
    a_.jmp_reg(kT1);
    a_.bind(other);
    a_.bind(nothing);
  }

  /// Reads whose page was pushed out of its TLB entry by another: T0 = the host address, and back. Falls through
  /// otherwise, with T0 and T1 as they were. Flags are parked or dead, as wherever a check was.
  void second_chance() {
    constexpr u32 kNotHere = AccessMeta::make(0, 64, Access::kWrite, 0);  // stores, and what is wider than kWidest
    constexpr unsigned kWidest = 32;
    constexpr i32 kTag = offsetof(TlbTable, second) + offsetof(SecondEntry, read_tag);
    constexpr i32 kAddend = offsetof(TlbTable, second) + offsetof(SecondEntry, read_add);
    a_.b(0x65);  // test dword gs:[exit_meta], kNotHere
    a_.b(0xf7);
    a_.gs_mem(0, offsetof(Vcpu, exit_meta));
    a_.d(kNotHere);
    u8* not_here = a_.jcc(cNE);
    a_.gs_store(kT1, kReturn);
    a_.mov(kT1, kT0);
    a_.shift(true, 5, kT1, kSecondShift - 4);
    static_assert(sizeof(SecondEntry) == 1u << 4);
    a_.op_imm(false, 4, kT1, static_cast<i32>((kSecondEntries - 1) << 4));
    a_.gs(true, 0x03, kT1, offsetof(Vcpu, tlb));
    a_.rm(true, 0x33, kT0, kT1, kTag);  // the offset in the page on a hit, beyond any offset otherwise
    a_.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes - kWidest));
    u8* miss = a_.jcc(cA);
    a_.b(0x65);  // sub dword gs:[second_left], 1
    a_.b(0x83);
    a_.gs_mem(5, offsetof(Vcpu, second_left));
    a_.b(1);
    u8* enough = a_.jcc(cE);
    a_.rm(true, 0x33, kT0, kT1, kTag);  // the linear address again
    a_.rm(true, 0x03, kT0, kT1, kAddend);
    a_.gs_jmp(kReturn);
    a_.bind(miss);
    a_.bind(enough);
    a_.rm(true, 0x33, kT0, kT1, kTag);
    a_.gs_load(kT1, kReturn);
    a_.bind(not_here);
  }

  /// The memo at last_page_at := the page of T0, if the soft TLB holds it. Clobbers T0 and T1 only. Flags are parked or
  /// dead, as wherever a check was.
  /// @param set  last_page_at is the first memo of a set: any of them
  void remember_page(bool write, bool set = false) {
    const i32 tag = write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag);
    const i32 addend = write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add);
    constexpr u32 kSaved = offsetof(Vcpu, scratch) + 48;
    const auto memo = [&](u8 opcode, Host reg, u64 field) {  // opcode reg, gs:[rax + field]
      a_.b(0x65);
      a_.rm(true, opcode, reg, hRax, static_cast<i32>(field));
    };
    a_.gs_store(kT1, kReturn);
    a_.gs_store(hRax, kSaved);
    a_.mov32(hRax, kT0);
    a_.shift(false, 5, hRax, 12 - kTlbEntryShift);
    a_.op_imm(false, 4, hRax, static_cast<i32>((kTlbEntries - 1) << kTlbEntryShift));
    a_.gs(true, 0x03, hRax, offsetof(Vcpu, tlb));
    a_.rm(true, 0x8b, kT1, hRax, tag);  // once: another vCPU may take it away
    a_.rr(true, 0x33, kT0, kT1);
    a_.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes - 1));
    u8* unknown = a_.jcc(cA);
    a_.rm(true, 0x8b, kT0, hRax, addend);
    if (set) {  // by turns, from the first on, which is asked first
      a_.gs_load32(hRax, offsetof(Vcpu, last_page_left));
      a_.b(0xf7);  // neg eax
      a_.b(0xd8);
      static_assert(kLastPageChanges % kLastPageWays == 0);
      a_.op_imm(false, 4, hRax, kLastPageWays - 1);
      a_.shift(false, 4, hRax, kLastPageShift);
      a_.gs(false, 0x03, hRax, offsetof(Vcpu, last_page_at));
    } else {
      a_.gs_load32(hRax, offsetof(Vcpu, last_page_at));
    }
    a_.movzx16(hRax, hRax);
    // Another page that is forgotten for this one counts.
    memo(0x83, static_cast<Host>(7), offsetof(LastPage, room));
    a_.b(0);
    u8* was_empty = a_.jcc(cE);
    memo(0x3b, kT1, offsetof(LastPage, base));
    u8* same = a_.jcc(cE);
    memo(0x3b, kT0, offsetof(LastPage, add));
    u8* neighbours = a_.jcc(cE);
    a_.b(0x65);  // sub dword gs:[last_page_left], 1
    a_.b(0x83);
    a_.gs_mem(5, offsetof(Vcpu, last_page_left));
    a_.b(1);
    a_.bind(was_empty);
    a_.bind(same);
    memo(0x89, kT1, offsetof(LastPage, base));
    memo(0x89, kT0, offsetof(LastPage, add));
    a_.gs_load32(kT0, offsetof(Vcpu, last_page_at));
    a_.shift(false, 5, kT0, 16);
    memo(0x89, kT0, offsetof(LastPage, room));
    a_.op_imm(false, 5, hRax, static_cast<i32>(offsetof(Vcpu, last_page)));
    a_.shift(false, 5, hRax, kLastPageShift + kLastPageGroupShift);
    for (u8 byte : {0x65, 0x48, 0x0f, 0xab}) a_.b(byte);  // bts gs:[last_pages_used], rax
    a_.gs_mem(hRax, offsetof(Vcpu, last_pages_used));
    a_.bind(unknown);
    a_.gs_load(hRax, kSaved);
    a_.gs_cmp_imm8(offsetof(Vcpu, last_page_left), 0);
    u8* look = a_.jcc(cLE);
    a_.gs_jmp(kReturn);
    a_.bind(neighbours);  // maybe: C++ looks
    a_.mov(kT0, kT1);
    a_.gs_load(hRax, kSaved);
    ask_cpp(kThunkWidenPage);
    a_.bind(look);
    ask_cpp(kThunkPageChanges);
  }

  /// C++ that answers null to leave the block; `kReturn` is set already.
  void ask_cpp(ThunkSlot slot) {
    a_.gs_load(kT1, kReturn);
    call_cpp(slot);
    a_.test(true, hRax, hRax);
    a_.jcc_to(cE, code_.rw(g_thunks_layout.exit_saved));
    come_back();
  }

  CodeCache& code_;
  Assembler a_;
};

}  // namespace

void emit_thunks(CodeCache& code) {
  ThunkWriter t(code);
  Assembler& a = t.a_;
  Thunks& out = g_thunks_layout;

  // enter(rdi = host code): a plain C++ call. host_rsp is 16-byte aligned, ready for calls into C++.
  out.enter = t.here();
  for (Host r : kHostSaved) a.push(r);
  a.op_imm(true, 5, hRsp, 8);
  a.gs_store(hRsp, offsetof(Vcpu, host_rsp));
  a.mov(kT1, hRdi);
  t.load_guest();
  a.gs_load(kT0, offsetof(Vcpu, rip));
  a.jmp_reg(kT1);

  // Leave with everything saved.
  out.exit_saved = t.here();
  a.gs_load(hRsp, offsetof(Vcpu, host_rsp));
  a.op_imm(true, 0, hRsp, 8);
  for (unsigned i = 6; i-- > 0;) a.pop(kHostSaved[i]);
  a.ret();

  out.exit_link = t.here();
  emit_park(a, kT0, offsetof(Vcpu, parked_flags));
  t.save_guest();
  t.meta_from_t1(kExitLink);
  a.jmp_to(code.rw(out.exit_saved));

  out.exit_poll = t.here();
  t.save_guest();
  t.meta_from_t1(kExitPoll);
  a.jmp_to(code.rw(out.exit_saved));

  // The miss thunk of the jump tables, and where a block sends who wanted another.
  out.jump_lookup = t.here();
  t.second_jump();
  out.exit_lookup = code.offset_of(a.at());
  t.save_guest();
  a.gs_store(kT0, offsetof(Vcpu, rip));
  a.mov_imm(kT1, 0);
  t.meta_from_t1(kExitLookup);
  a.jmp_to(code.rw(out.exit_saved));

  out.exit_bounce = t.here();
  t.save_guest();
  a.gs_store(kT0, offsetof(Vcpu, rip));
  a.mov_imm(kT1, 0);
  t.meta_from_t1(kExitBounce);
  a.jmp_to(code.rw(out.exit_saved));

  auto access = [&](ThunkSlot slot) {
    t.call_cpp(slot);
    a.test(true, hRax, hRax);
    a.jcc_to(cE, code.rw(out.exit_saved));
    a.mov(kT0, hRax);
    t.come_back();
  };
  out.slow_access = t.here();
  t.second_chance();
  access(kThunkSlowAccess);
  for (bool write : {false, true}) {
    out.last_page[write] = t.here();
    t.remember_page(write);
  }
  out.last_page_set = t.here();
  t.remember_page(false, true);
  out.bounce_prepare = t.here();
  access(kThunkBouncePrepare);

  out.bounce_commit = t.here();
  t.call_cpp(kThunkBounceCommit);
  t.come_back();

  // C++ answers 0: go on; 1: jump to vcpu.rip; else leave.
  out.helper = t.here();
  a.gs_store(kT0, offsetof(Vcpu, rip));
  const u8* helper_call = a.at();
  a.gs_load(kT0, offsetof(Vcpu, scratch) + 16);
  t.call_cpp(kThunkHelper);
  a.test(false, hRax, hRax);
  u8* not_next = a.jcc(cNE);
  t.load_guest();
  a.gs_jmp(kReturn);
  a.bind(not_next);
  a.op_imm(false, 7, hRax, 1);
  a.jcc_to(cNE, code.rw(out.exit_saved));
  // Jump: straight through the table of the (possibly new) context and privilege.
  t.load_guest();
  a.gs_load(kT0, offsetof(Vcpu, rip));
  emit_table_jump(a, offsetof(Vcpu, jump), kJumpEntries);

  for (unsigned i = 0; i < 8; i++) {
    out.string[i] = t.here();
    a.gs_store(kT0, offsetof(Vcpu, rip));
    a.gs_store(kT1, kReturn);
    const StringMisses misses = emit_string_run(a, i < 4, i & 3);
    a.gs_jmp(kReturn);
    for (unsigned m = 0; m < misses.count; m++) a.bind(misses.field[m]);
    a.gs_load(kT1, kReturn);
    a.jmp_to(helper_call);
  }

  out.raise = t.here();
  a.gs_store(kT0, offsetof(Vcpu, rip));
  a.mov(kT0, kT1);
  t.call_cpp(kThunkRaise);
  a.jmp_to(code.rw(out.exit_saved));

  code.seal_thunks(a.at());
  code.jump_miss = code.rx(out.jump_lookup);
}

}  // namespace rz
