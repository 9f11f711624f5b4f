// engine_step_test: the guest programs in lockstep (debug/lockstep.h), the translator as it ships against itself with
// one instruction a block, or without optimisations: the registers are compared at the end of every block. Then against
// the host's KVM, where there is one (twin/kvm_lockstep.h), after every instruction. Usage:
// engine_step_test [--no-opt | --against-kvm] [--most N] [--verbose] [NAME...]
// --most: so many instructions of a program against KVM. Without any argument: both comparisons, that with KVM up to so
// many instructions of a program that it takes seconds.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "debug/lockstep.h"
#include "engine_guest.h"
#include "twin/kvm_lockstep.h"

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
    case StepEnd::kLacking: return "beyond this KVM";
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

constexpr u64 kMostAgainstKvm = 6'000;
constexpr u64 kLeastAgainstKvm = 20'000;  // compared, all programs together: less would prove little

struct Count {
  unsigned passed = 0, failed = 0, skipped = 0;
};

/// The program twice in the translator. False after saying what was wrong.
bool against_itself(const EngineOptions& options, const EngineOptions& other, const guests::Program& program,
                    bool verbose) {
  const char* const name = program.name.c_str();
  if (program.name == "user64_loops" && !notices_a_difference(options, program)) {
    std::printf("FAILED a difference was not noticed\n");
    return false;
  }
  VirtualTime time;
  Guest first(options, "host", 1, VirtualTime::kHz, time.clock()),
      second(other, "host", 1, VirtualTime::kHz, time.clock());
  if (!first.good || !second.good) {
    std::printf("FAILED %s: cannot make the machines\n", name);
    return false;
  }
  Lockstep lockstep(first.machine(), second.machine(), time);
  first.load(program);
  second.load(program);
  const StepEnd end = lockstep.run(kMostInstructions);
  bool good = end != StepEnd::kDifferent && end != StepEnd::kBroken && first.end() == second.end();
  if (good && !lockstep.stale_flags_seen() && std::memcmp(first.ram, second.ram, guests::kRamBytes) != 0) {
    u64 at = 0;
    while (first.ram[at] == second.ram[at]) at++;
    std::printf("%s: RAM differs at %llx: %02x %02x\n", name, static_cast<unsigned long long>(at), first.ram[at],
                second.ram[at]);
    good = false;
  }
  if (verbose || !good)
    std::printf("%s%s: %s, %llu instructions, %llu blocks\n", good ? "" : "FAILED ", name, text_of(end),
                static_cast<unsigned long long>(lockstep.retired()),
                static_cast<unsigned long long>(lockstep.blocks()));
  if (end == StepEnd::kDifferent) std::printf("%s", lockstep.report().c_str());
  return good;
}

/// One bit of one register of the translator must be noticed by the comparison with KVM.
bool kvm_notices_a_difference(const EngineOptions& options, const guests::Program& program) {
  VirtualTime time;
  Guest guest(options, "host", 1, VirtualTime::kHz, time.clock());
  KvmLockstep lockstep(guest.machine(), time);
  guest.load(program);
  std::string error;
  if (!lockstep.begin(error) || lockstep.run(100) != StepEnd::kLimit) return false;
  guest.vcpu().regs[11] ^= 1ull << 40;
  return lockstep.run(100) == StepEnd::kDifferent && lockstep.report().find("r11") != std::string::npos;
}

