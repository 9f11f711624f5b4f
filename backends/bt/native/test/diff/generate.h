// Random instructions from the instruction table, with operands that are worth trying.
#pragma once

#include <random>

#include "isa/row.h"
#include "test_case.h"

namespace rz::diff {

using Rng = std::mt19937_64;

/// True when the row can be tried on this processor: user-mode computation in code of that size that CPUID reports.
bool testable(const Row& row, CodeSize size);

/// One instruction of `row` for code of `out.size`, with memory operands of every form. False: no encoding found this
/// time.
bool generate_single(const Row& row, Rng& rng, TestCase& out);

/// Two to six instructions; memory operands are RIP-relative, so that no address depends on earlier results.
bool generate_sequence(const std::vector<const Row*>& rows, Rng& rng, TestCase& out);

/// DAA, DAS, AAA, AAS, AAM, AAD: 64-bit hosts cannot run them, and what they do to undefined flags is not copied.
bool decimal_adjust(const Row& row);

}  // namespace rz::diff
