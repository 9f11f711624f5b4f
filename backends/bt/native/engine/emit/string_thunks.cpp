// REP MOVS and REP STOS, short and plain: when every operand lies in one page that the soft TLB has, and DF is clear,
// the host's own string instruction runs on the translated addresses. Everything else (longer runs, misses, devices,
// code under a store) goes on to ops/string.cpp. Only for flat segments and 64-bit addresses:
// Translator::helper_thunk().
#include "string_thunks.h"

#include "../cpu/vcpu.h"
#include "../emit/registers.h"

namespace rz {
namespace {

constexpr i32 tag_offset(bool write) { return write ? offsetof(TlbEntry, write_tag) : offsetof(TlbEntry, read_tag); }
constexpr i32 addend_offset(bool write) { return write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add); }

// T0 = what turns guest register `pointer` into a host address, when RCX elements from there on are in a page that the
// TLB has; else the jump whose field is returned is taken. Clobbers T1 and flags.
u8* addend(Assembler& a, Host pointer, u8 log2_width, bool write) {
  emit_shifted(a, false, kT1, pointer, 12 - kTlbEntryShift);
  a.op_imm(false, 4, kT1, static_cast<i32>((kTlbEntries - 1) << kTlbEntryShift));
  a.gs(true, 0x03, kT1, offsetof(Vcpu, tlb));
  a.mov(kT0, pointer);
  a.rm(true, 0x33, kT0, kT1, tag_offset(write));  // the offset in the page on a hit, beyond any offset otherwise
  a.lea(true, kT0, kT0, hRcx, log2_width, 0);
  a.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes));
  u8* miss = a.jcc(cA);
  a.rm(true, 0x8b, kT0, kT1, addend_offset(write));
  return miss;
}

}  // namespace

StringMisses emit_string_run(Assembler& a, bool movs, u8 log2_width) {
  StringMisses out;
  a.b(0x65);  // test dword gs:[rflags], DF
  a.b(0xf7);
  a.gs_mem(0, offsetof(Vcpu, rflags));
  a.d(static_cast<u32>(kFlagDF));
  out.add(a.jcc(cNE));
  // At least one element, at most a page: the sums behind cannot wrap.
  a.lea(true, kT0, hRcx, hNone, 0, -1);
  a.op_imm(true, 7, kT0, static_cast<i32>(kPageBytes >> log2_width) - 1);
  out.add(a.jcc(cA));
  if (movs) {
    out.add(addend(a, hRsi, log2_width, false));
    a.gs_store(kT0, offsetof(Vcpu, scratch));
  }
  out.add(addend(a, hRdi, log2_width, true));
  if (movs) a.gs(true, 0x03, hRsi, offsetof(Vcpu, scratch));
  a.rr(true, 0x03, hRdi, kT0);
  if (log2_width == 1) a.b(0x66);
  a.b(0xf3);
  if (log2_width == 3) a.b(0x48);
  a.b(static_cast<u8>((movs ? 0xa4 : 0xaa) | (log2_width ? 1 : 0)));
  a.rr(true, 0x2b, hRdi, kT0);
  if (movs) a.gs(true, 0x2b, hRsi, offsetof(Vcpu, scratch));
  return out;
}

}  // namespace rz
