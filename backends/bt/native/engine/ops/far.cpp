// Far CALL, JMP and RET: code segments, call gates with stack switch, task gates and TSS descriptors.
// Source: SDM instruction reference, "CALL", "JMP", "RET", and "Call Gates".
#include "../cpu/segments.h"
#include "../cpu/stack_frame.h"
#include "../cpu/tasks.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

struct FarTarget {
  u16 selector;
  u64 offset;
};

bool read_target(Vcpu& v, const Inst& inst, FarTarget& target) {
  if (!inst.has_memory) {
    target = {inst.imm2, inst.imm & low_mask(inst.operand_bytes)};
    return true;
  }
  u64 selector;
  if (!mem_read(v, inst.seg, effective_offset(v, inst), inst.operand_bytes, target.offset)) return false;
  if (!mem_read(v, inst.seg, memory_offset(v, inst, inst.operand_bytes), 2, selector)) return false;
  target.selector = static_cast<u16>(selector);
  return true;
}

PrivClass class_of(unsigned cpl) { return cpl == 3 ? kUser : kSupervisor; }

// A code segment reached by a direct far jump or call.
bool check_direct(Vcpu& v, u16 selector, const Descriptor& code, u64 rip) {
  const bool privilege = code.conforming() ? code.dpl() <= v.cpl : (selector & 3u) <= v.cpl && code.dpl() == v.cpl;
  if (!privilege || (v.long_mode() && code.long_code() && code.big())) {
    v.raise(kGP, selector & ~3u);
    return false;
  }
  if (!code.present()) {
    v.raise(kNP, selector & ~3u);
    return false;
  }
  if (!valid_rip(v, code, rip)) {
    v.raise(kGP, 0);
    return false;
  }
  return true;
}

struct Gate {
  u16 selector;
  u64 offset;
  unsigned item_bytes;
  unsigned parameters;
};

// The gate itself and the code segment behind it.
bool read_gate(Vcpu& v, u16 selector, Descriptor& d, Gate& gate, Descriptor& code) {
  const auto gp = [&](u32 error) {
    v.raise(kGP, error);
    return false;
  };
  if (d.dpl() < v.cpl || d.dpl() < (selector & 3u)) return gp(selector & ~3u);
  if (!d.present()) {
    v.raise(kNP, selector & ~3u);
    return false;
  }
  if (!read_descriptor_high(v, selector, kGP, 0, d)) return false;
  const bool wide = d.type() == kCallGate32;
  gate.selector = d.gate_selector();
  gate.item_bytes = v.long_mode() ? 8 : wide ? 4 : 2;
  gate.offset = v.long_mode() ? d.gate_offset() : d.gate_offset() & (wide ? 0xffffffff : 0xffff);
  gate.parameters = static_cast<unsigned>(d.low >> 32) & 31;
  if (null_selector(gate.selector)) return gp(0);
  if (!read_descriptor(v, gate.selector, kGP, 0, code)) return false;
  if (!code.is_code() || code.dpl() > v.cpl) return gp(gate.selector & ~3u);
  if (v.long_mode() && (!code.long_code() || code.big())) return gp(gate.selector & ~3u);
  if (!code.present()) {
    v.raise(kNP, gate.selector & ~3u);
    return false;
  }
  if (!valid_rip(v, code, gate.offset)) return gp(0);
  return true;
}

OpResult go(Vcpu& v, u16 selector, const Descriptor& code, unsigned cpl, u64 rip) {
  set_code_segment(v, selector, code, cpl);
  v.rip = v.long_mode() && code.long_code() ? rip : static_cast<u32>(rip);
  refresh_mode(v);
  return OpResult::kJump;
}

bool push_return(Vcpu& v, const Inst& inst, unsigned bytes, bool wide) {
  StackFrame frame(v, v.seg[kSS], v.regs[kRsp], bytes, class_of(v.cpl), wide);
  frame.push(v.seg[kCS].selector);
  frame.push(next_instruction(v, inst));
  if (!frame.commit(0)) return false;
  v.regs[kRsp] = frame.sp();
  return true;
}

