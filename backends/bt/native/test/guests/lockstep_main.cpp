// engine_step_test: the guest programs in lockstep (debug/lockstep.h), the translator as it ships against itself with
// one instruction a block, or without optimisations: the registers are compared at the end of every block. Usage:
// engine_step_test [--no-opt] [--verbose] [NAME...]
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "debug/lockstep.h"
#include "engine_guest.h"

namespace {

using namespace rz;

constexpr u64 kMostInstructions = 200'000;

const char* text_of(StepEnd end) {
  switch (end) {
    case StepEnd::kLimit: return "still running at the limit";
    case StepEnd::kStopped: return "ended";
    case StepEnd::kShutdown: return "triple fault";
    case StepEnd::kAsleep: return "asleep for good";
    case StepEnd::kDifferent: return "DIFFERENT";
    case StepEnd::kBroken: return "broken";
  }
  return "?";
}

/// A lockstep that cannot fail proves nothing: one bit of one register of the second machine must be noticed.
bool notices_a_difference(const EngineOptions& options, const guests::Program& program) {
  VirtualTime time;
  Guest first(options, "host", 1, VirtualTime::kHz, time.clock()),
      second(options, "host", 1, VirtualTime::kHz, time.clock());
  Lockstep lockstep(first.machine(), second.machine(), time);
  first.load(program);
  second.load(program);
  if (lockstep.run(100) != StepEnd::kLimit) return false;
  second.vcpu().regs[11] ^= 1ull << 40;
  return lockstep.run(100) == StepEnd::kDifferent && lockstep.report().find("r11") != std::string::npos;
}

}  // namespace

int main(int argc, char** argv) {
  EngineOptions options;
  options.code_cache_bytes = 8 << 20;
  EngineOptions other = options;
  bool verbose = false;
  std::vector<std::string> names;
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--no-opt")
      other.no_opt = true;
    else if (a == "--verbose")
      verbose = true;
    else if (a.rfind("--", 0) == 0) {
      std::fprintf(stderr, "usage: engine_step_test [--no-opt] [--verbose] [NAME...]\n");
      return 2;
    } else
      names.push_back(a);
  }
  char scratch[] = "/tmp/ringzero-step-XXXXXX";
  if (!mkdtemp(scratch)) {
    std::perror("mkdtemp");
    return 2;
  }
  unsigned passed = 0, failed = 0;
  for (const std::string& path : guests::list_programs(GUEST_PROGRAMS_DIR)) {
    const std::string file = path.substr(path.rfind('/') + 1);
    bool wanted = names.empty();
    for (const std::string& name : names) wanted |= file == name + ".s";
    guests::Program program;
    std::string why;
    if (!wanted) continue;
    if (!guests::load_program(path, scratch, program, why)) {
      std::printf("FAILED %s: %s\n", file.c_str(), why.c_str());
      failed++;
      continue;
    }
    if (program.cpus > 1) continue;  // several vCPUs are not deterministic
    if (program.name == "user64_loops" && !notices_a_difference(options, program)) {
      std::printf("FAILED a difference was not noticed\n");
      failed++;
    }
    VirtualTime time;
    Guest first(options, "host", 1, VirtualTime::kHz, time.clock()),
        second(other, "host", 1, VirtualTime::kHz, time.clock());
    if (!first.good || !second.good) {
      std::printf("FAILED %s: cannot make the machines\n", file.c_str());
      failed++;
      continue;
    }
    Lockstep lockstep(first.machine(), second.machine(), time);
    first.load(program);
    second.load(program);
    const StepEnd end = lockstep.run(kMostInstructions);
    bool good = end != StepEnd::kDifferent && end != StepEnd::kBroken && first.end() == second.end();
    if (good && !lockstep.stale_flags_seen() && std::memcmp(first.ram, second.ram, guests::kRamBytes) != 0) {
      u64 at = 0;
      while (first.ram[at] == second.ram[at]) at++;
      std::printf("%s: RAM differs at %llx: %02x %02x\n", file.c_str(), static_cast<unsigned long long>(at),
                  first.ram[at], second.ram[at]);
      good = false;
    }
    if (verbose || !good)
      std::printf("%s%s: %s, %llu instructions, %llu blocks\n", good ? "" : "FAILED ", file.c_str(), text_of(end),
                  static_cast<unsigned long long>(lockstep.retired()),
                  static_cast<unsigned long long>(lockstep.blocks()));
    if (end == StepEnd::kDifferent) std::printf("%s", lockstep.report().c_str());
    std::fflush(stdout);
    good ? passed++ : failed++;
  }
  const std::string remove = std::string("rm -rf '") + scratch + "'";
  if (system(remove.c_str()) != 0) std::fprintf(stderr, "cannot remove %s\n", scratch);
  std::printf("%u passed, %u failed\n", passed, failed);
  return failed ? 1 : 0;
}
