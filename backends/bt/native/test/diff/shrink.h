// Makes a failing case small.
#pragma once

#include <functional>

#include "test_case.h"

namespace rz::diff {

/// Take instructions out of the case and plain values into its start state, as long as `fails` still holds.
/// @returns the smallest case found; itself when nothing could go
TestCase shrink(const TestCase& failing, const std::function<bool(const TestCase&)>& fails);

}  // namespace rz::diff
