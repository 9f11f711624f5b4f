// Runs every registered case; an argument selects those whose name contains it.
#include <string.h>

#include "transport_test.h"

namespace rz::test {

namespace {
unsigned failures_in_case = 0;
}

std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

void fail(const char* file, int line, const char* what) {
  ++failures_in_case;
  printf("  %s:%d: not so: %s\n", file, line, what);
}

Pair::Pair() {
  host::LinkConfig config;
  config.name = "pair";
  config.cpu_profile = "x86-64-v2";
  config.options = "noOpt=1\n";
  config.vcpus = 3;
  config.ranges = {{0, 1 << 20, 0, 0, 0}, {0xffff0000, 0x10000, 0, 1, 0}};
  config.uarts = {{0x3f8, 4}, {0x2f8, 3}};
  const char* why = nullptr;
  if (!host::EngineLink::create(config, link).ok() ||
      !peer.open(link->ram()->fd(), link->control_region().fd(), &why)) {
    printf("cannot make the pair: %s\n", why != nullptr ? why : "no memory");
    _exit(2);
  }
}

}  // namespace rz::test

int main(int argc, char** argv) {
  using namespace rz::test;
  unsigned passed = 0, failed = 0;
  for (const Case& c : cases()) {
    if (argc > 1 && strstr(c.name, argv[1]) == nullptr) continue;
    failures_in_case = 0;
    c.run();
    ++(failures_in_case == 0 ? passed : failed);
    printf("%s %s\n", failures_in_case == 0 ? "ok  " : "FAIL", c.name);
  }
  printf("%u passed, %u failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
