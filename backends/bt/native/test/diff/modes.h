// The engine's switches under which cases run. None may change a result.
#pragma once

#include <memory>

#include "test_case.h"

namespace rz::diff {

struct Mode {
  const char* name;  // as on the command line
  void (*set)(EngineOptions&);
  unsigned ring = 3;
};

inline constexpr Mode kModes[] = {
    {"default", [](EngineOptions&) {}},
    {"no-opt", [](EngineOptions& o) { o.no_opt = true; }},
    {"one", [](EngineOptions& o) { o.max_block_insts = 1; }},
    {"stress-tlb", [](EngineOptions& o) { o.stress_flush_tlb = 3; }},
    {"stress-code", [](EngineOptions& o) { o.stress_flush_code = 5; }},
    {"stress-irq", [](EngineOptions& o) { o.stress_interrupts = true; }},
    {"ring0", [](EngineOptions&) {}, 0},
};
inline constexpr unsigned kModeCount = sizeof kModes / sizeof kModes[0];

/// A machine for each mode.
class ModeRunners {
 public:
  ModeRunners() {
    for (unsigned i = 0; i < kModeCount; i++) {
      EngineOptions options;
      kModes[i].set(options);
      runner_[i].reset(make_engine_runner(options, kModes[i].ring));
    }
  }
  /// As Runner::run; a run that was stopped for its time gets a second chance, because hosts can be busy.
  bool run(unsigned mode, const TestCase& test, TestState& out) {
    return runner_[mode]->run(test, out) || runner_[mode]->run(test, out);
  }

 private:
  std::unique_ptr<Runner> runner_[kModeCount];
};

}  // namespace rz::diff
