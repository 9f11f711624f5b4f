// Event delivery. Everything that can fault (gate, code segment, stack, pushes) happens on local copies; registers
// change only when the whole frame is in memory.
#include "exceptions.h"

#include "../debug/trace.h"
#include "../mmu/mmu.h"
#include "../translate/mode.h"
#include "segments.h"
#include "stack_frame.h"
#include "tasks.h"

namespace rz {
namespace {

u32 external_bit(const Event& e) { return e.kind == EventKind::kSoftware ? 0 : 1; }
u32 idt_error(const Event& e) { return static_cast<u32>(e.vector) * 8 + 2 + external_bit(e); }

bool fail(Vcpu& v, u8 vector, u32 error) {
  v.raise(vector, error);
  return false;
}

u64 pushed_flags(const Vcpu& v, const Event& e) { return e.resume ? v.rflags | kFlagRF : v.rflags; }

// The checks of SDM, "Interrupt 13" and the INT n reference page that all gates share.
bool check_gate(Vcpu& v, const Event& e, const Descriptor& gate) {
  if (e.kind == EventKind::kSoftware && gate.dpl() < v.cpl) return fail(v, kGP, idt_error(e));
  if (!gate.present()) return fail(v, kNP, idt_error(e));
  return true;
}

bool check_handler(Vcpu& v, const Event& e, u16 selector, Descriptor& code) {
  const u32 ext = external_bit(e);
  if (null_selector(selector)) return fail(v, kGP, ext);
  if (!read_descriptor(v, selector, kGP, ext, code)) return false;
  if (!code.is_code() || code.dpl() > v.cpl) return fail(v, kGP, (selector & ~3u) | ext);
  if (!code.present()) return fail(v, kNP, (selector & ~3u) | ext);
  return mark_accessed(v, code);
}

void enter_handler(Vcpu& v, u16 selector, const Descriptor& code, unsigned cpl, u64 rip, bool clear_if) {
  v.rflags &= ~(kFlagTF | kFlagNT | kFlagRF | kFlagVM);
  if (clear_if) v.rflags &= ~kFlagIF;
  set_code_segment(v, selector, code, cpl);
  v.rip = rip;
  refresh_mode(v);
}

bool deliver_64(Vcpu& v, const Event& e) {
  if (static_cast<u32>(e.vector) * 16 + 15 > v.idtr.limit) return fail(v, kGP, idt_error(e));
  Descriptor gate;
  if (!linear_read(v, v.idtr.base + e.vector * 16u, &gate.low, 16, kSupervisor)) return false;  // low and high
  if (gate.is_code_or_data() || (gate.type() != kInterruptGate32 && gate.type() != kTrapGate32))
    return fail(v, kGP, idt_error(e));
  if (!check_gate(v, e, gate)) return false;
  Descriptor code;
  const u16 selector = gate.gate_selector();
  if (!check_handler(v, e, selector, code)) return false;
  const u32 ext = external_bit(e);
  if (!code.long_code() || code.big()) return fail(v, kGP, (selector & ~3u) | ext);

  const unsigned cpl = code.conforming() ? v.cpl : code.dpl();
  const unsigned ist = static_cast<unsigned>(gate.low >> 32) & 7;
  u64 sp = v.regs[4];
  if (ist) {
    if (!tss_stack64(v, 8 + ist, ext, sp)) return false;
  } else if (cpl != v.cpl) {
    if (!tss_stack64(v, cpl, ext, sp)) return false;
  }
  if (!canonical(v, sp)) return fail(v, kSSx, ext);
  if (!canonical(v, gate.gate_offset())) return fail(v, kGP, ext);

  StackFrame frame(v, v.seg[kSS], sp & ~15ull, 8, cpl == 3 ? kUser : kSupervisor, true);
  frame.push(v.seg[kSS].selector);
  frame.push(v.regs[4]);
  frame.push(pushed_flags(v, e));
  frame.push(v.seg[kCS].selector);
  frame.push(e.return_rip);
  if (e.has_error) frame.push(e.error);
  if (!frame.commit(ext)) return false;

  const bool inner = cpl != v.cpl;
  if (inner) set_null_segment(v, kSS, static_cast<u16>(cpl));
  v.regs[4] = frame.sp();
  enter_handler(v, selector, code, cpl, gate.gate_offset(), gate.type() == kInterruptGate32);
  return true;
}

bool deliver_protected(Vcpu& v, const Event& e) {
  if (static_cast<u32>(e.vector) * 8 + 7 > v.idtr.limit) return fail(v, kGP, idt_error(e));
  Descriptor gate;
  if (!linear_read(v, v.idtr.base + e.vector * 8u, &gate.low, 8, kSupervisor)) return false;
  const unsigned type = gate.type();
  const bool task = type == kTaskGate;
  const bool gate16 = type == kInterruptGate16 || type == kTrapGate16;
  const bool gate32 = type == kInterruptGate32 || type == kTrapGate32;
  if (gate.is_code_or_data() || !(task || gate16 || gate32)) return fail(v, kGP, idt_error(e));
  if (!check_gate(v, e, gate)) return false;
  const u32 ext = external_bit(e);
  if (task)
    return task_switch(v, gate.gate_selector(), TaskSwitch::kGate, e.return_rip, pushed_flags(v, e), ext,
                       e.has_error ? &e.error : nullptr);

  Descriptor code;
  const u16 selector = gate.gate_selector();
  if (!check_handler(v, e, selector, code)) return false;
  const unsigned cpl = code.conforming() ? v.cpl : code.dpl();
  const bool from_v86 = v.v8086();
  if (from_v86 && cpl != 0) return fail(v, kGP, (selector & ~3u) | ext);
  const u64 offset = gate32 ? gate.gate_offset() & 0xffffffff : gate.gate_offset() & 0xffff;
  if (!valid_rip(v, code, offset)) return fail(v, kGP, ext);

  const bool inner = cpl != v.cpl;
  u16 ss = v.seg[kSS].selector;
  u64 sp = v.regs[4];
  Segment stack = v.seg[kSS];
  Descriptor ss_descriptor;
  if (inner) {
    if (!tss_stack(v, cpl, ext, ss, sp)) return false;
    if (!check_stack_segment(v, ss, cpl, kTS, ext, ss_descriptor)) return false;
    stack = stack_of(ss, ss_descriptor);
  }
  StackFrame frame(v, stack, sp, gate32 ? 4 : 2, cpl == 3 ? kUser : kSupervisor, false);
  if (inner) {
    if (from_v86)
      for (const u8 seg : {kGS, kFS, kDS, kES}) frame.push(v.seg[seg].selector);
    frame.push(v.seg[kSS].selector);
    frame.push(v.regs[4]);
  }
  frame.push(pushed_flags(v, e));
  frame.push(v.seg[kCS].selector);
  frame.push(e.return_rip);
  if (e.has_error) frame.push(e.error);
  if (!frame.commit(inner ? (ss & ~3u) | ext : ext)) return false;

  const bool clear_if = type == kInterruptGate32 || type == kInterruptGate16;
  v.rflags &= ~kFlagVM;  // the segment loads below must use protected-mode rules
  if (inner) {
    v.regs[4] = frame.sp();
    set_segment(v, kSS, ss, ss_descriptor);
    if (from_v86)
      for (const u8 seg : {kGS, kFS, kDS, kES}) set_null_segment(v, seg, 0);
  } else if (stack.big()) {
    v.regs[4] = static_cast<u32>(frame.sp());
  } else {
    v.regs[4] = frame.sp();
  }
  enter_handler(v, selector, code, cpl, offset, clear_if);
  return true;
}

void note_page_fault(Vcpu& v, const PendingException& e) {
  v.cr2 = e.cr2;
  const bool says_fetch = (v.msr.efer & kEferNXE) || (v.cr4 & kCr4SMEP);
  tlb_page_fault(v, e.cr2, !says_fetch || (e.error & 16));
}

bool contributory(u8 vector) { return vector == kDE || (vector >= kTS && vector <= kGP) || vector == 21; }

}  // namespace

bool tss_stack(Vcpu& v, unsigned dpl, u32 external, u16& ss, u64& sp) {
  const bool wide = (v.tr.type() & 8) != 0;
  const u32 at = wide ? 4 + dpl * 8 : 2 + dpl * 4;
  const u32 bytes = wide ? 6 : 4;
  if (at + bytes - 1 > v.tr.limit) {
    v.raise(kTS, (v.tr.selector & ~3u) | external);
    return false;
  }
  u8 image[8] = {};
  if (!linear_read(v, v.tr.base + at, image, bytes, kSupervisor)) return false;
  if (wide) {
    sp = image[0] | image[1] << 8 | image[2] << 16 | static_cast<u32>(image[3]) << 24;
    ss = static_cast<u16>(image[4] | image[5] << 8);
  } else {
    sp = static_cast<u16>(image[0] | image[1] << 8);
    ss = static_cast<u16>(image[2] | image[3] << 8);
  }
  return true;
}

bool tss_stack64(Vcpu& v, unsigned which, u32 external, u64& sp) {
  const u32 at = which >= 8 ? 0x24 + (which - 9) * 8 : 4 + which * 8;
  if (at + 7 > v.tr.limit) {
    v.raise(kTS, (v.tr.selector & ~3u) | external);
    return false;
  }
  return linear_read(v, v.tr.base + at, &sp, 8, kSupervisor);
}

bool deliver_through_ivt(Vcpu& v, u8 vector, u64 table, u64 return_rip, u16 flags_image) {
  u32 target;
  const PrivClass cls = v.cpl == 3 ? kUser : kSupervisor;
  if (!linear_read(v, table + vector * 4u, &target, 4, cls)) return false;
  StackFrame frame(v, v.seg[kSS], v.regs[4], 2, cls, false);
  frame.push(flags_image);
  frame.push(v.seg[kCS].selector);
  frame.push(return_rip);
  if (!frame.commit(0)) return false;
  v.regs[4] = frame.sp();
  set_real_segment(v, kCS, static_cast<u16>(target >> 16));
  v.rip = target & 0xffff;
  v.rflags &= ~(kFlagTF | kFlagRF);
  refresh_mode(v);
  return true;
}

bool deliver_event(Vcpu& v, const Event& e) {
  if (!v.protected_mode()) {
    if (static_cast<u32>(e.vector) * 4 + 3 > v.idtr.limit) return fail(v, kGP, 0);
    if (!deliver_through_ivt(v, e.vector, v.idtr.base, e.return_rip, static_cast<u16>(v.rflags))) return false;
    v.rflags &= ~(kFlagIF | kFlagAC);
    refresh_mode(v);
    return true;
  }
  return v.long_mode() ? deliver_64(v, e) : deliver_protected(v, e);
}

void deliver_exception(Vcpu& v) {
  PendingException now = v.exception;
  v.halted = false;
  v.debug_pending = 0;  // a fault takes its instruction's traps along
  v.trap_rule = TrapRule::kNormal;
  while (now.vector != PendingException::kNone) {
    v.exception = PendingException{};
    if (now.vector == kPFx) note_page_fault(v, now);
    if (now.vector == kDB) v.dr[7] &= ~(1ull << 13);  // general detect
    const bool fault = !now.software && now.vector != kDB && now.vector != kBP && now.vector != kOFx;
    const Event event{.vector = now.vector,
                      .kind = now.software ? EventKind::kSoftware : EventKind::kException,
                      .has_error = now.has_error,
                      .error = now.error,
                      .return_rip = v.rip,
                      .resume = fault};
    v.count(Counter::kExceptions);
    if (now.vector == kPFx) v.count(Counter::kPageFaults);
    if (tracing(*v.machine, Trace::kIrq))
      TraceLine(v, Trace::kIrq, "exception")
          .number("vector", now.vector)
          .hex("error", now.has_error ? now.error : 0)
          .hex("rip", v.rip)
          .hex("cr2", v.cr2);
    if (deliver_event(v, event)) {
      v.shadow_rip = ~0ull;
      return;
    }
    const PendingException second = v.exception;
    v.exception = PendingException{};
    if (second.vector == kPFx) note_page_fault(v, second);  // also when it becomes #DF
    if (now.vector == kDF) {
      v.shutdown = true;
      return;
    }
    const bool both = contributory(now.vector) && contributory(second.vector);
    const bool page = now.vector == kPFx && (second.vector == kPFx || contributory(second.vector));
    if (both || page)
      now = PendingException{.vector = kDF, .has_error = true};
    else
      now = second;
  }
}

bool deliver_interrupt(Vcpu& v, u8 vector) {
  v.count(vector == kNMI ? Counter::kNmis : Counter::kInterrupts);
  if (tracing(*v.machine, Trace::kIrq))
    TraceLine(v, Trace::kIrq, vector == kNMI ? "nmi" : "interrupt").hex("vector", vector).hex("rip", v.rip);
  const bool was_blocked = v.nmi_blocked;
  if (vector == kNMI) v.nmi_blocked = true;
  v.halted = false;
  v.shadow_rip = ~0ull;
  const Event event{.vector = vector, .kind = EventKind::kExternal, .return_rip = v.rip};
  if (deliver_event(v, event)) return true;
  if (vector == kNMI) v.nmi_blocked = was_blocked;
  deliver_exception(v);
  return !v.shutdown;
}

}  // namespace rz
