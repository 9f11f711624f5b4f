// INT n, INT3, INTO, INT1 and IRET in all modes. Source: SDM, "INT n/INTO/INT3/INT1" and "IRET/IRETD/IRETQ".
#include "../cpu/exceptions.h"
#include "../cpu/segments.h"
#include "../cpu/tasks.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

OpResult software_interrupt(Vcpu& v, const Inst& inst, u8 vector) {
  const Event event{.vector = vector, .kind = EventKind::kSoftware, .return_rip = next_instruction(v, inst)};
  if (v.rflags & kFlagTF) v.trap_rule = TrapRule::kNone;
  return deliver_event(v, event) ? OpResult::kJump : OpResult::kFault;
}

// Bit of the software-interrupt redirection map, which lies below the I/O map. 1 (or no map): through the IDT.
bool redirected(Vcpu& v, u8 vector, bool& to_idt) {
  to_idt = true;
  if (v.tr.limit < 0x67) return true;
  u16 map;
  if (!linear_read(v, v.tr.base + 0x66, &map, 2, kSupervisor)) return false;
  const u32 at = map - 32u + vector / 8u;
  if (map < 32 || at > v.tr.limit) return true;
  u8 bits;
  if (!linear_read(v, v.tr.base + at, &bits, 1, kSupervisor)) return false;
  to_idt = (bits >> (vector & 7) & 1) != 0;
  return true;
}

OpResult interrupt_v86(Vcpu& v, const Inst& inst, u8 vector) {
  const bool trusted = iopl(v) == 3;
  if (v.cr4 & kCr4VME) {
    bool to_idt;
    if (!redirected(v, vector, to_idt)) return OpResult::kFault;
    if (!to_idt) {
      u16 image = static_cast<u16>(v.rflags);
      if (!trusted) {  // the pushed IF is VIF, the pushed IOPL is 3
        image = static_cast<u16>((image & ~kFlagIF) | (v.rflags & kFlagVIF ? kFlagIF : 0) | kFlagIOPL);
      }
      if (v.rflags & kFlagTF) v.trap_rule = TrapRule::kNone;
      if (!deliver_through_ivt(v, vector, 0, next_instruction(v, inst), image)) return OpResult::kFault;
      v.rflags &= ~(trusted ? kFlagIF : kFlagVIF);
      return OpResult::kJump;
    }
  }
  if (!trusted) return fault(v, kGP, 0);
  return software_interrupt(v, inst, vector);
}

// EFLAGS bits that IRET may change at this privilege.
u64 iret_mask(const Vcpu& v, unsigned bytes) {
  u64 mask = kArithFlags | kFlagTF | kFlagDF | kFlagNT;
  if (bytes > 2) mask |= kFlagRF | kFlagAC | kFlagID;
  if (v.cpl <= iopl(v)) mask |= kFlagIF;
  if (v.cpl == 0) {
    mask |= kFlagIOPL;
    if (bytes > 2) mask |= kFlagVIF | kFlagVIP;
  }
  return mask;
}

void write_flags(Vcpu& v, u64 image, u64 mask) { v.rflags = (v.rflags & ~mask) | (image & mask) | 2; }

OpResult iret_real(Vcpu& v, unsigned bytes) {
  Popper stack(v, bytes);
  u64 rip, cs, image;
  if (!stack.pop(rip) || !stack.pop(cs) || !stack.pop(image)) return OpResult::kFault;
  if (rip > v.seg[kCS].limit) return fault(v, kGP, 0);
  u64 mask = kArithFlags | kFlagTF | kFlagIF | kFlagDF | kFlagIOPL | kFlagNT;
  if (bytes > 2) mask |= kFlagRF | kFlagAC | kFlagID;
  if (v.v8086()) mask &= ~kFlagIOPL;
  stack.commit();
  set_real_segment(v, kCS, static_cast<u16>(cs));
  v.rip = rip;
  write_flags(v, image, mask);
  return OpResult::kJump;
}

OpResult iret_v86(Vcpu& v, unsigned bytes) {
  if (iopl(v) == 3) return iret_real(v, bytes);
  if (!(v.cr4 & kCr4VME) || bytes != 2) return fault(v, kGP, 0);
  Popper stack(v, 2);
  u64 rip, cs, image;
  if (!stack.pop(rip) || !stack.pop(cs) || !stack.pop(image)) return OpResult::kFault;
  if ((image & kFlagTF) || ((image & kFlagIF) && (v.rflags & kFlagVIP))) return fault(v, kGP, 0);
  stack.commit();
  set_real_segment(v, kCS, static_cast<u16>(cs));
  v.rip = rip;
  write_flags(v, image, kArithFlags | kFlagDF | kFlagNT);
  set_flag(v, kFlagVIF, (image & kFlagIF) != 0);
  return OpResult::kJump;
}

