// Operand of Command::kDebug; src/debug-settings.ts writes it.
#pragma once

#include "types.h"

namespace rz::shared {

inline constexpr u32 kMaxBreakpoints = 4;

struct DebugImage {
  u32 single_step;          // 1: after every instruction
  u32 breakpoints;          // how many
  u64 at[kMaxBreakpoints];  // linear addresses
};
static_assert(sizeof(DebugImage) == 40);

}  // namespace rz::shared
