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
#include "twin/kvm_lockstep.h"

namespace rz {
namespace {

constexpr int kSame = 0, kDiffers = 1, kWrong = 2, kFailed = 3, kNoKvm = 4;
constexpr u64 kPieceInstructions = 1'000'000;  // between two looks at the output

constexpr const char* kUsage =
    "usage: ringzero-engine --step SCRIPT [--against no-opt|one-instruction|kvm] [--every N] [--instructions N]\n"
    "         [--cpu NAME] [--output] [--input TEXT] [--break-at N]\n";

struct Arguments {
  std::string script, input, cpu;
  std::string against = "no-opt";
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
      a.against = value;
      if (a.against != "no-opt" && a.against != "one-instruction" && a.against != "kvm")
        return "--against is not no-opt, one-instruction or kvm";
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
    case StepEnd::kLacking: return "KVM cannot go on";
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
          a.against.c_str());
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

/// How many instructions to go now: up to the next look at the output, and to where a difference is to be made.
u64 next_piece(const Arguments& a, u64 retired) {
  const u64 left = (a.break_at > retired ? std::min(a.instructions, a.break_at) : a.instructions) - retired;
  return std::min(left, kPieceInstructions);
}

/// Make the difference that was asked for, when it is time.
void break_when_due(Arguments& a, u64 retired, Vcpu& vcpu) {
  if (retired < a.break_at) return;
  vcpu.regs[0] ^= 1;
  a.break_at = ~0ull;
}

int run_against_itself(Arguments& a, BareMachine& first, BareMachine& second, VirtualTime& time) {
  Lockstep lockstep(first.machine(), second.machine(), time);
  StepEnd end = StepEnd::kLimit;
  while (end == StepEnd::kLimit && lockstep.retired() < a.instructions) {
    break_when_due(a, lockstep.retired(), second.vcpu());
    end = lockstep.run(next_piece(a, lockstep.retired()));
    if (same_output(first, second, a.output) || end == StepEnd::kDifferent) continue;
    fprintf(stderr, "the guests wrote different things to the console or the log\n");
    return kDiffers;
  }
  return report(a, lockstep, end, first, second);
}

int run_against_kvm(Arguments& a, BareMachine& machine, VirtualTime& time) {
  KvmLockstep lockstep(machine.machine(), time);
  std::string error;
  if (!lockstep.begin(error)) {
    fprintf(stderr, "ringzero-engine --step: cannot compare with KVM: %s\n", error.c_str());
    return kNoKvm;
  }
  StepEnd end = StepEnd::kLimit;
  while (end == StepEnd::kLimit && lockstep.retired() < a.instructions) {
    break_when_due(a, lockstep.retired(), machine.vcpu());
    end = lockstep.run(next_piece(a, lockstep.retired()));
    same_output(machine, machine, a.output);
  }
  fprintf(stderr, "%s: %llu instructions, of which %llu were compared with KVM; the others:\n%s", text_of(end, machine),
          static_cast<unsigned long long>(lockstep.retired()), static_cast<unsigned long long>(lockstep.compared()),
          lockstep.not_compared().c_str());
  if (end == StepEnd::kLacking) {
    fprintf(stderr, "%s; give the guest a --cpu without it\n", lockstep.lacking().c_str());
    return kNoKvm;
  }
  if (end == StepEnd::kDifferent || end == StepEnd::kBroken) {
    fprintf(stderr, "%s", lockstep.report().c_str());
    return end == StepEnd::kDifferent ? kDiffers : kFailed;
  }
  const u64 at = lockstep.first_ram_difference();
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
  const bool kvm = a.against == "kvm";
  BootScript script;
  std::string error;
  VirtualTime time;
  EngineOptions options, other;
  options.max_block_insts = a.every;
  other.no_opt = a.against == "no-opt";
  const auto first = std::make_unique<BareMachine>(), second = std::make_unique<BareMachine>();
  bool good = read_boot_script(a.script, script, error);
  if (!a.cpu.empty()) script.cpu = a.cpu;
  good = good && first->build(script, options, VirtualTime::kHz, time.clock(), error) &&
         (kvm || second->build(script, other, VirtualTime::kHz, time.clock(), error));
  if (!good) {
    fprintf(stderr, "ringzero-engine --step: %s\n", error.c_str());
    return kWrong;
  }
  if (!a.input.empty()) {
    first->bus().uart.feed(a.input + "\n");
    if (!kvm) second->bus().uart.feed(a.input + "\n");
  }
  return kvm ? run_against_kvm(a, *first, time) : run_against_itself(a, *first, *second, time);
}

}  // namespace rz
