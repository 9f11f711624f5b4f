// The whole instruction table: every family, one after another. Included by isa/list.cpp and decode/index.cpp
// only; everybody else goes through isa/list.h and decode(). Adding a family means one include and one name.
#pragma once

#include "build.h"

namespace rz::isa {

#include "arith.inc"
#include "logic.inc"
#include "shift.inc"
#include "move.inc"
#include "stack.inc"
#include "control.inc"
#include "string.inc"
#include "system.inc"
#include "x87.inc"
#include "mmx.inc"
#include "sse.inc"
#include "sse_int.inc"
#include "avx.inc"
#include "avx_int.inc"
#include "fma.inc"
#include "bmi.inc"

template <size_t... N>
constexpr auto join(const std::array<Row, N>&... parts) {
  std::array<Row, (N + ...)> all{};
  size_t at = 0;
  auto append = [&](const auto& part) {
    for (const Row& row : part) all[at++] = row;
  };
  (append(parts), ...);
  return all;
}

inline constexpr auto kRows =
    join(kArith, kLogic, kShift, kMove, kStackRows, kControlRows, kStringRows, kSystemRows, kX87, kMmx, kSse, kSse2Int,
         kSsse3, kSse4, kCryptoRows, kAvx, kAvxInt, kAvx2, kAvxCrypto, kFma, kBmi);

/// What can be said about one row by itself.
constexpr bool sound(const Row& r) {
  const Flags f = r.flags;
  if (r.mnemonic == nullptr || r.count == 0 || r.opcode + r.count > 256) return false;
  if ((f.written & f.undefined) || (f.written & f.maybe) || (f.undefined & f.maybe)) return false;  // each flag once
  if (r.ext >= 0 && r.modrm >= 0) return false;
  if ((r.attrs & kOpcodeReg) && (r.has_modrm || r.count != 8)) return false;
  if ((r.sem == Sem::kHelper || r.sem == Sem::kHelperEnds) != (r.helper != Helper::k_none)) return false;
  if ((r.attrs & kNo64) && (r.attrs & kOnly64)) return false;
  if (r.encoding != Encoding::kLegacy && (r.prefix == Mandatory::kAny || !(r.attrs & (kNeedsAvx | kVexWGpr))))
    return false;
  if ((r.attrs & kLockable) && !(static_cast<u8>(r.rm.use) & 2)) return false;  // LOCK needs a memory destination
  if ((r.attrs & kAligned) && !(r.attrs & kFaultsOnHost)) return false;
  if (r.ext >= 0 && r.reg.cls != RegClass::kNone) return false;
  return true;
}

constexpr bool all_sound() {
  for (const Row& r : kRows)
    if (!sound(r)) return false;
  return true;
}
static_assert(all_sound(), "a row contradicts itself");

}  // namespace rz::isa
