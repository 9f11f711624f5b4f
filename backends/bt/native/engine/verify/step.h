// What one straight-line host instruction does to the verifier's knowledge, and whether emitted code may hold it at
// all.
#pragma once

#include "../decode/inst.h"
#include "values.h"

namespace rz::verify {

/// Apply `inst` at offset `at` of the piece. Null, or why it is refused. Branches are not for this function.
const char* step(State& state, const Inst& inst, u32 at);

/// Null when the memory operand of a jump is a slot of the jump table.
const char* check_jump_operand(const State& state, const Inst& inst);

}  // namespace rz::verify
