// engine_decode_test [--seed N] [--megabytes N] [--verbose]: exits non-zero when any check failed.
#include "check.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace rz::test {

Tally g_tally;

void check(bool ok, const char* what, ...) {
  if (ok) {
    g_tally.passed++;
    return;
  }
  if (++g_tally.failed > 60) return;
  va_list args;
  va_start(args, what);
  std::printf("FAILED ");
  std::vprintf(what, args);
  std::printf("\n");
  va_end(args);
}

}  // namespace rz::test

int main(int argc, char** argv) {
  unsigned seed = 1, megabytes = 1;
  bool verbose = false;
  for (int i = 1; i < argc; i++) {
    if (!std::strcmp(argv[i], "--seed") && i + 1 < argc)
      seed = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--megabytes") && i + 1 < argc)
      megabytes = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (!std::strcmp(argv[i], "--verbose"))
      verbose = true;
    else {
      std::fprintf(stderr, "usage: engine_decode_test [--seed N] [--megabytes N] [--verbose]\n");
      return 2;
    }
  }
  rz::test::run_cases();
  rz::test::run_against_objdump(megabytes, seed, verbose);
  std::printf("%u passed, %u failed\n", rz::test::g_tally.passed, rz::test::g_tally.failed);
  return rz::test::g_tally.failed ? 1 : 0;
}
