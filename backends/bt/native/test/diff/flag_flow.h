// Which arithmetic flags can matter when a case stops at a fault.
#pragma once

#include "test_case.h"

namespace rz::diff {

/// RFLAGS bits (of the arithmetic ones) that some way through the rest of the case may read before writing. The others
/// may be stale in the frame of a fault at `rip`: translated code does not keep them, and restarting makes them good.
u64 flags_that_matter(const TestCase& test, u64 rip);

/// RFLAGS bits of a liveness mask (isa/row.h).
u64 rflags_of(u8 mask);

}  // namespace rz::diff
