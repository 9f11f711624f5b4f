// The command line of lockstep. What a machine has there is bare/bare_bus.h's; its time is the number of instructions
// retired, so that two runs are the same.
#include "step.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "bare/bare_machine.h"
#include "debug/lockstep.h"

namespace rz {
namespace {

constexpr int kSame = 0, kDiffers = 1, kWrong = 2, kFailed = 3;
constexpr u64 kPieceInstructions = 1'000'000;  // between two looks at the output

constexpr const char* kUsage =
    "usage: ringzero-engine --step SCRIPT [--against no-opt|one-instruction] [--every N] [--instructions N] [--cpu "
    "NAME]\n"
    "         [--output] [--input TEXT] [--break-at N]\n";

struct Arguments {
  std::string script, input, cpu;
  bool no_opt = false;
  bool output = false;            // show what the guest writes
  u32 every = 64;                 // most instructions between two comparisons
  u64 instructions = 10'000'000;  // to go
  u64 break_at = ~0ull;           // make the second differ after so many, to see that it is noticed
};

bool parse_number(const char* text, u64 least, u64 most, u64& value) {
  char* end = nullptr;
  value = strtoull(text, &end, 0);
  return *text != 0 && *text != '-' && *end == 0 && value >= least && value <= most;
}

/// Null, or what is wrong.
const char* parse(int argc, char** argv, Arguments& a) {
  u64 number = 0;
  for (int i = 0; i < argc; i++) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : nullptr;
    if (name == "--output") {
      a.output = true;
      continue;
    }
    if (name[0] != '-') {
      if (!a.script.empty()) return "more than one script";
      a.script = name;
      continue;
    }
    if (!value) return "an option without its value, or an unknown one";
    i++;
    if (name == "--against") {
      if (strcmp(value, "no-opt") != 0 && strcmp(value, "one-instruction") != 0)
        return "--against is neither no-opt nor one-instruction";
      a.no_opt = strcmp(value, "no-opt") == 0;
    } else if (name == "--every") {
      if (!parse_number(value, 1, 64, number)) return "--every is not 1..64";
      a.every = static_cast<u32>(number);
    } else if (name == "--instructions") {
      if (!parse_number(value, 1, ~0ull >> 1, a.instructions)) return "--instructions is not a number above 0";
    } else if (name == "--break-at") {
      if (!parse_number(value, 0, ~0ull >> 1, a.break_at)) return "--break-at is not a number";
    } else if (name == "--cpu") {
      a.cpu = value;
    } else if (name == "--input") {
      a.input = value;
    } else {
      return "an unknown option";
    }
  }
  return a.script.empty() ? "no script" : nullptr;
}

const char* text_of(StepEnd end, BareMachine& machine) {
  switch (end) {
    case StepEnd::kLimit: return "as many instructions as asked for";
    case StepEnd::kStopped: return machine.bus().ended ? machine.bus().ended : "stopped";
    case StepEnd::kShutdown: return "triple fault";
    case StepEnd::kAsleep: return "halted, and nothing will wake it";
    case StepEnd::kDifferent: return "DIFFERENT";
    case StepEnd::kBroken: return "a run loop failed";
  }
  return "?";
}

/// Both guests wrote the same; what they wrote is shown and forgotten.
bool same_output(BareMachine& first, BareMachine& second, bool show) {
  bool same = true;
  for (auto [a, b] : {std::pair{&first.bus().uart.output, &second.bus().uart.output},
                      std::pair{&first.bus().log, &second.bus().log}}) {
    same = same && *a == *b;
    if (show) fwrite(a->data(), 1, a->size(), stdout);
    a->clear();
    b->clear();
  }
  if (show) fflush(stdout);
  return same;
}

int report(const Arguments& a, const Lockstep& lockstep, StepEnd end, BareMachine& first, const BareMachine& second) {
  fprintf(stderr, "%s: %llu instructions in %llu blocks compared, against %s\n", text_of(end, first),
          static_cast<unsigned long long>(lockstep.retired()), static_cast<unsigned long long>(lockstep.blocks()),
          a.no_opt ? "no-opt" : "one-instruction");
  if (end == StepEnd::kDifferent) {
    fprintf(stderr, "%s", lockstep.report().c_str());
    return kDiffers;
  }
  if (end == StepEnd::kBroken) return kFailed;
  if (lockstep.stale_flags_seen()) {
    fprintf(stderr, "RAM was not compared: flags that nothing reads are in frames of interrupted blocks\n");
    return kSame;
  }
  const u64 at = first.first_ram_difference(second);
  if (at == ~0ull) return kSame;
  fprintf(stderr, "RAM differs, first at physical %llx\n", static_cast<unsigned long long>(at));
  return kDiffers;
}

}  // namespace

int step_main(int argc, char** argv) {
  Arguments a;
  if (const char* wrong = parse(argc, argv, a)) {
    fprintf(stderr, "ringzero-engine --step: %s\n%s", wrong, kUsage);
    return kWrong;
  }
  BootScript script;
  std::string error;
  VirtualTime time;
  EngineOptions options, other;
  options.max_block_insts = a.every;
  other.no_opt = a.no_opt;
  const auto first = std::make_unique<BareMachine>(), second = std::make_unique<BareMachine>();
  bool good = read_boot_script(a.script, script, error);
  if (!a.cpu.empty()) script.cpu = a.cpu;
  good = good && first->build(script, options, VirtualTime::kHz, time.clock(), error) &&
         second->build(script, other, VirtualTime::kHz, time.clock(), error);
  if (!good) {
    fprintf(stderr, "ringzero-engine --step: %s\n", error.c_str());
    return kWrong;
  }
  if (!a.input.empty()) {
    first->bus().uart.feed(a.input + "\n");
    second->bus().uart.feed(a.input + "\n");
  }
  Lockstep lockstep(first->machine(), second->machine(), time);
  StepEnd end = StepEnd::kLimit;
  while (end == StepEnd::kLimit && lockstep.retired() < a.instructions) {
    if (lockstep.retired() >= a.break_at) {
      second->vcpu().regs[0] ^= 1;
      a.break_at = ~0ull;
    }
    const u64 left =
        std::min(a.instructions, a.break_at > lockstep.retired() ? a.break_at : a.instructions) - lockstep.retired();
    end = lockstep.run(left < kPieceInstructions ? left : kPieceInstructions);
    if (same_output(*first, *second, a.output) || end == StepEnd::kDifferent) continue;
    fprintf(stderr, "the guests wrote different things to the console or the log\n");
    return kDiffers;
  }
  return report(a, lockstep, end, *first, *second);
}

}  // namespace rz
