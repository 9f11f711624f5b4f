// Stack instructions. Each checks its stack access before RSP moves, so a fault leaves RSP unchanged.
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {
constexpr Host kSp = kRegMap[4];
}

unsigned Translator::stack_bytes() const { return code64() ? 8 : mode_ & kModeStackBig ? 4 : 2; }

/// PUSH and POP, CALL and RET whose check was made before cannot fault, so RSP need not have its value between them: it
/// moves once for all, as it would in a processor that has an adder of its own for it. True: instruction `i` is one of
/// these, or one between them that has nothing to do with RSP and cannot leave the block.
bool Translator::owes_stack(unsigned i) const {
  const Inst& inst = insts_[i];
  const auto checked = [&](u8 group) { return group != kNoGroup && groups_[group].checked; };
  switch (inst.row->sem) {
    case Sem::kPushReg:
    case Sem::kPopReg: return inst.rm != 4 && checked(group_of_[i][1]);
    case Sem::kPushImm:
    case Sem::kCallRel:
    case Sem::kRet:
    case Sem::kRetImm: return checked(group_of_[i][1]);
    case Sem::kNop: return true;
    case Sem::kJmpRel: return (followed_ >> i & 1) != 0;
    case Sem::kIdentity:
    case Sem::kMovImm:
    case Sem::kLea: break;
    default: return false;
  }
  constexpr u32 kMayTrap = kFaultsOnHost | kCpl0 | kNeedsFpu | kNeedsSse | kNeedsAvx | kNeedsAvx512 | kNeedsMmx | kVsib;
  const Row& row = *inst.row;
  if ((row.attrs & kMayTrap) || inst.lock || row.feature != 0 || row.encoding != Encoding::kLegacy) return false;
  if (inst.has_memory) {
    if (inst.base == 4 || inst.index == 4) return false;
    if (row.sem != Sem::kLea && !checked(group_of_[i][0])) return false;
  } else if (inst.rm == 4 && row.rm.cls == RegClass::kGpr) {
    return false;
  }
  return !(inst.reg == 4 && row.ext < 0 && row.reg.cls == RegClass::kGpr);
}

void Translator::settle_stack() {
  if (stack_owed_) a_.lea(true, kSp, kSp, hNone, 0, stack_owed_);
  stack_owed_ = 0;
}

void Translator::stack_adjust(i32 delta) {
  if (code64() && owes_stack(i_)) {
    stack_owed_ += delta;
    return;
  }
  if (stack_bytes() == 2) {
    a_.lea(false, kT0, kSp, hNone, 0, delta);
    a_.mov16(kSp, kT0);
  } else {
    a_.lea(stack_bytes() == 8, kSp, kSp, hNone, 0, delta);
  }
}

/// `value`: a register that survives the check (not T0, T1), or hNone for scratch[0].
void Translator::push_value(Host value, unsigned bytes) {
  const Mem top = stack_operand(-static_cast<i32>(bytes), bytes, Access::kWrite);
  if (value == hNone) {
    a_.gs_load(kT1, offsetof(Vcpu, scratch));
    value = kT1;
  }
  a_.store(value, top, bytes);
  finish_write();
  stack_adjust(-static_cast<i32>(bytes));
}

void Translator::pop_to(Host to, unsigned bytes) { a_.load(to, stack_operand(0, bytes, Access::kRead), bytes); }

void Translator::push_constant(u64 value, unsigned bytes) {
  const Mem top = stack_operand(-static_cast<i32>(bytes), bytes, Access::kWrite);
  if (bytes == 8 && fits_imm32(value)) {
    a_.store_imm32(top, static_cast<i32>(value));
  } else {
    leave_t1();
    a_.mov_imm(kT1, value);
    a_.store(kT1, top, bytes);
  }
  finish_write();
  stack_adjust(-static_cast<i32>(bytes));
}

void Translator::emit_push(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  switch (inst.row->sem) {
    case Sem::kPushImm: push_constant(inst.imm, bytes); return;
    case Sem::kPushRm:
      if (inst.has_memory) {
        a_.load(kT1, host_operand(inst, bytes, Access::kRead), bytes);
        a_.gs_store(kT1, offsetof(Vcpu, scratch));
        push_value(hNone, bytes);
        return;
      }
      [[fallthrough]];
    default: {
      const Host r = kRegMap[inst.rm];
      if (r != hNone) {
        push_value(r, bytes);
        return;
      }
      const Mem top = stack_operand(-static_cast<i32>(bytes), bytes, Access::kWrite);
      load_home(kT1, inst.rm);
      a_.store(kT1, top, bytes);
      finish_write();
      stack_adjust(-static_cast<i32>(bytes));
    }
  }
}

void Translator::emit_pop(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  if (inst.row->sem == Sem::kPopReg && bytes == 8 && inst.rm != 4 && kRegMap[inst.rm] != hNone) {
    pop_to(kRegMap[inst.rm], bytes);
    stack_adjust(static_cast<i32>(bytes));
    return;
  }
  pop_to(kT1, bytes);
  if (inst.row->sem == Sem::kPopRm && inst.has_memory) {
    // The address is computed with RSP already incremented.
    a_.gs_store(kT1, offsetof(Vcpu, scratch));
    offset_to_t0(inst, inst.base == 4 ? static_cast<i32>(bytes) : 0);
    host_address(inst.seg, bytes, Access::kWrite);
    a_.gs_load(kT1, offsetof(Vcpu, scratch));
    a_.store(kT1, kT0, 0, bytes);
    finish_write();
    stack_adjust(static_cast<i32>(bytes));
    return;
  }
  stack_adjust(static_cast<i32>(bytes));
  write_reg(inst.rm, kT1, bytes);
}

// LEAVE: RSP := RBP, then pop RBP. Address and operand size of the stack pointer come from SS.B.
void Translator::emit_leave(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const Host bp = kRegMap[5];
  a_.load(kT1, stack_operand(0, bytes, Access::kRead, 5), bytes);
  if (stack_bytes() == 2) {
    a_.lea(false, kT0, bp, hNone, 0, static_cast<i32>(bytes));
    a_.mov16(kSp, kT0);
  } else {
    a_.lea(stack_bytes() == 8, kSp, bp, hNone, 0, static_cast<i32>(bytes));
  }
  write_reg(5, kT1, bytes);
}

// PUSHF: the arithmetic flags come from the parked image, the rest from Vcpu::rflags.
void Translator::emit_pushf(const Inst& inst) {
  if (mode_ & kModeV86) {  // IOPL and VME decide
    static constexpr Row kRow{.mnemonic = "pushf", .sem = Sem::kHelper, .helper = Helper::k_pushf};
    Inst helped = inst;
    helped.row = &kRow;
    emit_helper(helped);
    return;
  }
  const unsigned bytes = inst.operand_bytes;
  if (!parked_) park();
  a_.gs_load8z(kT1, offsetof(Vcpu, parked_flags) + 1);
  a_.op_imm(false, 4, kT1, 0xd5 & 0x7fffffff);
  a_.gs_load8z(kT0, offsetof(Vcpu, parked_flags));
  a_.shift(false, 4, kT0, 11);
  a_.rr(false, 0x0b, kT1, kT0);
  a_.gs_load32(kT0, offsetof(Vcpu, rflags));
  a_.op_imm(false, 4, kT0, static_cast<i32>(~(kArithFlags | kFlagRF | kFlagVM)));
  a_.rr(false, 0x0b, kT1, kT0);
  a_.gs_store(kT1, offsetof(Vcpu, scratch));
  push_value(hNone, bytes);
}

}  // namespace rz
