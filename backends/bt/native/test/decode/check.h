// Counting checks for the decoder tests: every failure is printed, the totals come at the end.
#pragma once

namespace rz::test {

struct Tally {
  unsigned passed = 0, failed = 0;
};
extern Tally g_tally;

/// Count one check; print `what` (printf-like) when it failed. Prints at most 60 failures.
[[gnu::format(printf, 2, 3)]] void check(bool ok, const char* what, ...);

void run_cases();
/// @param megabytes  how much of each real binary to compare
void run_against_objdump(unsigned megabytes, unsigned seed, bool verbose);

}  // namespace rz::test
