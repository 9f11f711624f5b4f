// Decimal adjust instructions. Executed by arithmetic that matches what processors leave in the flags that the manual
// calls undefined. Source: SDM instruction reference, "DAA", "DAS", "AAA", "AAS", "AAM", "AAD".
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

u8 al(const Vcpu& v) { return static_cast<u8>(v.regs[kRax]); }
u8 ah(const Vcpu& v) { return static_cast<u8>(v.regs[kRax] >> 8); }
void put_al(Vcpu& v, u8 value) { merge_reg(v.regs[kRax], value, 1); }
void put_ax(Vcpu& v, u16 value) { merge_reg(v.regs[kRax], value, 2); }

// Flags of a + b or a - b at a width; processors leave these even where the manual says undefined.
void set_add_flags(Vcpu& v, u32 a, u32 b, unsigned bytes) {
  const u32 sign = 1u << (bytes * 8 - 1), r = a + b;
  set_szp(v, r, bytes);
  set_flag(v, kFlagOF, (~(a ^ b) & (a ^ r) & sign) != 0);
  set_flag(v, kFlagAF, ((a ^ b ^ r) & 16) != 0);
  set_flag(v, kFlagCF, (r >> (bytes * 8) & 1) != 0);
}

OpResult decimal(Vcpu& v, bool subtract) {
  const u8 old = al(v);
  const bool carry = v.rflags & kFlagCF;
  const bool adjust = (old & 15) > 9 || (v.rflags & kFlagAF);
  const bool high = old > 0x99 || carry;
  const u8 by = static_cast<u8>((adjust ? 6 : 0) + (high ? 0x60 : 0));
  if (subtract)
    set_compare_flags(v, old, by, 1);
  else
    set_add_flags(v, old, by, 1);
  put_al(v, static_cast<u8>(subtract ? old - by : old + by));
  set_flag(v, kFlagCF, high || (subtract && adjust && old < 6));
  set_flag(v, kFlagAF, adjust);
  return OpResult::kNext;
}

// A 16-bit addition or subtraction of 106h whose SF, ZF, PF and OF stay, followed by masking AL.
OpResult ascii(Vcpu& v, bool subtract) {
  const u16 ax = static_cast<u16>(v.regs[kRax]);
  const bool adjust = (ax & 15) > 9 || (v.rflags & kFlagAF);
  const u16 by = adjust ? 0x106 : 0;
  if (subtract)
    set_compare_flags(v, ax, by, 2);
  else
    set_add_flags(v, ax, by, 2);
  put_ax(v, static_cast<u16>((subtract ? ax - by : ax + by) & 0xff0f));
  set_flag(v, kFlagAF, adjust);
  set_flag(v, kFlagCF, adjust);
  return OpResult::kNext;
}

}  // namespace

OpResult op_daa(Vcpu& v, const Inst&) { return decimal(v, false); }
OpResult op_das(Vcpu& v, const Inst&) { return decimal(v, true); }
OpResult op_aaa(Vcpu& v, const Inst&) { return ascii(v, false); }
OpResult op_aas(Vcpu& v, const Inst&) { return ascii(v, true); }

OpResult op_aam(Vcpu& v, const Inst& inst) {
  const u8 base = static_cast<u8>(inst.imm);
  if (base == 0) return fault(v, kDE);
  const u8 value = al(v);
  put_ax(v, static_cast<u16>((value / base) << 8 | value % base));
  set_szp(v, al(v), 1);
  v.rflags &= ~(kFlagOF | kFlagAF | kFlagCF);
  return OpResult::kNext;
}

OpResult op_aad(Vcpu& v, const Inst& inst) {
  const u8 low = al(v), high = static_cast<u8>(ah(v) * static_cast<u8>(inst.imm));
  set_add_flags(v, low, high, 1);
  put_ax(v, static_cast<u8>(low + high));
  return OpResult::kNext;
}

OpResult op_salc(Vcpu& v, const Inst&) {
  put_al(v, v.rflags & kFlagCF ? 0xff : 0);
  return OpResult::kNext;
}

}  // namespace rz
