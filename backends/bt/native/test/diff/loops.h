// Random short loops, the shape that the translator copies and merges the checks of: registers that walk through memory
// by known steps, conditional exits, page ends and faults in any turn, stores onto the loop's own code.
#pragma once

#include "program.h"

namespace rz::diff {

/// A random loop in 64-bit code, once or a few times over. It ends by itself. False: did not work out this time.
bool generate_loop(const RowChoice& rows, Rng& rng, TestCase& out);

}  // namespace rz::diff
