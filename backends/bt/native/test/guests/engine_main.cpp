// Runs the guest test programs (test/guests at the top of the repository) on the bare engine, in this process.
// Every option is one of the engine's own switches, none of which may change a guest's result: the same files under
// --no-opt, --one and the stress switches are the engine's consistency test.
//
// Usage: engine_guest_test [DIRECTORY] [--no-opt] [--one] [--stress-tlb N] [--stress-code N] [--stress-irq]
//                          [--seed N] [--verify] [--cache KIB] [--cpu PROFILE] [--verbose] [NAME...]
// Without any argument: all programs in every stress mode.
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "../../../../../test/guests/runner/guest_program.h"
#include "../../../../../test/guests/runner/start_state.h"
#include "../../../../../test/guests/runner/test_devices.h"
#include "../../../../../test/guests/runner/verdict.h"
#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "cpu/reset.h"
#include "cpu/segments.h"
#include "cpu/tsc.h"
#include "irq/platform.h"
#include "mmu/mmu.h"
#include "mmu/phys_memory.h"
#include "run/host_fpu.h"
#include "run/machine.h"
#include "translate/mode.h"
#include "translate/translator.h"

namespace {

using namespace rz;
using guests::FinalState;

constexpr int kTimeLimitSeconds = 60;

/// The test devices in front of the engine's own interrupt controllers. Ends the program for all vCPUs when one says
/// so.
class GuestBus final : public Bus {
 public:
  GuestBus(IrqPlatform& irq, Machine& machine) : irq_(irq), machine_(machine) {}
  u64 io_read(Vcpu& v, u16 port, unsigned width) override {
    u64 value = 0;
    if (irq_.io_read(port, width, value)) return value;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    return devices_.port_read(port, width);
  }
  void io_write(Vcpu& v, u16 port, unsigned width, u64 value) override {
    if (irq_.io_write(port, width, value)) return;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    const guests::End said = devices_.port_write(port, width, value);
    if (said == guests::End::kNone || end != guests::End::kNone) return;
    end = said;
    ended = v.index;
    stop_all(machine_);  // the program jumps in place until the engine looks
  }
  u64 mmio_read(Vcpu& v, u64 gpa, unsigned width) override {
    u64 value = 0;
    if (irq_.mmio_read(v, gpa, width, value)) return value;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    return guests::TestDevices::is_mmio(gpa) ? devices_.mmio_read(gpa, width) : ~0ull >> (64 - 8 * width);
  }
  void mmio_write(Vcpu& v, u64 gpa, unsigned width, u64 value) override {
    if (irq_.mmio_write(v, gpa, width, value)) return;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    if (guests::TestDevices::is_mmio(gpa)) devices_.mmio_write(gpa, width, value);
  }
  static void stop_all(Machine& machine) {
    for (Vcpu* vcpu : machine.vcpus) notify(*vcpu, kAttnStop);
  }
  guests::End end = guests::End::kNone;
  unsigned ended = 0;  // the vCPU that said so

