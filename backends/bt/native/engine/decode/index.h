// From an opcode to the few rows it may mean. Built at compile time from isa/rows.h (decode/index.cpp).
// A candidate matches when every bit of the query word is in its mask: the query has one bit set in each group.
#pragma once

#include "../isa/row.h"

namespace rz::decode_index {

// Bit groups of a candidate's mask and of the query.
inline constexpr unsigned kPrefixShift = 0;  // none, 66, F3, F2
inline constexpr unsigned kExtShift = 4;     // ModRM.reg, eight bits
inline constexpr unsigned kModShift = 12;    // memory, register
inline constexpr unsigned kWModeShift = 14;  // (64-bit, W0), (64-bit, W1), (other, W0), (other, W1)
inline constexpr unsigned kLShift = 18;      // VEX.L 0, 1
inline constexpr unsigned kBShift = 20;      // REX.B 0, 1
inline constexpr unsigned kMaskBits = 22;

struct Candidate {
  u32 mask;
  i16 modrm;  // whole ModRM byte, or -1
  u16 row;    // position in isa::kRows
};

struct Entry {
  u16 first;  // in `candidates`
  u8 count;   // 0: undefined opcode
  bool has_modrm;
};

inline constexpr unsigned kMaps = 4;
inline constexpr unsigned kMaxCandidates = 2600;

struct Index {
  Entry entry[2][kMaps][256];  // [0]: legacy, [1]: VEX
  Candidate candidates[kMaxCandidates];
};

extern const Index kIndex;

}  // namespace rz::decode_index
