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

OpResult decimal(Vcpu& v, bool subtract) {
  const u8 old = al(v);
  const bool carry = v.rflags & kFlagCF;
  bool new_carry = carry, adjust = false;
  u8 value = old;
  if ((old & 15) > 9 || (v.rflags & kFlagAF)) {
    new_carry = carry || (subtract ? old < 6 : old > 0xf9);
    value = static_cast<u8>(subtract ? value - 6 : value + 6);
    adjust = true;
  }
  if (old > 0x99 || carry) {
    value = static_cast<u8>(subtract ? value - 0x60 : value + 0x60);
    new_carry = true;
  } else if (!subtract) {
    new_carry = false;
  }
  put_al(v, value);
  set_szp(v, value, 1);
  set_flag(v, kFlagCF, new_carry);
  set_flag(v, kFlagAF, adjust);
  v.rflags &= ~kFlagOF;
  return OpResult::kNext;
}

OpResult ascii(Vcpu& v, bool subtract) {
  const bool adjust = (al(v) & 15) > 9 || (v.rflags & kFlagAF);
  if (adjust) {
    const u16 ax = static_cast<u16>(v.regs[kRax]);
    put_ax(v, static_cast<u16>(subtract ? ax - 0x106 : ax + 0x106));
  }
  put_al(v, al(v) & 15);
  set_szp(v, al(v), 1);
  set_flag(v, kFlagAF, adjust);
  set_flag(v, kFlagCF, adjust);
  v.rflags &= ~kFlagOF;
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
  const u8 value = static_cast<u8>(al(v) + ah(v) * static_cast<u8>(inst.imm));
  put_ax(v, value);
  set_szp(v, value, 1);
  v.rflags &= ~(kFlagOF | kFlagAF | kFlagCF);
  return OpResult::kNext;
}

OpResult op_salc(Vcpu& v, const Inst&) {
  put_al(v, v.rflags & kFlagCF ? 0xff : 0);
  return OpResult::kNext;
}

}  // namespace rz
