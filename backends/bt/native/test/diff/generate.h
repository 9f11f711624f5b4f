// Random instructions from the instruction table, with operands that are worth trying.
#pragma once

#include <random>

#include "isa/row.h"
#include "test_case.h"

namespace rz::diff {

using Rng = std::mt19937_64;

/// True when CPUID of this processor reports the feature (isa/features.h).
bool host_has(u8 feature);

/// True when the row can be tried on this processor: user-mode computation in code of that size that CPUID reports.
bool testable(const Row& row, CodeSize size);

/// One instruction of `row` for code of `out.size`, with memory operands of every form. False: no encoding found this
/// time.
bool generate_single(const Row& row, Rng& rng, TestCase& out);

/// Two to six instructions; memory operands are RIP-relative, so that no address depends on earlier results.
bool generate_sequence(const std::vector<const Row*>& rows, Rng& rng, TestCase& out);

/// Registers with a meaning of their own in a program, which generated instructions leave alone.
struct Pinned {
  u16 pointers = 0;     // hold addresses in the scratch pages: bases of memory operands
  u8 index = kNoReg;    // holds a small multiple of 16
  u16 others = 1 << 4;  // RSP, loop counters
  u16 all() const { return static_cast<u16>(pointers | others | (index == kNoReg ? 0 : 1 << index)); }
};

/// Append one instruction to a program, whose start state is not changed. Memory operands are RIP-relative or have
/// pinned registers. False: not possible in a program (stack, strings, state images), or no encoding found.
bool generate_step(const Row& row, Rng& rng, const Pinned& pinned, TestCase& out);

/// DAA, DAS, AAA, AAS, AAM, AAD: 64-bit hosts cannot run them, and what they do to undefined flags is not copied.
bool decimal_adjust(const Row& row);

}  // namespace rz::diff
