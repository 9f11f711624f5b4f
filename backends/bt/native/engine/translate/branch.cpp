// Control transfers and the ways out of a block: a patchable direct link inside a page, a jump through the
// table of the current address space everywhere else. A table jump carries the target RIP in T0 and parked
// flags; the target block compares the RIP itself, so tables need no tags and no compare at the source.
// A target that is not canonical, or outside CS, faults here: before anything is pushed, popped or counted down; or
// behind a jump that missed the table (note_branch()).
#include "../run/sync.h"
#include "../verify/verify.h"
#include "mode.h"
#include "translator.h"

namespace rz {

/// Code that runs on, unlike a jump with a 16-bit operand, does not stay below 64 KiB: it meets the limit of CS there.
u64 Translator::wrap_rip(u64 rip) const { return code64() ? rip : static_cast<u32>(rip); }

u64 Translator::branch_target(const Inst& inst) const {
  const u64 target = next_rip() + inst.imm;
  if (code64()) return target;
  return inst.operand_bytes == 2 ? static_cast<u16>(target) : static_cast<u32>(target);
}

bool Translator::valid_target(u64 target) const {
  if (!code64()) return target <= code_limit(mode_);
  const unsigned unused = mode_ & kModeLa57 ? 7 : 16;
  return static_cast<u64>(static_cast<i64>(target << unused) >> unused) == target;
}

/// `to` = the target of a jump or call with an operand of `bytes`.
void Translator::copy_target(Host to, Host from, unsigned bytes) {
  if (bytes == 8)
    a_.mov(to, from);
  else if (bytes == 4)
    a_.mov32(to, from);
  else
    a_.movzx16(to, from);
}

/// #GP(0) at this instruction unless it may jump to the address in `target`, of `bytes`. Parks flags; clobbers T1, or
/// T0 if that is the target.
void Translator::check_target(Host target, unsigned bytes) {
  u8* bad;
  if (target == kT1) leave_t0();
  if (code64()) {
    const Host temp = target == kT1 ? kT0 : kT1;
    if (!parked_) park(temp);
    a_.mov(temp, target);
    const u8 sign = mode_ & kModeLa57 ? 56 : 47;
    if ((mode_ & kModeCpl3) && !single()) {  // what is not in the lower half is looked at closely, alone
      a_.shift(true, 5, temp, sign);
      bounce_[bounce_count_++] = {a_.jcc(cNE), inst_rip_};
      return;
    }
    a_.shift(true, 7, temp, sign);  // 0 or -1
    a_.op_imm(true, 0, temp, 1);
    a_.op_imm(true, 7, temp, 1);
    bad = a_.jcc(cA);
  } else {
    const u64 limit = code_limit(mode_);
    if (limit >= (bytes == 2 ? 0xffffu : 0xffffffffu)) return;
    if (!parked_) park(target == kT1 ? kT0 : kT1);
    a_.op_imm(false, 7, target, static_cast<i32>(static_cast<u32>(limit)));
    bad = a_.jcc(cA);
  }
  bad_target_[bad_target_count_++] = {bad, inst_rip_, true};
}

/// In 64-bit code no block begins at an address that is not canonical: a jump to one misses the table, and the run loop
/// takes back what the jump did. It only has to know which jump it was.
/// @param pops  bytes that the instruction adds to RSP before it jumps
/// @returns false when the target has to be checked before
bool Translator::note_branch(i32 pops) {
  if (!code64() || single() || (mode_ & kModeFlat) == 0 || vcpu_.machine->options.no_opt) return false;
  Block& block = code_.block(block_);
  block.branch_at = offsets_[i_];
  block.branch_pops = pops;
  a_.gs_store_imm32(offsetof(Vcpu, branch_block), block_);
  return true;
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

/// Go on behind the last instruction. What is wrong there is a fault of the fetch, not of this instruction.
void Translator::exit_behind(u64 rip) {
  if (valid_target(rip))
    exit_direct(rip);
  else {
    a_.gs_store_imm32(offsetof(Vcpu, branch_block), 0);
    exit_next(rip);
  }
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
  emit_table_jump(a_, offsetof(Vcpu, jump), kJumpEntries);
}

void Translator::emit_call(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const u64 back = bytes == 2 ? static_cast<u16>(next_rip()) : wrap_rip(next_rip());
  const bool indirect = inst.row->sem == Sem::kCallRm;
  if (!indirect && !valid_target(branch_target(inst))) {
    emit_raise(kGP, true);
    ended_ = true;
    return;
  }
  // The target waits for the push in its register, or in T1 unless that is wanted, not in memory: the host finds out
  // sooner where it should have gone.
  const Host kept = indirect && !inst.has_memory && inst.rm != 4 ? kRegMap[inst.rm] : hNone;
  if (indirect) {
    const bool there = kept != hNone && bytes == 8;
    if (inst.has_memory)
      a_.load(kT1, host_operand(inst, bytes, Access::kRead), bytes);
    else if (!there)
      copy_target(kT1, read_reg(inst.rm, kT1), bytes);
    check_target(there ? kept : kT1, bytes);
    t1_target_ = kept == hNone;
    if (!parked_) leave_t1();  // which the flags go through
  }
  push_constant(back, bytes);
  if (followed_ >> i_ & 1) {
    went_back_ |= branch_target(inst) <= inst_rip_;
    return;
  }
  settle_stack();
  if (indirect) {
    if (!parked_) park();
    if (kept != hNone)
      copy_target(kT0, kept, bytes);
    else if (t1_target_)
      a_.mov(kT0, kT1);
    else
      a_.gs_load(kT0, offsetof(Vcpu, scratch) + 8);
    t1_target_ = false;
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
    if (valid_target(branch_target(inst)))
      exit_direct(branch_target(inst));
    else
      emit_raise(kGP, true);
  } else {
    const unsigned bytes = inst.operand_bytes;
    if (inst.has_memory) {
      a_.load(kT0, host_operand(inst, bytes, Access::kRead), bytes);
    } else {
      copy_target(kT0, read_reg(inst.rm, kT0), bytes);
    }
    if (!note_branch(0)) check_target(kT0, bytes);
    exit_indirect();
  }
  ended_ = true;
}

void Translator::emit_ret(const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const Host to = stack_bytes() == 2 ? kT1 : kT0;  // a 16-bit stack pointer is adjusted through T0
  pop_to(to, bytes);
  const i32 pops = static_cast<i32>(bytes) + (inst.row->sem == Sem::kRetImm ? static_cast<i32>(inst.imm & 0xffff) : 0);
  if (!note_branch(pops)) check_target(to, bytes);
  stack_adjust(pops);
  settle_stack();
  a_.mov(kT0, to);
  exit_indirect();
  ended_ = true;
}

void Translator::emit_jcc(const Inst& inst) {
  flags_to_host();
  if (vcpu_.machine->smp()) a_.place_field(2);
  const u64 target = branch_target(inst);
  if (followed_ >> i_ & 1) {  // around the loop once more (loop.cpp): what leaves it is the way aside
    side_[side_count_++] = {a_.jcc(static_cast<Cond>((inst.opcode & 15) ^ 1)), next_rip(), went_back_};
    went_back_ = true;
    return;
  }
  u8* taken = a_.jcc(static_cast<Cond>(inst.opcode & 15));
  if (valid_target(target))
    side_[side_count_++] = {taken, target, went_back_ || target <= inst_rip_};
  else
    bad_target_[bad_target_count_++] = {taken, inst_rip_, false};
}

// LOOPcc and JrCXZ: rare enough to compute with parked flags.
void Translator::emit_loop(const Inst& inst) {
  const Sem sem = inst.row->sem;
  const bool counts = sem != Sem::kJcxz;
  const u64 target = branch_target(inst);
  const bool valid = valid_target(target);
  if (!parked_) park();
  if (counts && !valid) a_.gs_store(hRcx, offsetof(Vcpu, scratch));
  const unsigned width = inst.address_bytes;
  if (counts) {
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
  u8* not_taken[2] = {a_.jcc(counts ? cE : cNE), nullptr};
  if (sem == Sem::kLoope || sem == Sem::kLoopne) {
    a_.gs_load16z(kT1, offsetof(Vcpu, parked_flags));
    a_.op_imm(false, 4, kT1, 0x4000);  // ZF of the LAHF image
    not_taken[1] = a_.jcc(sem == Sem::kLoope ? cE : cNE);
  }
  if (valid) {
    exit_direct(target);
  } else {
    if (counts) a_.gs_load(hRcx, offsetof(Vcpu, scratch));
    emit_raise(kGP, true);
  }
  parked_ = true;
  for (u8* field : not_taken)
    if (field) a_.bind(field);
  exit_behind(wrap_rip(next_rip()));
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
    verify_or_abort(*vcpu, code, {begin, code.offset_of(a.at()), {begin, begin, begin, begin}, 0});
  code.connect_code(link, a.at());
}

}  // namespace rz
