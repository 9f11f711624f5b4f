// From an opcode to the few rows it may mean. Built at compile time from isa/rows.h (decode/index.cpp).
// A candidate matches when every bit of the query word is in its mask: the query has one bit set in each group.
#pragma once

#include <initializer_list>

#include "inst.h"

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

// What a byte is before the opcode.
enum PrefixKind : u8 { kNotPrefix, kSegPrefix, k66Prefix, k67Prefix, kLockPrefix, kRepPrefix, kRexPrefix, kVexEscape };

struct PrefixTable {
  u8 kind[256];
};

constexpr PrefixTable prefix_table() {
  PrefixTable t{};
  for (int b : {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65}) t.kind[b] = kSegPrefix;
  t.kind[0x66] = k66Prefix;
  t.kind[0x67] = k67Prefix;
  t.kind[0xf0] = kLockPrefix;
  t.kind[0xf2] = t.kind[0xf3] = kRepPrefix;
  for (int b = 0x40; b < 0x50; b++) t.kind[b] = kRexPrefix;
  t.kind[0xc4] = t.kind[0xc5] = t.kind[0x62] = kVexEscape;
  return t;
}
constexpr PrefixTable kPrefixes = prefix_table();

constexpr u8 operand_size(const Row& row, const Inst& inst, CodeSize size) {
  if (row.attrs & kByteForm) return 1;
  const bool p66 = inst.has_66 && row.prefix != Mandatory::k66;
  if (size == CodeSize::k64) {
    if (inst.rex_w || (row.attrs & (kForce64 | kWide64))) return 8;
    if (p66) return 2;
    return row.attrs & kDefault64 ? 8 : 4;
  }
  if (row.attrs & kWide64) return 4;
  return (size == CodeSize::k32) != p66 ? 4 : 2;
}

/// Instructions of one byte, ready made for 32-bit and 64-bit code.
struct OneByte {
  u8 number[2][256];  // [1]: 64-bit; of `inst`, or 0
  Inst inst[200];     // number 0 is what decoding begins with
};

extern const OneByte kOneByte;

}  // namespace rz::decode_index