// Call through a gate into a more privileged level.
OpResult call_inner(Vcpu& v, const Inst& inst, const Gate& gate, const Descriptor& code) {
  const unsigned cpl = code.dpl();
  if (v.long_mode()) {
    u64 sp;
    if (!tss_stack64(v, cpl, 0, sp)) return OpResult::kFault;
    if (!canonical(v, sp)) return fault(v, kSSx, 0);
    StackFrame frame(v, v.seg[kSS], sp, 8, class_of(cpl), true);
    frame.push(v.seg[kSS].selector);
    frame.push(v.regs[kRsp]);
    frame.push(v.seg[kCS].selector);
    frame.push(next_instruction(v, inst));
    if (!frame.commit(0)) return OpResult::kFault;
    set_null_segment(v, kSS, static_cast<u16>(cpl));
    v.regs[kRsp] = frame.sp();
    return go(v, gate.selector, code, cpl, gate.offset);
  }
  u16 ss;
  u64 sp;
  Descriptor ss_descriptor;
  if (!tss_stack(v, cpl, 0, ss, sp)) return OpResult::kFault;
  if (!check_stack_segment(v, ss, cpl, kTS, 0, ss_descriptor)) return OpResult::kFault;
  const Segment stack = stack_of(ss, ss_descriptor);
  StackFrame frame(v, stack, sp, gate.item_bytes, class_of(cpl), false);
  frame.push(v.seg[kSS].selector);
  frame.push(v.regs[kRsp]);
  for (unsigned i = gate.parameters; i-- > 0;) {  // copied from the caller's stack, first pushed first
    u64 value;
    const u64 at = (v.regs[kRsp] + i * gate.item_bytes) & low_mask(stack_bytes(v));
    if (!mem_read(v, kSS, at, gate.item_bytes, value)) return OpResult::kFault;
    frame.push(value);
  }
  frame.push(v.seg[kCS].selector);
  frame.push(next_instruction(v, inst));
  if (!frame.commit(ss & ~3u)) return OpResult::kFault;
  set_segment(v, kSS, ss, ss_descriptor);
  v.regs[kRsp] = frame.sp();
  return go(v, gate.selector, code, cpl, gate.offset);
}

OpResult far_system(Vcpu& v, const Inst& inst, u16 selector, Descriptor& d, bool call) {
  const unsigned type = d.type();
  if (type == kCallGate32 || (type == kCallGate16 && !v.long_mode())) {
    Gate gate;
    Descriptor code;
    if (!read_gate(v, selector, d, gate, code)) return OpResult::kFault;
    const bool inner = !code.conforming() && code.dpl() < v.cpl;
    if (inner && !call) return fault(v, kGP, gate.selector & ~3u);
    if (!mark_accessed(v, code)) return OpResult::kFault;
    if (inner) return call_inner(v, inst, gate, code);
    if (call && !push_return(v, inst, gate.item_bytes, v.long_mode())) return OpResult::kFault;
    return go(v, gate.selector, code, v.cpl, gate.offset);
  }
  const bool tss = type == kTss16 || type == kTss32;
  if (v.long_mode() || !(tss || type == kTaskGate)) return fault(v, kGP, selector & ~3u);
  if (d.dpl() < v.cpl || d.dpl() < (selector & 3u)) return fault(v, kGP, selector & ~3u);
  if (!d.present()) return fault(v, kNP, selector & ~3u);
  const u16 target = tss ? selector : d.gate_selector();
  const TaskSwitch reason = call ? TaskSwitch::kCall : TaskSwitch::kJump;
  return task_switch(v, target, reason, next_instruction(v, inst), v.rflags, 0, nullptr) ? OpResult::kJump
                                                                                         : OpResult::kFault;
}