// From CPL 0 to a V8086 task: ESP, SS, ES, DS, FS, GS follow EFLAGS on the stack.
OpResult iret_to_v86(Vcpu& v, Popper& stack, u64 rip, u64 cs, u64 image) {
  u64 esp, selectors[5];
  if (rip > 0xffff) return fault(v, kGP, 0);
  if (!stack.pop(esp)) return OpResult::kFault;
  for (u64& s : selectors)
    if (!stack.pop(s)) return OpResult::kFault;
  constexpr u64 kAll = kArithFlags | kFlagTF | kFlagIF | kFlagDF | kFlagIOPL | kFlagNT | kFlagRF | kFlagVM | kFlagAC |
                       kFlagVIF | kFlagVIP | kFlagID;
  write_flags(v, image, kAll);
  v.cpl = 3;
  v.regs[kRsp] = static_cast<u32>(esp);
  v.rip = rip & 0xffff;
  set_real_segment(v, kCS, static_cast<u16>(cs));
  static constexpr u8 kOrder[5] = {kSS, kES, kDS, kFS, kGS};
  for (unsigned i = 0; i < 5; ++i) set_real_segment(v, kOrder[i], static_cast<u16>(selectors[i]));
  return OpResult::kJump;
}

OpResult iret_protected(Vcpu& v, const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  if (v.rflags & kFlagNT) {
    if (v.long_mode()) return fault(v, kGP, 0);
    u16 link;
    if (!linear_read(v, v.tr.base, &link, 2, kSupervisor)) return OpResult::kFault;
    return task_switch(v, link, TaskSwitch::kIret, next_instruction(v, inst), v.rflags, 0, nullptr) ? OpResult::kJump
                                                                                                    : OpResult::kFault;
  }
  Popper stack(v, bytes);
  u64 rip, cs_value, image;
  if (!stack.pop(rip) || !stack.pop(cs_value) || !stack.pop(image)) return OpResult::kFault;
  if (!v.long_mode() && (image & kFlagVM) && bytes == 4 && v.cpl == 0)
    return iret_to_v86(v, stack, rip, cs_value, image);

  const u16 cs = static_cast<u16>(cs_value);
  const unsigned rpl = cs & 3;
  if (null_selector(cs)) return fault(v, kGP, 0);
  Descriptor code;
  if (!read_descriptor(v, cs, kGP, 0, code)) return OpResult::kFault;
  const bool privilege = rpl >= v.cpl && (code.conforming() ? code.dpl() <= rpl : code.dpl() == rpl);
  if (!code.is_code() || !privilege) return fault(v, kGP, cs & ~3u);
  if (v.long_mode() && code.long_code() && code.big()) return fault(v, kGP, cs & ~3u);
  if (!code.present()) return fault(v, kNP, cs & ~3u);

  const bool outer = rpl > v.cpl;
  const bool pops_stack = outer || v.code64();
  u64 rsp = 0, ss_value = 0;
  Descriptor ss;
  bool null_ss = false;
  if (pops_stack) {
    if (!stack.pop(rsp) || !stack.pop(ss_value)) return OpResult::kFault;
    null_ss = null_selector(static_cast<u16>(ss_value)) && v.long_mode() && code.long_code() && rpl != 3;
    if (null_ss && (ss_value & 3) != rpl) return fault(v, kGP, 0);
    if (!null_ss && !check_stack_segment(v, static_cast<u16>(ss_value), rpl, kGP, 0, ss)) return OpResult::kFault;
  }
  if (!valid_rip(v, code, rip)) return fault(v, kGP, 0);
  if (!mark_accessed(v, code)) return OpResult::kFault;

  write_flags(v, image, iret_mask(v, bytes));
  v.rip = v.long_mode() && code.long_code() ? rip : static_cast<u32>(rip);
  set_code_segment(v, cs, code, rpl);
  if (pops_stack) {
    if (null_ss)
      set_null_segment(v, kSS, static_cast<u16>(ss_value));
    else
      set_segment(v, kSS, static_cast<u16>(ss_value), ss);
    // By the new stack: a 16-bit one takes SP only, so that the upper half of RSP is still the handler's.
    v.regs[kRsp] = with_stack_pointer(v, v.regs[kRsp], rsp);
  } else {
    stack.commit();
  }
  if (outer) drop_privileged_segments(v);
  return OpResult::kJump;
}

}  // namespace

OpResult op_int_imm(Vcpu& v, const Inst& inst) {
  const u8 vector = static_cast<u8>(inst.imm);
  return v.v8086() ? interrupt_v86(v, inst, vector) : software_interrupt(v, inst, vector);
}

// INT3 and INTO are not subject to IOPL or redirection in V8086 mode.
OpResult op_int3(Vcpu& v, const Inst& inst) { return software_interrupt(v, inst, kBP); }

OpResult op_into(Vcpu& v, const Inst& inst) {
  return v.rflags & kFlagOF ? software_interrupt(v, inst, kOFx) : OpResult::kNext;
}

OpResult op_int1(Vcpu& v, const Inst& inst) {
  const Event event{.vector = kDB, .kind = EventKind::kExternal, .return_rip = next_instruction(v, inst)};
  if (v.rflags & kFlagTF) v.trap_rule = TrapRule::kNone;
  return deliver_event(v, event) ? OpResult::kJump : OpResult::kFault;
}

OpResult op_iret(Vcpu& v, const Inst& inst) {
  OpResult result;
  v.nmi_blocked = false;  // also when it faults
  if (!v.protected_mode())
    result = iret_real(v, inst.operand_bytes);
  else if (v.v8086())
    result = iret_v86(v, inst.operand_bytes);
  else
    result = iret_protected(v, inst);
  if (result != OpResult::kJump) return result;
  if (!v.watch_code) v.rflags &= ~kFlagRF;  // it has nothing to hold off
  refresh_mode(v);
  return result;
}

}  // namespace rz
