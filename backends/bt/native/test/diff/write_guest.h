// A case as a guest program for test/guests, so that every engine and KVM can run what a fuzzer found.
#pragma once

#include <string>

#include "test_case.h"

namespace rz::diff {

/// Text of the program: it maps the case's addresses, loads its state, runs it in ring 3 and compares with `expected`.
/// Cases of 64-bit code only; empty for others.
std::string guest_program(const TestCase& test, const TestState& expected, const std::string& title);

}  // namespace rz::diff
