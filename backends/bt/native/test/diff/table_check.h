// Holds the instruction table against the processor: flag columns and register columns must tell the truth,
// because liveness and register renaming believe them.
#pragma once

#include <string>

#include "test_case.h"

namespace rz::diff {

/// Run a single-instruction case natively with different input flags and look for lies of its row.
/// @returns what is wrong, empty when nothing
std::string check_row_claims(const TestCase& test, Runner& native);

}  // namespace rz::diff
