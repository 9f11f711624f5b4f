// Random instructions from the instruction table, with operands that are worth trying.
#pragma once

#include <random>

#include "isa/row.h"
#include "test_case.h"

namespace rz::diff {

using Rng = std::mt19937_64;

/// True when the row can be tried on this processor: user-mode computation in 64-bit mode that CPUID reports.
bool testable(const Row& row);

/// One instruction of `row` with memory operands of every form. False: no encoding found this time.
bool generate_single(const Row& row, Rng& rng, TestCase& out);

/// Two to six instructions; memory operands are RIP-relative, so that no address depends on earlier results.
bool generate_sequence(const std::vector<const Row*>& rows, Rng& rng, TestCase& out);

}  // namespace rz::diff
