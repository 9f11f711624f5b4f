// The engine's tuning as it arrives in the control area: "name=value" lines, values already checked for type by the
// TypeScript side.
#pragma once

#include <string>

#include "run/machine.h"

namespace rz {

struct HostOptions {
  EngineOptions engine;
  std::string fake_run;        // script of fake_run.h instead of a guest; tests of the transport only
  std::string trace_file;      // for EngineOptions::trace; empty: standard error
  bool test_commands = false;  // accept Command::kTestCrash
};

/// Open the trace's file. False with a sentence in `error`.
bool start_trace(HostOptions& options, std::string& error);

/// False with the offending line in `error` when a name is unknown or a value is not a number where one is needed.
bool parse_options(const char* text, HostOptions& options, std::string& error);

}  // namespace rz
