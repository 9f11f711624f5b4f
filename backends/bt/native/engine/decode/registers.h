// General registers that an instruction may write, those that it does not name included. Errs on the side of more.
#pragma once

#include "inst.h"

namespace rz {

/// Rows whose only written general registers are those of their encoded fields. A list of what is common and certain.
inline bool writes_only_fields(const Inst& inst) {
  const Row& row = *inst.row;
  const u8 op = inst.opcode;
  if (row.encoding == Encoding::kVex) return row.map != Map::k0F3A || op < 0x60 || op > 0x63;  // VPCMPxSTRx
  if (row.map == Map::k0F)
    return (op >= 0x10 && op <= 0x7f) || (op >= 0x90 && op <= 0x9f) || op == 0xaf || op == 0xb6 || op == 0xb7 ||
           op == 0xbe || op == 0xbf || op == 0xc6 || op >= 0xc8;
  if (row.map != Map::kOne) return false;
  if (op < 0x40) return (op & 7) < 4;
  if (op >= 0x80 && op <= 0x8b) return op != 0x86 && op != 0x87;
  if (op >= 0xb0 && op <= 0xbf) return true;
  if (op == 0x63 || op == 0x69 || op == 0x6b || op == 0xc0 || op == 0xc1 || op == 0xc6 || op == 0xc7) return true;
  if (op >= 0xd0 && op <= 0xd3) return true;
  if (op == 0xf6 || op == 0xf7) return (inst.reg & 7) < 4;
  return op == 0xfe || op == 0xff;
}

/// Bit mask by register number.
inline u16 registers_written(const Inst& inst) {
  constexpr u16 kAccumulators = 1 << 0 | 1 << 1 | 1 << 2;  // all that rows other than helpers write without naming it
  const Row& row = *inst.row;
  u16 mask = 0;
  switch (row.sem) {
    case Sem::kNop:
    case Sem::kJcc:
    case Sem::kClc:
    case Sem::kStc:
    case Sem::kCmc:
    case Sem::kCld:
    case Sem::kStd:
    case Sem::kSahf: return 0;
    case Sem::kHelper:
    case Sem::kHelperEnds: return 0xffff;
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPushRm:
    case Sem::kPushf:
    case Sem::kCallRel:
    case Sem::kCallRm:
    case Sem::kRet:
    case Sem::kRetImm: return 1 << 4;
    case Sem::kLeave: return 1 << 4 | 1 << 5;
    case Sem::kPopReg:
    case Sem::kPopRm: mask = 1 << 4; break;
    case Sem::kLea:
    case Sem::kMovImm:
    case Sem::kBitTest: break;
    case Sem::kLahf: return 1 << 0;
    case Sem::kIdentity:
      if (row.encoding == Encoding::kLegacy && row.map == Map::kOne && inst.opcode < 0x40 && (inst.opcode & 6) == 4)
        mask = 1 << 0;  // AL or EAX with a constant
      else if (!writes_only_fields(inst))
        mask = kAccumulators;
      break;
    default: mask = kAccumulators; break;
  }
  // Without REX, byte registers 4 to 7 are parts of registers 0 to 3.
  auto field = [&](const Field& f, u8 number) {
    if (f.cls != RegClass::kGpr || (static_cast<u8>(f.use) & 2) == 0) return;
    const bool high = f.width == Width::k1 && inst.rex == 0 && row.encoding == Encoding::kLegacy && number >= 4;
    mask = static_cast<u16>(mask | 1 << ((high ? number - 4 : number) & 15));
  };
  if (row.ext < 0) field(row.reg, inst.reg);
  if (!inst.has_memory) field(row.rm, inst.rm);
  if (row.encoding == Encoding::kVex) field(row.vvvv, inst.vvvv);
  return mask;
}

}  // namespace rz
