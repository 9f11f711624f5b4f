// Flag effects of a decoded instruction, sharper than its row where an immediate count is known.
// Liveness may use either; this one lets `shl reg, 3` count as a full overwrite.
#pragma once

#include "inst.h"

namespace rz {

/// What the instruction does to the arithmetic flags. Same as row->flags except for shifts and rotates by an
/// immediate whose masked value is not zero.
inline Flags flags_of(const Inst& inst) {
  const Row& row = *inst.row;
  Flags f = row.flags;
  if (f.maybe == 0 || row.encoding != Encoding::kLegacy) return f;
  const unsigned count = static_cast<unsigned>(inst.imm) & (inst.operand_bytes == 8 ? 63 : 31);
  if (row.map == Map::kOne && (inst.opcode & 0xfe) == 0xc0) {
    if (count == 0) return f;
    if (row.ext < 4) {
      // RCL and RCR turn through CF: a count that is a multiple of width + 1 changes nothing on some processors.
      if (row.ext >= 2) return f;
      f.written |= kCF;
      f.maybe = kOF;
    } else {
      f.written |= kCF | kZF | kSF | kPF;
      f.maybe = kOF | kAF;
    }
  } else if (row.map == Map::k0F && (inst.opcode == 0xa4 || inst.opcode == 0xac)) {
    // A 16-bit double shift by more than 16 is undefined altogether.
    if (count == 0 || count > inst.operand_bytes * 8u) return f;
    f.written |= kCF | kZF | kSF | kPF;
    f.maybe = kOF | kAF;
  }
  return f;
}

}  // namespace rz
