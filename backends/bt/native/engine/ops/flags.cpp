// CLI, STI, POPF, CLAC, STAC: who may change which flag, including the virtual interrupt flag of VME and PVI.
// Sources: SDM, "CLI", "STI", "POPF", "Interrupt and Exception Handling in Virtual-8086 Mode".
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

bool vme(const Vcpu& v) { return v.v8086() && (v.cr4 & kCr4VME); }
bool pvi(const Vcpu& v) { return v.protected_mode() && !v.v8086() && v.cpl == 3 && (v.cr4 & kCr4PVI); }

}  // namespace

OpResult op_cli(Vcpu& v, const Inst&) {
  if (!v.protected_mode() || (v.v8086() ? iopl(v) == 3 : v.cpl <= iopl(v))) {
    v.rflags &= ~kFlagIF;
  } else if (vme(v) || pvi(v)) {
    v.rflags &= ~kFlagVIF;
  } else {
    return fault(v, kGP, 0);
  }
  return OpResult::kNext;
}

OpResult op_sti(Vcpu& v, const Inst& inst) {
  if (!v.protected_mode() || (v.v8086() ? iopl(v) == 3 : v.cpl <= iopl(v))) {
    if (!(v.rflags & kFlagIF)) {
      v.shadow_rip = next_instruction(v, inst);
      v.shadow_by_ss = false;
    }
    v.rflags |= kFlagIF;
  } else if ((vme(v) || pvi(v)) && !(v.rflags & kFlagVIP)) {
    v.rflags |= kFlagVIF;
  } else {
    return fault(v, kGP, 0);
  }
  return OpResult::kNext;
}

// PUSHF in V8086 mode; elsewhere it is emitted inline. Under VME the image has VIF for IF, and an IOPL of 3.
OpResult op_pushf(Vcpu& v, const Inst& inst) {
  u64 image = v.rflags & ~(kFlagRF | kFlagVM);
  if (iopl(v) < 3) {
    if (!vme(v) || inst.operand_bytes != 2) return fault(v, kGP, 0);
    image = (image & ~kFlagIF) | kFlagIOPL | (v.rflags & kFlagVIF ? kFlagIF : 0);
  }
  return push_value(v, inst.operand_bytes, image) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_popf(Vcpu& v, const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const bool virtual_if = vme(v) && iopl(v) < 3;
  if (v.v8086() && iopl(v) < 3 && !(virtual_if && bytes == 2)) return fault(v, kGP, 0);
  Popper stack(v, bytes);
  u64 image;
  if (!stack.pop(image)) return OpResult::kFault;
  u64 change = kArithFlags | kFlagTF | kFlagDF | kFlagNT;
  if (bytes > 2) change |= kFlagAC | kFlagID;
  if (virtual_if) {
    if ((image & kFlagTF) || ((image & kFlagIF) && (v.rflags & kFlagVIP))) return fault(v, kGP, 0);
    set_flag(v, kFlagVIF, (image & kFlagIF) != 0);
  } else {
    if (v.cpl == 0 || !v.protected_mode()) change |= kFlagIOPL;
    if (!v.protected_mode() || v.v8086() || v.cpl <= iopl(v)) change |= kFlagIF;
    // IOPL is never writable in V8086 mode: cpl is 3 there.
  }
  const u64 before = v.rflags;
  v.rflags = (v.rflags & ~(change | kFlagRF)) | (image & change) | 2;
  stack.commit();
  if ((before ^ v.rflags) & kFlagAC) refresh_mode(v);
  return OpResult::kNext;
}

OpResult op_clac(Vcpu& v, const Inst&) {
  if (v.cpl != 0) return fault(v, kUD);
  v.rflags &= ~kFlagAC;
  refresh_mode(v);
  return OpResult::kNext;
}

OpResult op_stac(Vcpu& v, const Inst&) {
  if (v.cpl != 0) return fault(v, kUD);
  v.rflags |= kFlagAC;
  refresh_mode(v);
  return OpResult::kNext;
}

}  // namespace rz
