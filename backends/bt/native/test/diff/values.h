// Random register and memory contents: plain noise mixed with the values at which arithmetic changes its mind.
#pragma once

#include "generate.h"

namespace rz::diff {

u64 integer_value(Rng& rng);
/// 16 bytes of vector contents: integers, or single or double floating-point specials.
void vector_value(Rng& rng, u8* out);
/// Everything except what addresses need.
void random_state(Rng& rng, TestState& state);

}  // namespace rz::diff
