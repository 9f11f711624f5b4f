// Random programs: up to some forty instructions with branches in both directions, loops, calls, stack use and code
// that changes itself. A program is a TestCase like any other; these functions know how to make one, and how to take
// instructions out of one without moving what its branches and RIP-relative operands mean.
#pragma once

#include "generate.h"

namespace rz::diff {

/// The rows that programs draw from, sorted by what they do.
struct RowChoice {
  std::vector<const Row*> all, flag_writers, flag_readers;
  explicit RowChoice(const std::vector<const Row*>& rows);
};

/// A random program for code of `out.size`. It ends by itself: loops count down registers that nothing else writes.
/// False: did not work out this time.
bool generate_program(const RowChoice& rows, Rng& rng, TestCase& out);

/// `from` without `count` of its instructions from the `first` on. Branches to what is gone go to what comes next.
/// False: a short branch no longer reaches, or nothing is left.
bool without_instructions(const TestCase& from, size_t first, size_t count, TestCase& out);

/// Decode `test.code` again, from its first byte to its last. False: it does not decode.
bool decode_all(TestCase& test);

}  // namespace rz::diff
