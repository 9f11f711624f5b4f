// engine_cpu_test: page walks, soft TLB, segments, event delivery, strings, CPUID, clocks. Prints `N passed, N failed`.
#include "guest.h"

int main() {
  using namespace rz::test;
  struct {
    const char* name;
    void (*run)();
  } const kSections[] = {
      {"walk", walk_tests},
      {"tlb", tlb_tests},
      {"access", access_tests},
      {"segments", segment_tests},
      {"exceptions", exception_tests},
      {"tasks", task_tests},
      {"strings", string_tests},
      {"cpuid", cpuid_tests},
      {"cpuid, all leaves", cpuid_walk_tests},
      {"clock", clock_tests},
      {"fpu state", fpu_state_tests},
  };
  for (const auto& section : kSections) {
    g_section = section.name;
    section.run();
  }
  std::printf("%u passed, %u failed\n", g_tally.passed, g_tally.failed);
  return g_tally.failed ? 1 : 0;
}
