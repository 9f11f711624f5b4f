// IN and OUT, and the permission check that INS and OUTS share. Source: SDM, "I/O Port Addressing" and
// "I/O Permission Bit Map".
#include "../cpu/debug.h"
#include "../run/machine.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

unsigned port_width(const Inst& inst) { return inst.operand_bytes == 8 ? 4 : inst.operand_bytes; }

u16 port_of(const Vcpu& v, const Inst& inst) {
  return (inst.opcode & 8) ? static_cast<u16>(v.regs[kRdx]) : static_cast<u8>(inst.imm);
}

}  // namespace

bool port_allowed(Vcpu& v, u16 port, unsigned bytes) {
  if (!v.protected_mode() || (!v.v8086() && v.cpl <= iopl(v))) return true;
  const auto refuse = [&] {
    v.raise(kGP, 0);
    return false;
  };
  // Only 32- and 64-bit task state segments have a bitmap; two bytes are read because a port range may straddle.
  if (!(v.tr.type() & 8) || v.tr.limit < 0x67) return refuse();
  u16 map = 0, bits = 0;
  if (!linear_read(v, v.tr.base + 0x66, &map, 2, kSupervisor)) return false;
  const u32 at = map + port / 8u;
  if (at + 1 > v.tr.limit) return refuse();
  if (!linear_read(v, v.tr.base + at, &bits, 2, kSupervisor)) return false;
  if (bits >> (port & 7) & ((1u << bytes) - 1)) return refuse();
  return true;
}

OpResult op_in(Vcpu& v, const Inst& inst) {
  const unsigned width = port_width(inst);
  const u16 port = port_of(v, inst);
  if (!port_allowed(v, port, width)) return OpResult::kFault;
  v.count(Counter::kPortAccesses);
  merge_reg(v.regs[kRax], v.machine->bus->io_read(v, port, width), width);
  if (v.watch_port) note_port(v, port, width);
  return OpResult::kNext;
}

OpResult op_out(Vcpu& v, const Inst& inst) {
  const unsigned width = port_width(inst);
  const u16 port = port_of(v, inst);
  if (!port_allowed(v, port, width)) return OpResult::kFault;
  v.count(Counter::kPortAccesses);
  v.machine->bus->io_write(v, port, width, v.regs[kRax] & low_mask(width));
  if (v.watch_port) note_port(v, port, width);
  return OpResult::kNext;
}

}  // namespace rz