OpResult far_transfer(Vcpu& v, const Inst& inst, bool call) {
  FarTarget target;
  if (!read_target(v, inst, target)) return OpResult::kFault;
  if (!v.protected_mode() || v.v8086()) {
    if (target.offset > v.seg[kCS].limit) return fault(v, kGP, 0);
    if (call && !push_return(v, inst, inst.operand_bytes, false)) return OpResult::kFault;
    set_real_segment(v, kCS, target.selector);
    v.rip = target.offset;
    refresh_mode(v);
    return OpResult::kJump;
  }
  if (null_selector(target.selector)) return fault(v, kGP, 0);
  Descriptor d;
  if (!read_descriptor(v, target.selector, kGP, 0, d)) return OpResult::kFault;
  if (!d.is_code_or_data()) return far_system(v, inst, target.selector, d, call);
  if (!d.is_code()) return fault(v, kGP, target.selector & ~3u);
  if (!check_direct(v, target.selector, d, target.offset) || !mark_accessed(v, d)) return OpResult::kFault;
  if (call && !push_return(v, inst, inst.operand_bytes, v.code64())) return OpResult::kFault;
  return go(v, target.selector, d, v.cpl, target.offset);
}

}  // namespace

OpResult op_jmp_far(Vcpu& v, const Inst& inst) { return far_transfer(v, inst, false); }
OpResult op_call_far(Vcpu& v, const Inst& inst) { return far_transfer(v, inst, true); }

OpResult op_ret_far(Vcpu& v, const Inst& inst) {
  const u16 release = inst.opcode == 0xca ? static_cast<u16>(inst.imm) : 0;
  Popper stack(v, inst.operand_bytes);
  u64 rip, cs_value;
  if (!stack.pop(rip) || !stack.pop(cs_value)) return OpResult::kFault;
  const u16 cs = static_cast<u16>(cs_value);
  if (!v.protected_mode() || v.v8086()) {
    if (rip > v.seg[kCS].limit) return fault(v, kGP, 0);
    stack.skip(release);
    stack.commit();
    set_real_segment(v, kCS, cs);
    v.rip = rip;
    refresh_mode(v);
    return OpResult::kJump;
  }
  const unsigned rpl = cs & 3;
  if (null_selector(cs)) return fault(v, kGP, 0);
  Descriptor code;
  if (!read_descriptor(v, cs, kGP, 0, code)) return OpResult::kFault;
  const bool privilege = rpl >= v.cpl && (code.conforming() ? code.dpl() <= rpl : code.dpl() == rpl);
  if (!code.is_code() || !privilege) return fault(v, kGP, cs & ~3u);
  if (v.long_mode() && code.long_code() && code.big()) return fault(v, kGP, cs & ~3u);
  if (!code.present()) return fault(v, kNP, cs & ~3u);
  if (!valid_rip(v, code, rip)) return fault(v, kGP, 0);

  stack.skip(release);
  if (rpl == v.cpl) {
    if (!mark_accessed(v, code)) return OpResult::kFault;
    stack.commit();
    return go(v, cs, code, rpl, rip);
  }
  u64 rsp, ss_value;
  if (!stack.pop(rsp) || !stack.pop(ss_value)) return OpResult::kFault;
  const u16 ss = static_cast<u16>(ss_value);
  Descriptor ss_descriptor;
  const bool null_ss = null_selector(ss) && v.long_mode() && code.long_code() && rpl != 3 && (ss & 3u) == rpl;
  if (!null_ss && !check_stack_segment(v, ss, rpl, kGP, 0, ss_descriptor)) return OpResult::kFault;
  if (!mark_accessed(v, code)) return OpResult::kFault;
  set_code_segment(v, cs, code, rpl);
  if (null_ss)
    set_null_segment(v, kSS, ss);
  else
    set_segment(v, kSS, ss, ss_descriptor);
  v.regs[kRsp] = with_stack_pointer(v, v.regs[kRsp], rsp);  // by the new stack: SP, ESP or RSP
  v.regs[kRsp] = with_stack_pointer(v, v.regs[kRsp], v.regs[kRsp] + release);
  v.rip = v.code64() ? rip : static_cast<u32>(rip);
  drop_privileged_segments(v);
  refresh_mode(v);
  return OpResult::kJump;
}

}  // namespace rz
