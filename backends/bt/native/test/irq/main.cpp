// Runs every registered case; an argument selects the cases whose name contains it.
#include <cstring>

#include "irq_test.h"

namespace rz::test {
namespace {
unsigned failures_in_case = 0;
}

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void fail(const char* file, int line, const char* what, unsigned long long got, unsigned long long want) {
  ++failures_in_case;
  std::printf("  %s:%d: %s is %llu (0x%llx), not %llu (0x%llx)\n", file, line, what, got, got, want, want);
}

}  // namespace rz::test

int main(int argc, char** argv) {
  using namespace rz::test;
  unsigned passed = 0, failed = 0;
  for (const Case& c : cases()) {
    if (argc > 1 && std::strstr(c.name, argv[1]) == nullptr) continue;
    failures_in_case = 0;
    c.run();
    if (failures_in_case == 0) {
      ++passed;
    } else {
      ++failed;
      std::printf("FAILED: %s\n", c.name);
    }
  }
  std::printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 && passed != 0 ? 0 : 1;
}