/// The program in the translator and on KVM. False after saying what was wrong; `missing` when there is no KVM.
/// @param compared  instructions that were, added up
bool against_kvm(const EngineOptions& options, const guests::Program& program, u64 most, bool verbose,
                 std::string& missing, u64& compared) {
  const char* const name = program.name.c_str();
  VirtualTime time;
  Guest guest(options, "host", 1, VirtualTime::kHz, time.clock());
  if (!guest.good) {
    std::printf("FAILED %s: cannot make the machine\n", name);
    return false;
  }
  KvmLockstep lockstep(guest.machine(), time);
  guest.load(program);
  std::string error;
  if (!lockstep.begin(error)) {
    if (error.rfind("/dev/kvm", 0) == 0) {
      missing = error;
      return true;
    }
    std::printf("FAILED %s: %s\n", name, error.c_str());
    return false;
  }
  if (program.name == "user64_loops" && !kvm_notices_a_difference(options, program)) {
    std::printf("FAILED a difference from KVM was not noticed\n");
    return false;
  }
  const StepEnd end = lockstep.run(most);
  bool good = end != StepEnd::kDifferent && end != StepEnd::kBroken && lockstep.compared() > 0;
  compared += lockstep.compared();
  const u64 at = good ? lockstep.first_ram_difference() : ~0ull;
  if (at != ~0ull) {
    std::printf("%s: RAM differs from KVM's at %llx\n", name, static_cast<unsigned long long>(at));
    good = false;
  }
  if (verbose || !good)
    std::printf("%s%s: %s, %llu instructions, %llu compared with KVM; the others:\n%s", good ? "" : "FAILED ", name,
                text_of(end), static_cast<unsigned long long>(lockstep.retired()),
                static_cast<unsigned long long>(lockstep.compared()), lockstep.not_compared().c_str());
  if (end == StepEnd::kDifferent || end == StepEnd::kBroken) std::printf("%s", lockstep.report().c_str());
  if (end == StepEnd::kLacking) std::printf("%s: only the beginning: %s\n", name, lockstep.lacking().c_str());
  return good;
}

}  // namespace

int main(int argc, char** argv) {
  EngineOptions options;
  options.code_cache_bytes = 8 << 20;
  EngineOptions other = options;
  bool verbose = false, itself = true, kvm = argc == 1;
  u64 most_on_kvm = kMostAgainstKvm, most_wanted = 0;
  std::vector<std::string> names;
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--no-opt") {
      other.no_opt = true;
    } else if (a == "--against-kvm") {
      kvm = true;
      itself = false;
      most_on_kvm = kMostInstructions;
    } else if (a == "--most" && i + 1 < argc && std::strtoull(argv[i + 1], nullptr, 10) > 0) {
      most_wanted = std::strtoull(argv[++i], nullptr, 10);
    } else if (a == "--verbose") {
      verbose = true;
    } else if (a.rfind("--", 0) == 0) {
      std::fprintf(stderr, "usage: engine_step_test [--no-opt | --against-kvm] [--most N] [--verbose] [NAME...]\n");
      return 2;
    } else {
      names.push_back(a);
    }
  }
  if (most_wanted != 0) most_on_kvm = most_wanted;
  char scratch[] = "/tmp/ringzero-step-XXXXXX";
  if (!mkdtemp(scratch)) {
    std::perror("mkdtemp");
    return 2;
  }
  Count count;
  std::string missing;
  u64 compared = 0;
  for (const std::string& path : guests::list_programs(GUEST_PROGRAMS_DIR)) {
    const std::string file = path.substr(path.rfind('/') + 1);
    bool wanted = names.empty();
    for (const std::string& name : names) wanted |= file == name + ".s";
    guests::Program program;
    std::string why;
    if (!wanted) continue;
    if (!guests::load_program(path, scratch, program, why)) {
      std::printf("FAILED %s: %s\n", file.c_str(), why.c_str());
      count.failed++;
      continue;
    }
    if (program.cpus > 1) continue;  // several vCPUs are not deterministic
    if (itself) against_itself(options, other, program, verbose) ? count.passed++ : count.failed++;
    if (kvm && missing.empty()) {
      if (names.empty() && (!program.kvm_differs.empty() || !program.cpu.empty() || program.steps)) {
        count.skipped++;
      } else {
        const bool good = against_kvm(options, program, most_on_kvm, verbose, missing, compared);
        if (missing.empty()) good ? count.passed++ : count.failed++;
      }
    }
    std::fflush(stdout);
  }
  const std::string remove = std::string("rm -rf '") + scratch + "'";
  if (system(remove.c_str()) != 0) std::fprintf(stderr, "cannot remove %s\n", scratch);
  if (kvm && names.empty() && missing.empty()) {
    std::printf("%llu instructions compared with KVM\n", static_cast<unsigned long long>(compared));
    if (compared < kLeastAgainstKvm) {
      std::printf("FAILED so few prove little\n");
      count.failed++;
    }
  }
  if (!missing.empty()) std::printf("skipped: the comparison with KVM: %s\n", missing.c_str());
  if (count.skipped > 0)
    std::printf(
        "skipped %u programs against KVM: their files say that some hosts' KVM differs, or that they step themselves\n",
        count.skipped);
  std::printf("%u passed, %u failed\n", count.passed, count.failed);
  return count.failed ? 1 : 0;
}
