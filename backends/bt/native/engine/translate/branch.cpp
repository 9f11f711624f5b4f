// Control transfers and the ways out of a block: a patchable direct link inside a page, a jump through the
// table of the current address space everywhere else. A table jump carries the target RIP in T0 and parked
// flags; the target block compares the RIP itself, so tables need no tags and no compare at the source.
#include "../run/sync.h"
#include "../verify/verify.h"
#include "mode.h"
#include "translator.h"

namespace rz {

u64 Translator::wrap_rip(u64 rip) const {
  return code64()                                         ? rip
         : (mode_ & 3) == static_cast<u64>(CodeSize::k32) ? static_cast<u32>(rip)
                                                          : static_cast<u16>(rip);
}

u64 Translator::branch_target(const Inst& inst) const {
  const u64 target = next_rip() + inst.imm;
  if (code64()) return target;
  return inst.operand_bytes == 2 ? static_cast<u16>(target) : static_cast<u32>(target);
}

bool Translator::same_page(u64 target) const {
  const u64 delta = linear_ - rip_;
  return gpa2_ == ~0ull && ((target + delta) & kPageMask) == (linear_ & kPageMask);
}

void Translator::exit_direct(u64 target, u8 live) {
  if (!single() && !vcpu_.machine->options.no_opt && same_page(target)) {
    if (live)
      flags_to_host();
    else
      parked_ = false;
    if (vcpu_.machine->smp()) a_.place_field(1);
    u8* field = a_.jmp();
    a_.bind(field);
    emit_link_stub(field, target, went_back_ || target <= inst_rip_, false);
    return;
  }
  exit_next(target);
}

/// What a link's jump at `field` leads to until it is connected: the run loop.
void Translator::emit_link_stub(u8* field, u64 target, bool backward, bool careful) {
  const u32 link = code_.new_link(block_, code_.offset_of(field), code_.offset_of(a_.at()), target, backward, careful);
  a_.mov_imm(kT1, link);
  a_.jmp_to(code_.rw(g_thunks_layout.exit_link));
}

void Translator::exit_next(u64 rip) {
  if (!parked_) park();
  a_.mov_imm(kT0, rip);
  if (single() || (mode_ & kModeFlat) == 0) {
    a_.jmp_to(code_.rw(g_thunks_layout.exit_lookup));
    return;
  }
  a_.gs_load(kT1, offsetof(Vcpu, jump));
  a_.jmp_mem(kT1, hNone, 0, static_cast<i32>(jump_index(rip) * 8));
}

void Translator::exit_indirect() {
  if (!parked_) park();
  if (single() || (mode_ & kModeFlat) == 0) {
    a_.jmp_to(code_.rw(g_thunks_layout.exit_lookup));
    return;
  }
  a_.mov(kT1, kT0);
  a_.shift(true, 5, kT1, 9);
  a_.rr(false, 0x33, kT1, kT0);
  a_.op_imm(false, 4, kT1, kJumpEntries - 1);
  a_.shift(false, 4, kT1, 3);
  a_.gs(true, 0x03, kT1, offsetof(Vcpu, jump));
  a_.jmp_mem(kT1, hNone, 0, 0);
}

void Translator::emit_call(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const u64 back = bytes == 2 ? static_cast<u16>(next_rip()) : wrap_rip(next_rip());
  const bool indirect = inst.row->sem == Sem::kCallRm;
  if (indirect) {
    if (inst.has_memory) {
      a_.load(kT1, host_operand(inst, bytes, Access::kRead), bytes);
    } else {
      const Host r = read_reg(inst.rm, kT1);
      if (bytes == 8)
        a_.mov(kT1, r);
      else if (bytes == 4)
        a_.mov32(kT1, r);
      else
        a_.movzx16(kT1, r);
    }
    a_.gs_store(kT1, offsetof(Vcpu, scratch) + 8);
  }
  push_constant(back, bytes);
  if (followed_ >> i_ & 1) {
    went_back_ |= branch_target(inst) <= inst_rip_;
    return;
  }
  if (indirect) {
    if (!parked_) park();
    a_.gs_load(kT0, offsetof(Vcpu, scratch) + 8);
    exit_indirect();
  } else {
    exit_direct(branch_target(inst));
  }
  ended_ = true;
}

void Translator::emit_jump(const Inst& inst) {
  if (followed_ >> i_ & 1) {
    went_back_ |= branch_target(inst) <= inst_rip_;
    return;
  }
  if (inst.row->sem == Sem::kJmpRel) {
    exit_direct(branch_target(inst));
  } else {
    const unsigned bytes = inst.operand_bytes;
    if (inst.has_memory) {
      a_.load(kT0, host_operand(inst, bytes, Access::kRead), bytes);
    } else {
      const Host r = read_reg(inst.rm, kT0);
      if (bytes == 8)
        a_.mov(kT0, r);
      else if (bytes == 4)
        a_.mov32(kT0, r);
      else
        a_.movzx16(kT0, r);
    }
    exit_indirect();
  }
  ended_ = true;
}

void Translator::emit_ret(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const Host to = stack_bytes() == 2 ? kT1 : kT0;  // a 16-bit stack pointer is adjusted through T0
  pop_to(to, bytes);
  stack_adjust(static_cast<i32>(bytes) + (inst.row->sem == Sem::kRetImm ? static_cast<i32>(inst.imm & 0xffff) : 0));
  a_.mov(kT0, to);
  exit_indirect();
  ended_ = true;
}

void Translator::emit_jcc(const Inst& inst) {
  flags_to_host();
  if (vcpu_.machine->smp()) a_.place_field(2);
  const u64 target = branch_target(inst);
  side_[side_count_++] = {a_.jcc(static_cast<Cond>(inst.opcode & 15)), target, went_back_ || target <= inst_rip_};
}

// LOOPcc and JrCXZ: rare enough to compute with parked flags.
void Translator::emit_loop(const Inst& inst) {
  const Sem sem = inst.row->sem;
  if (!parked_) park();
  const unsigned width = inst.address_bytes;
  if (sem != Sem::kJcxz) {
    if (width == 2) {
      a_.lea(false, kT1, hRcx, hNone, 0, -1);
      a_.mov16(hRcx, kT1);
    } else {
      a_.lea(width == 8, hRcx, hRcx, hNone, 0, -1);
    }
  }
  if (width == 2)
    a_.movzx16(kT1, hRcx);
  else if (width == 4)
    a_.mov32(kT1, hRcx);
  else
    a_.mov(kT1, hRcx);
  a_.test(true, kT1, kT1);
  u8* not_taken = nullptr;
  if (sem == Sem::kJcxz) {
    not_taken = a_.jcc(cNE);
  } else {
    not_taken = a_.jcc(cE);
    if (sem == Sem::kLoope || sem == Sem::kLoopne) {
      a_.gs_load16z(kT1, offsetof(Vcpu, parked_flags));
      a_.op_imm(false, 4, kT1, 0x4000);  // ZF of the LAHF image
      u8* second = a_.jcc(sem == Sem::kLoope ? cE : cNE);
      exit_direct(branch_target(inst));
      parked_ = true;
      a_.bind(second);
      a_.bind(not_taken);
      exit_direct(wrap_rip(next_rip()));
      ended_ = true;
      return;
    }
  }
  exit_direct(branch_target(inst));
  parked_ = true;
  a_.bind(not_taken);
  exit_direct(wrap_rip(next_rip()));
  ended_ = true;
}

void link_through_table(CodeCache& code, u32 link) {
  const u64 rip = code.link(link).target_rip;
  Assembler a(code.begin_code());
  emit_park(a, kT0, offsetof(Vcpu, parked_flags));
  a.mov_imm(kT0, rip);
  a.gs_load(kT1, offsetof(Vcpu, jump));
  a.jmp_mem(kT1, hNone, 0, static_cast<i32>(jump_index(rip) * 8));
  const u32 begin = code.offset_of(code.begin_code());
  Vcpu* vcpu = current_vcpu();
  if (vcpu && vcpu->machine->options.verify)
    verify_or_abort(*vcpu, code, {begin, code.offset_of(a.at()), {begin, begin, begin}, 0});
  code.connect_code(link, a.at());
}

}  // namespace rz
