// MOV, PUSH and POP of segment registers, LDS/LES/LSS/LFS/LGS, FS/GS base instructions.
// Source: SDM instruction reference, the entries of the same names.
#include "../cpu/segments.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

// Loading SS holds interrupts and debug exceptions off until after the next instruction.
void loaded(Vcpu& v, const Inst& inst, u8 seg) {
  if (seg == kSS) {
    v.shadow_rip = next_instruction(v, inst);
    v.shadow_by_ss = true;
    if ((v.rflags & kFlagTF) || v.debug_pending) v.trap_rule = TrapRule::kHeld;
  }
  refresh_mode(v);
}

// Which segment a one- or two-byte push/pop opcode names.
u8 named_segment(const Inst& inst) {
  switch (inst.opcode) {
    case 0xa0:
    case 0xa1: return kFS;
    case 0xa8:
    case 0xa9: return kGS;
    default: return inst.opcode >> 3;  // 06/07 ES, 0E CS, 16/17 SS, 1E/1F DS
  }
}

}  // namespace

OpResult op_mov_from_seg(Vcpu& v, const Inst& inst) {
  if (inst.reg >= kSegCount) return fault(v, kUD);
  const u16 selector = v.seg[inst.reg].selector;
  if (inst.has_memory) {
    if (!mem_write(v, inst.seg, effective_offset(v, inst), 2, selector)) return OpResult::kFault;
  } else {
    write_reg(v, inst, inst.rm, inst.operand_bytes, selector);
  }
  return OpResult::kNext;
}

OpResult op_mov_to_seg(Vcpu& v, const Inst& inst) {
  if (inst.reg >= kSegCount || inst.reg == kCS) return fault(v, kUD);
  u64 selector;
  if (!read_rm(v, inst, 2, selector)) return OpResult::kFault;
  if (!load_segment(v, inst.reg, static_cast<u16>(selector))) return OpResult::kFault;
  loaded(v, inst, inst.reg);
  return OpResult::kNext;
}

OpResult op_push_seg(Vcpu& v, const Inst& inst) {
  const u16 selector = v.seg[named_segment(inst)].selector;
  // A 32- or 64-bit push of a selector writes two bytes on Intel and zero-extends on AMD; zero-extended here.
  return push_value(v, inst.operand_bytes, selector) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_pop_seg(Vcpu& v, const Inst& inst) {
  Popper stack(v, inst.operand_bytes);
  u64 selector;
  if (!stack.pop(selector)) return OpResult::kFault;
  const u8 seg = named_segment(inst);
  // The new stack pointer follows the stack size from before a POP SS.
  if (!load_segment(v, seg, static_cast<u16>(selector))) return OpResult::kFault;
  stack.commit();
  loaded(v, inst, seg);
  return OpResult::kNext;
}

OpResult op_load_far_ptr(Vcpu& v, const Inst& inst) {
  u8 seg;
  switch (inst.opcode) {
    case 0xc4: seg = kES; break;
    case 0xc5: seg = kDS; break;
    case 0xb2: seg = kSS; break;
    case 0xb4: seg = kFS; break;
    default: seg = kGS; break;
  }
  u64 offset, selector;
  if (!mem_read(v, inst.seg, effective_offset(v, inst), inst.operand_bytes, offset)) return OpResult::kFault;
  if (!mem_read(v, inst.seg, memory_offset(v, inst, inst.operand_bytes), 2, selector)) return OpResult::kFault;
  if (!load_segment(v, seg, static_cast<u16>(selector))) return OpResult::kFault;
  write_reg(v, inst, inst.reg, inst.operand_bytes, offset);
  refresh_mode(v);
  return OpResult::kNext;
}

OpResult op_rdfsbase(Vcpu& v, const Inst& inst) {
  if (!(v.cr4 & kCr4FSGSBASE)) return fault(v, kUD);
  const u8 seg = (inst.reg & 1) ? kGS : kFS;
  write_reg(v, inst, inst.rm, inst.rex_w ? 8 : 4, v.seg[seg].base);
  return OpResult::kNext;
}

OpResult op_wrfsbase(Vcpu& v, const Inst& inst) {
  if (!(v.cr4 & kCr4FSGSBASE)) return fault(v, kUD);
  const u8 seg = (inst.reg & 1) ? kGS : kFS;
  const u64 base = read_reg(v, inst, inst.rm, inst.rex_w ? 8 : 4);
  if (!canonical(v, base)) return fault(v, kGP, 0);
  v.seg[seg].base = base;
  return OpResult::kNext;
}

}  // namespace rz
