// Readable Intel-syntax text of a decoded instruction, for traces and test reports. Not meant to be assembled
// again. The operand list comes from Row::operands, so the table says everything once.
#pragma once

#include "inst.h"

namespace rz {

/// Write the text of `inst` to `out`, always NUL-terminated, cut off when it does not fit.
/// @param rip        address of the instruction, for branch targets and RIP-relative operands
/// @param out_bytes  size of `out`, at least 1
/// @returns the length of the whole text without the NUL, even when it was cut off
unsigned disassemble(const Inst& inst, u64 rip, char* out, unsigned out_bytes);

}  // namespace rz
