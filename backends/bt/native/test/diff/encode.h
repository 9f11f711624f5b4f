// Random encodings of one row of the instruction table.
#pragma once

#include "generate.h"

namespace rz::diff {

/// What the memory operand of a random encoding looks like, when there is one.
struct Form {
  enum Kind : u8 {
    kAny,          // whatever ModRM and SIB can say
    kRipRelative,  // no register: the address depends on no earlier result
    kBased,        // [base + disp] or [base + index * scale + disp], with registers that nothing else writes
  } kind = kAny;
  u8 base = kNoReg, index = kNoReg;  // kBased; index may be kNoReg
};

/// Append prefixes, opcode, ModRM, SIB, displacement and immediate (eight bytes; the decoder says how many are used).
void encode(const Row& row, Rng& rng, const Form& form, CodeSize size, std::vector<u8>& out);

}  // namespace rz::diff
