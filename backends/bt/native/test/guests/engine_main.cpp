// Runs the guest test programs (test/guests at the top of the repository) on the bare engine, in this process.
// Every option is one of the engine's own switches, none of which may change a guest's result: the same files under
// --no-opt, --one and the stress switches are the engine's consistency test.
//
// Usage: engine_guest_test [DIRECTORY] [--no-opt] [--one] [--stress-tlb N] [--stress-code N] [--stress-irq]
//                          [--seed N] [--verify] [--cache KIB] [--cpu PROFILE] [--verbose] [NAME...]
// Without any argument: all programs in every stress mode.
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine_guest.h"

namespace {

using namespace rz;

constexpr int kTimeLimitSeconds = 60;

/// Asks the vCPUs to stop when they have run too long.
class Watchdog {
 public:
  explicit Watchdog(Machine& machine)
      : thread_([this, &machine] {
          std::unique_lock lock(mutex_);
          if (!wake_.wait_for(lock, std::chrono::seconds(kTimeLimitSeconds), [this] { return through_; })) {
            fired = true;
            GuestBus::stop_all(machine);
          }
        }) {}
  ~Watchdog() {
    {
      std::lock_guard lock(mutex_);
      through_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
  std::atomic<bool> fired{false};

 private:
  std::mutex mutex_;  // guards through_
  std::condition_variable wake_;
  bool through_ = false;
  std::thread thread_;
};

/// Run the program on all vCPUs of the guest, each on a thread.
FinalState go(Guest& guest, const guests::Program& program) {
  guest.load(program);
  Machine& machine = guest.machine();
  std::atomic<unsigned> teller{0};  // the vCPU whose registers are of interest
  std::atomic<RunExit> why{RunExit::kStopped};
  Watchdog watchdog(machine);
  auto serve = [&](Vcpu& vcpu) {
    guest.irq().bind_thread(vcpu);
    const RunExit exit = run(vcpu);
    guest.irq().unbind_thread(vcpu);
    if (exit == RunExit::kStopped) return;
    why = exit;
    teller = vcpu.index;
    GuestBus::stop_all(machine);
  };
  std::vector<std::thread> others;
  for (Vcpu* vcpu : machine.vcpus)
    if (vcpu->index != 0) others.emplace_back(serve, std::ref(*vcpu));
  serve(guest.vcpu());
  for (std::thread& other : others) other.join();
  if (why == RunExit::kShutdown) return guest.final_state(FinalState::Why::kShutdown, teller);
  if (why == RunExit::kInternalError) return guest.final_state(FinalState::Why::kEngineError, teller);
  if (guest.end() != guests::End::kNone) teller = guest.ended();
  return guest.final_state(watchdog.fired ? FinalState::Why::kTimeout : FinalState::Why::kEnd, teller);
}

struct Arguments {
  std::string directory, cpu = "host";
  EngineOptions options;
  bool verbose = false;
  std::vector<std::string> names;
};

struct Count {
  unsigned passed = 0, failed = 0, skipped = 0;
};

bool parse(int argc, char** argv, Arguments& a) {
  a.options.code_cache_bytes = 8 << 20;
  for (int i = 1; i < argc; i++) {
    const std::string arg = argv[i];
    auto number = [&] { return i + 1 < argc ? strtoul(argv[++i], nullptr, 0) : 0; };
    if (arg == "--no-opt")
      a.options.no_opt = true;
    else if (arg == "--one")
      a.options.max_block_insts = 1;
    else if (arg == "--stress-tlb")
      a.options.stress_flush_tlb = static_cast<u32>(number());
    else if (arg == "--stress-code")
      a.options.stress_flush_code = static_cast<u32>(number());
    else if (arg == "--stress-irq")
      a.options.stress_interrupts = true;
    else if (arg == "--seed")
      a.options.stress_seed = number();
    else if (arg == "--verify")
      a.options.verify = true;
    else if (arg == "--cache")
      a.options.code_cache_bytes = number() << 10;
    else if (arg == "--cpu" && i + 1 < argc)
      a.cpu = argv[++i];
    else if (arg == "--verbose")
      a.verbose = true;
    else if (arg.rfind("--", 0) == 0)
      return false;
    else if (a.directory.empty())
      a.directory = arg;
    else
      a.names.push_back(arg);
  }
  if (a.directory.empty()) a.directory = GUEST_PROGRAMS_DIR;
  return true;
}

void run_all(const Arguments& arguments, const std::vector<guests::Program>& programs, Count& count) {
  for (const guests::Program& program : programs) {
    std::string report;
    if (arguments.verbose) {
      printf("run    %s\n", program.name.c_str());
      fflush(stdout);
    }
    const std::string& cpu = program.cpu.empty() ? arguments.cpu : program.cpu;
    auto guest = std::make_unique<Guest>(arguments.options, cpu.c_str(), program.cpus);
    if (!guest->good) {
      printf("FAILED %s: cannot make a machine\n", program.name.c_str());
      count.failed++;
      continue;
    }
    const FinalState final = go(*guest, program);
    switch (guests::judge(program, final, guest->ram, report)) {
      case guests::Verdict::kPassed: count.passed++; break;
      case guests::Verdict::kSkipped:
        count.skipped++;
        printf("skipped %s: the CPU profile lacks what it tests\n", program.name.c_str());
        break;
      case guests::Verdict::kFailed: count.failed++; printf("FAILED %s\n%s", program.name.c_str(), report.c_str());
    }
    fflush(stdout);
  }
}

/// What a run without arguments goes through.
struct StressMode {
  const char* name;
  void (*set)(EngineOptions&);
};
constexpr StressMode kStressModes[] = {
    {"as it ships, every block verified", [](EngineOptions& o) { o.verify = true; }},
    {"no optimisation", [](EngineOptions& o) { o.no_opt = true; }},
    {"one instruction a block", [](EngineOptions& o) { o.max_block_insts = 1; }},
    {"TLB flushed at random", [](EngineOptions& o) { o.stress_flush_tlb = 3; }},
    {"code flushed at random", [](EngineOptions& o) { o.stress_flush_code = 7; }},
    {"leaving at every poll", [](EngineOptions& o) { o.stress_interrupts = true; }},
};

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) {
    fprintf(stderr,
            "usage: %s [DIRECTORY] [--no-opt] [--one] [--stress-tlb N] [--stress-code N] [--stress-irq] [--verify] "
            "[--cache KIB] "
            "[--cpu PROFILE] [--verbose] [NAME...]\n",
            argv[0]);
    return 2;
  }
  char scratch[] = "/tmp/ringzero-guests-XXXXXX";
  if (!mkdtemp(scratch)) {
    perror("mkdtemp");
    return 2;
  }
  Count count;
  std::vector<guests::Program> programs;
  for (const std::string& path : guests::list_programs(arguments.directory)) {
    guests::Program program;
    std::string why;
    const std::string file = path.substr(path.rfind('/') + 1);
    bool wanted = arguments.names.empty();
    for (const std::string& name : arguments.names) wanted |= file == name + ".s";
    if (!wanted) continue;
    if (guests::load_program(path, scratch, program, why))
      programs.push_back(std::move(program));
    else {
      printf("FAILED %s: %s\n", file.c_str(), why.c_str());
      count.failed++;
    }
  }
  if (argc == 1) {
    for (const StressMode& mode : kStressModes) {
      printf("-- %s\n", mode.name);
      Arguments stressed = arguments;
      mode.set(stressed.options);
      run_all(stressed, programs, count);
    }
  } else {
    run_all(arguments, programs, count);
  }
  const std::string remove = std::string("rm -rf '") + scratch + "'";
  if (system(remove.c_str()) != 0) fprintf(stderr, "cannot remove %s\n", scratch);
  if (count.skipped) printf("%u skipped\n", count.skipped);
  printf("%u passed, %u failed\n", count.passed, count.failed);
  return count.failed ? 1 : 0;
}
