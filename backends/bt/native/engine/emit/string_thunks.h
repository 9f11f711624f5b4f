// The part of the string thunks that does the work; see string_thunks.cpp. Used by thunks.cpp only.
#pragma once

#include "assembler.h"

namespace rz {

/// Jumps taken when a run is not for the thunk; nothing has been done then. At most four.
struct StringMisses {
  u8* field[4];
  unsigned count = 0;
  void add(u8* at) { field[count++] = at; }
};

/// RCX elements of REP MOVS (`movs`) or REP STOS with RSI, RDI and RAX in their own registers. Clobbers T0, T1 and
/// flags.
StringMisses emit_string_run(Assembler& a, bool movs, u8 log2_width);

}  // namespace rz