 private:
  IrqPlatform& irq_;
  Machine& machine_;
  std::mutex mutex_;  // guards devices_, end, ended
  guests::TestDevices devices_;
};

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

void set_state(Vcpu& v, const guests::StartState& s) {
  auto set = [](Segment& segment, const guests::StartSegment& from) {
    segment = {};
    segment.selector = from.selector;
    segment.attributes = from.attributes;
    segment.limit = from.limit;
    segment.base = from.base;
  };
  v.cr0 = s.cr0;
  v.cr3 = s.cr3;
  v.cr4 = s.cr4;
  v.msr.efer = s.efer;
  v.rip = s.rip;
  v.rflags = s.rflags;
  memset(v.regs, 0, sizeof v.regs);
  v.regs[4] = s.rsp;
  v.gdtr = {s.gdt_base, s.gdt_limit};
  v.idtr = {s.idt_base, s.idt_limit};
  v.cpl = 0;
  for (unsigned i = 0; i < 6; i++) set(v.seg[i], i == kCS ? s.cs : s.data);
  set(v.ldtr, s.ldtr);
  set(v.tr, s.tr);
  refresh_segments(v);
  refresh_mode(v);
  tlb_switch_context(v, v.cr3, false);
}

/// Everything one program needs, made new for it.
class Guest {
 public:
  Guest(const EngineOptions& options, const char* cpu, unsigned cpus) {
    machine_.options = options;
    ram = static_cast<u8*>(mmap(nullptr, guests::kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (ram == MAP_FAILED || !memory_.add({0, guests::kRamBytes, ram, false})) return;
    machine_.memory = &memory_;
    machine_.tsc_hz = tsc_hz();
    if (!cpuid_profile(cpu, cpus, machine_.tsc_hz, profile_)) return;
    machine_.cpuid = &profile_;
    for (unsigned i = 0; i < cpus; i++) machine_.vcpus.push_back(vcpu_create(machine_, i));
    machine_.oversubscribed = cpus > std::thread::hardware_concurrency();
    if (!code_.init(machine_, options.code_cache_bytes, guests::kRamBytes)) return;
    machine_.code = &code_;
    emit_thunks(code_);
    irq_ = std::make_unique<IrqPlatform>(machine_);
    machine_.irq = irq_.get();
    bus_ = std::make_unique<GuestBus>(*irq_, machine_);
    machine_.bus = bus_.get();
    for (Vcpu* v : machine_.vcpus) {
      vcpu_reset(*v);
      jump_flush_all(*v);
    }
    good = true;
  }
  ~Guest() {
    for (Vcpu* v : machine_.vcpus) vcpu_destroy(v);
    if (ram != MAP_FAILED) munmap(ram, guests::kRamBytes);
  }
  FinalState go(const guests::Program& program) {
    set_state(*machine_.vcpus[0], guests::prepare(program, ram));
    FinalState f;
    std::atomic<unsigned> teller{0};  // the vCPU whose registers are of interest
    {
      Watchdog watchdog(machine_);
      std::atomic<RunExit> why{RunExit::kStopped};
      auto serve = [&](Vcpu& vcpu) {
        irq_->bind_thread(vcpu);
        const RunExit exit = run(vcpu);
        irq_->unbind_thread(vcpu);
        if (exit == RunExit::kStopped) return;
        why = exit;
        teller = vcpu.index;
        GuestBus::stop_all(machine_);
      };
      std::vector<std::thread> others;
      for (Vcpu* vcpu : machine_.vcpus)
        if (vcpu->index != 0) others.emplace_back(serve, std::ref(*vcpu));
      serve(*machine_.vcpus[0]);
      for (std::thread& other : others) other.join();
      if (why == RunExit::kShutdown)
        f.why = FinalState::Why::kShutdown;
      else if (why == RunExit::kInternalError) {
        f.why = FinalState::Why::kEngineError;
        f.note = "internal error";
      } else {
        f.why = watchdog.fired ? FinalState::Why::kTimeout : FinalState::Why::kEnd;
        if (bus_->end != guests::End::kNone) teller = bus_->ended;
      }
    }
    Vcpu& v = *machine_.vcpus[teller];
    f.end = bus_->end;
    memcpy(f.gpr, v.regs, sizeof f.gpr);
    f.rip = v.rip;
    f.rflags = v.rflags;
    f.cr0 = v.cr0;
    f.cr2 = v.cr2;
    f.cr3 = v.cr3;
    f.cr4 = v.cr4;
    f.efer = v.msr.efer;
    f.cs = v.seg[kCS].selector;
    f.ss = v.seg[kSS].selector;
    return f;
  }
  bool good = false;
  u8* ram = nullptr;

 private:
  PhysMemory memory_;
  CpuidProfile profile_{};
  CodeCache code_;
  Machine machine_;
  std::unique_ptr<IrqPlatform> irq_;
  std::unique_ptr<GuestBus> bus_;
};

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
    const FinalState final = guest->go(program);
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
