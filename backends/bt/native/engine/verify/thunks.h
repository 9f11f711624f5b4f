// The ways out of emitted code: which thunk an offset is, what must be known at the jump there, what is known behind
// it.
#pragma once

#include "values.h"
#include "verify.h"

namespace rz::verify {

enum class Needs : u8 {
  kNothing,
  kLinkInT1,
  kBlockInT1,
  kAccessInMeta,
  kInstInScratch,
  kExceptionInT1,
  kReadMemo,
  kWriteMemo,
  kMemoSet
};
enum class After : u8 { kLeaves, kAllUnknown, kHostInT0, kGuestKept };

struct ThunkRule {
  const char* name;
  u32 offset;  // in the code cache
  Needs needs;
  After after;
};

/// The rule of the thunk that begins at `offset`, or null.
const ThunkRule* find_thunk(u32 offset, ThunkRule& space);

/// Null, or why a jump to this thunk is refused.
const char* check_thunk(const CodeCache& code, const EmittedCode& piece, const State& state, const ThunkRule& rule);

/// The state in which a thunk comes back, at offset `at` of the piece.
void come_back(State& state, const ThunkRule& rule, u32 at);

}  // namespace rz::verify
