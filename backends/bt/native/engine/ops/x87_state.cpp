// FNSTENV, FLDENV, FNSAVE, FRSTOR, FWAIT. The host's instruction runs on a local image in its 32-bit protected-mode
// layout; the guest's layout is made from it with instruction and data pointers zeroed, because the host's point into
// the code cache. Source: SDM, "Saving the x87 FPU's State with FSTENV/FNSTENV and FSAVE/FNSAVE".
#include "../cpu/bytes.h"
#include "../run/host_fpu.h"
#include "../run/machine.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

constexpr unsigned kEnv32 = 28, kEnv16 = 14, kRegisters = 80;

// The control, status and tag words, in either layout.
void to_guest(const u8 (&host)[kEnv32], u8* guest, bool wide) {
  const unsigned step = wide ? 4 : 2;
  for (unsigned i = 0; i < 7; ++i) {
    if (wide)
      store_bytes(guest + 4 * i, i < 3 || i == 6 ? 0xffff0000u : 0, 4);
    else
      store_bytes(guest + 2 * i, 0, 2);
    if (i < 3) copy_bytes(guest + step * i, host + 4 * i, 2);
  }
}

void from_guest(const u8* guest, u8 (&host)[kEnv32], bool wide) {
  const unsigned step = wide ? 4 : 2;
  fill_bytes(host, 0, sizeof host);
  for (unsigned i = 0; i < 3; ++i) copy_bytes(host + 4 * i, guest + step * i, 2);
}

}  // namespace

OpResult op_fnstenv(Vcpu& v, const Inst& inst) {
  const bool wide = inst.operand_bytes != 2;
  const unsigned bytes = wide ? kEnv32 : kEnv16;
  const u64 at = effective_offset(v, inst);
  if (!mem_probe_write(v, inst.seg, at, bytes)) return OpResult::kFault;
  u8 host[kEnv32], guest[kEnv32];
  asm volatile("fnstenv %0" : "=m"(host));  // masks all exceptions, as for the guest
  to_guest(host, guest, wide);
  return mem_write_block(v, inst.seg, at, guest, bytes) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_fldenv(Vcpu& v, const Inst& inst) {
  if (x87_error_pending()) return fault(v, kMF);
  const bool wide = inst.operand_bytes != 2;
  u8 host[kEnv32], guest[kEnv32];
  if (!mem_read_block(v, inst.seg, effective_offset(v, inst), guest, wide ? kEnv32 : kEnv16)) return OpResult::kFault;
  from_guest(guest, host, wide);
  asm volatile("fnclex; fldenv %0" : : "m"(host));
  return OpResult::kNext;
}

OpResult op_fnsave(Vcpu& v, const Inst& inst) {
  const bool wide = inst.operand_bytes != 2;
  const unsigned env = wide ? kEnv32 : kEnv16;
  const u64 at = effective_offset(v, inst);
  if (!mem_probe_write(v, inst.seg, at, env + kRegisters)) return OpResult::kFault;
  struct {
    u8 env[kEnv32];
    u8 registers[kRegisters];
  } host;
  u8 guest[kEnv32 + kRegisters];
  asm volatile("fnsave %0" : "=m"(host));  // and FNINIT, as for the guest
  to_guest(host.env, guest, wide);
  copy_bytes(guest + env, host.registers, kRegisters);
  return mem_write_block(v, inst.seg, at, guest, env + kRegisters) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_frstor(Vcpu& v, const Inst& inst) {
  if (x87_error_pending()) return fault(v, kMF);
  const bool wide = inst.operand_bytes != 2;
  const unsigned env = wide ? kEnv32 : kEnv16;
  struct {
    u8 env[kEnv32];
    u8 registers[kRegisters];
  } host;
  u8 guest[kEnv32 + kRegisters];
  if (!mem_read_block(v, inst.seg, effective_offset(v, inst), guest, env + kRegisters)) return OpResult::kFault;
  from_guest(guest, host.env, wide);
  copy_bytes(host.registers, guest + env, kRegisters);
  asm volatile("fnclex; frstor %0" : : "m"(host));
  return OpResult::kNext;
}

OpResult op_fwait(Vcpu& v, const Inst&) {
  if ((v.cr0 & kCr0MP) && (v.cr0 & kCr0TS)) return fault(v, kNM);
  const bool pending = x87_error_pending();
  if (!(v.cr0 & kCr0NE) && v.machine->irq && v.machine->irq->x87_error_ignored(v, pending)) return OpResult::kNext;
  return pending ? fault(v, kMF) : OpResult::kNext;
}

}  // namespace rz
