// Runs the guest test programs directly on the host's KVM: the oracle that says the programs themselves are right.
// Some hosts' KVM runs ring 0 in a software emulator that is wrong in corners; a program's `kvm-differs` line names
// them. Prints `skipped: /dev/kvm` and exits 0 where KVM does not open.
//
// Usage: kvm_guest_test [DIRECTORY [NAME...]]
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "guest_program.h"
#include "start_state.h"
#include "test_devices.h"
#include "verdict.h"

namespace {

using namespace guests;

constexpr int kTimeLimitSeconds = 10;
constexpr std::uint32_t kCpuidEntries = 256;
// struct kvm_cpuid2 is 8 bytes in C, but in C++ the kernel's flexible-array macro makes it 12: give the numbers here.
constexpr unsigned long kGetSupportedCpuid = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8);
constexpr unsigned long kSetCpuid2 = _IOC(_IOC_WRITE, KVMIO, 0x90, 8);
/// One processor and the thread that runs it.
struct Cpu {
  int fd = -1;
  kvm_run* run = nullptr;
  pthread_t thread{};
};
std::vector<Cpu>* g_cpus = nullptr;  // for the timer's handler: those that run
std::atomic<bool> g_over{false};     // the program has ended, or its time

void stop_all() {
  g_over = true;
  if (!g_cpus) return;
  for (Cpu& cpu : *g_cpus) {
    cpu.run->immediate_exit = 1;
    if (cpu.thread) pthread_kill(cpu.thread, SIGUSR1);  // out of HLT
  }
}
void on_alarm(int) { stop_all(); }
void on_kick(int) {}

kvm_segment segment(const StartSegment& s) {
  kvm_segment k{};
  k.base = s.base;
  k.limit = s.limit;
  k.selector = s.selector;
  k.type = s.attributes & 15;
  k.s = (s.attributes >> 4) & 1;
  k.dpl = (s.attributes >> 5) & 3;
  k.present = (s.attributes >> 7) & 1;
  k.avl = (s.attributes >> 8) & 1;
  k.l = (s.attributes >> 9) & 1;
  k.db = (s.attributes >> 10) & 1;
  k.g = (s.attributes >> 11) & 1;
  return k;
}

/// One machine for one program; everything is closed with it.
class KvmMachine {
 public:
  explicit KvmMachine(int kvm) : kvm_(kvm) {}
  ~KvmMachine() {
    g_cpus = nullptr;
    for (Cpu& cpu : cpus_) {
      if (cpu.run) munmap(cpu.run, run_bytes_);
      if (cpu.fd >= 0) close(cpu.fd);
    }
    if (vm_ >= 0) close(vm_);
    if (ram) munmap(ram, kRamBytes);
  }
  bool create(unsigned cpus) {
    vm_ = ioctl(kvm_, KVM_CREATE_VM, 0);
    if (vm_ < 0) return false;
    ram =
        static_cast<std::uint8_t*>(mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ioctl(vm_, KVM_SET_TSS_ADDR, 0xfffbd000ul);
    kvm_userspace_memory_region region{0, 0, 0, kRamBytes, reinterpret_cast<std::uint64_t>(ram)};
    if (ioctl(vm_, KVM_SET_USER_MEMORY_REGION, &region) < 0 || ioctl(vm_, KVM_CREATE_IRQCHIP, 0) < 0) return false;
    kvm_pit_config pit{};
    if (ioctl(vm_, KVM_CREATE_PIT2, &pit) < 0) return false;
    run_bytes_ = static_cast<size_t>(ioctl(kvm_, KVM_GET_VCPU_MMAP_SIZE, 0));
    for (unsigned i = 0; i < cpus; i++)
      if (!create_cpu(i, cpus)) return false;
    return true;
  }
  bool set(const StartState& s) {
    kvm_sregs sregs{};
    if (ioctl(cpus_[0].fd, KVM_GET_SREGS, &sregs) < 0) return false;
    sregs.cs = segment(s.cs);
    sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = segment(s.data);
    sregs.ldt = segment(s.ldtr);
    sregs.tr = segment(s.tr);
    sregs.gdt.base = s.gdt_base;
    sregs.gdt.limit = s.gdt_limit;
    sregs.idt.base = s.idt_base;
    sregs.idt.limit = s.idt_limit;
    sregs.cr0 = s.cr0;
    sregs.cr3 = s.cr3;
    sregs.cr4 = s.cr4;
    sregs.efer = s.efer;
    if (ioctl(cpus_[0].fd, KVM_SET_SREGS, &sregs) < 0) return false;
    kvm_regs regs{};
    regs.rip = s.rip;
    regs.rsp = s.rsp;
    regs.rflags = s.rflags;
    return ioctl(cpus_[0].fd, KVM_SET_REGS, &regs) == 0;
  }
  FinalState go() {
    FinalState final;
    TestDevices devices;
    g_over = false;
    for (Cpu& cpu : cpus_) cpu.run->immediate_exit = 0;
    cpus_[0].thread = pthread_self();
    g_cpus = &cpus_;
    itimerval limit{{0, 100000}, {kTimeLimitSeconds, 0}};
    setitimer(ITIMER_REAL, &limit, nullptr);
    std::vector<std::thread> others;
    for (size_t i = 1; i < cpus_.size(); i++) {
      others.emplace_back([&, i] { run(cpus_[i], devices, final); });
      cpus_[i].thread = others.back().native_handle();
    }
    run(cpus_[0], devices, final);
    for (std::thread& other : others) other.join();
    g_cpus = nullptr;
    limit = {};
    setitimer(ITIMER_REAL, &limit, nullptr);
    read_registers(final);
    return final;
  }
  std::uint8_t* ram = nullptr;

 private:
  bool create_cpu(unsigned index, unsigned count) {
    Cpu cpu;
    cpu.fd = ioctl(vm_, KVM_CREATE_VCPU, index);
    if (cpu.fd < 0) return false;
    cpus_.push_back(cpu);
    std::vector<std::uint32_t> cpuid(2 + kCpuidEntries * sizeof(kvm_cpuid_entry2) / 4);
    cpuid[0] = kCpuidEntries;
    if (ioctl(kvm_, kGetSupportedCpuid, cpuid.data()) < 0) return false;
    if (count > 1) tell_topology(cpuid, index, count);
    if (ioctl(cpu.fd, kSetCpuid2, cpuid.data()) < 0) return false;
    void* run = mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, cpu.fd, 0);
    if (run == MAP_FAILED) return false;
    cpus_.back().run = static_cast<kvm_run*>(run);
    return true;
  }
  /// The host's processor in KVM's list becomes number `index` of `count`.
  static void tell_topology(std::vector<std::uint32_t>& cpuid, unsigned index, unsigned count) {
    for (std::uint32_t i = 0; i < cpuid[0]; i++) {
      kvm_cpuid_entry2 entry;
      std::uint32_t* at = cpuid.data() + 2 + i * (sizeof entry / 4);
      memcpy(&entry, at, sizeof entry);
      if (entry.function == 1) {
        entry.ebx = (entry.ebx & 0xffff) | count << 16 | index << 24;
        entry.edx |= 1u << 28;
      } else if (entry.function == 0xb || entry.function == 0x1f) {
        entry.edx = index;
      }
      memcpy(at, &entry, sizeof entry);
    }
  }
  /// One processor until the program ends.
  void run(Cpu& cpu, TestDevices& devices, FinalState& final) {
    while (!g_over) {
      const int result = ioctl(cpu.fd, KVM_RUN, 0);
      std::lock_guard lock(mutex_);
      if (g_over) return;
      if (result < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (result < 0) fail(final, std::string("KVM_RUN: ") + strerror(errno));
      if (result < 0 || !serve(cpu, devices, final)) {
        ended_ = static_cast<size_t>(&cpu - cpus_.data());
        stop_all();
        return;
      }
    }
  }
  static void fail(FinalState& final, std::string why) {
    final.why = FinalState::Why::kEngineError;
    final.note = std::move(why);
  }
  /// Handle one exit; false when the program ended.
  bool serve(Cpu& cpu, TestDevices& devices, FinalState& final) {
    kvm_run* const run = cpu.run;
    switch (run->exit_reason) {
      case KVM_EXIT_IO: return serve_port(*run, devices, final);
      case KVM_EXIT_MMIO: {
        std::uint64_t value = 0;
        if (run->mmio.is_write) {
          memcpy(&value, run->mmio.data, run->mmio.len);
          if (TestDevices::is_mmio(run->mmio.phys_addr)) devices.mmio_write(run->mmio.phys_addr, run->mmio.len, value);
        } else {
          value =
              TestDevices::is_mmio(run->mmio.phys_addr) ? devices.mmio_read(run->mmio.phys_addr, run->mmio.len) : ~0ull;
          memcpy(run->mmio.data, &value, run->mmio.len);
        }
        return true;
      }
      case KVM_EXIT_SHUTDOWN: final.why = FinalState::Why::kShutdown; return false;
      case KVM_EXIT_HLT: return true;
      case KVM_EXIT_INTERNAL_ERROR: {
        std::string bytes;
        const auto& e = run->internal;
        if (e.suberror == KVM_INTERNAL_ERROR_EMULATION) {
          kvm_regs regs{};
          ioctl(cpu.fd, KVM_GET_REGS, &regs);
          char byte[4];
          for (unsigned i = 0; i < 12 && regs.rip + i < kRamBytes; i++) {
            snprintf(byte, sizeof byte, " %02x", ram[regs.rip + i]);
            bytes += byte;
          }
        }
        fail(final, "KVM internal error " + std::to_string(e.suberror) + bytes);
        return false;
      }
      default: fail(final, "KVM exit " + std::to_string(run->exit_reason)); return false;
    }
  }
  static bool serve_port(kvm_run& run, TestDevices& devices, FinalState& final) {
    auto* data = reinterpret_cast<std::uint8_t*>(&run) + run.io.data_offset;
    const unsigned width = run.io.size;
    for (unsigned i = 0; i < run.io.count; i++, data += width) {
      std::uint64_t value = 0;
      if (run.io.direction == KVM_EXIT_IO_IN) {
        value = devices.port_read(run.io.port, width);
        memcpy(data, &value, width);
        continue;
      }
      memcpy(&value, data, width);
      final.end = devices.port_write(run.io.port, width, value);
      if (final.end != End::kNone) {
        final.why = FinalState::Why::kEnd;
        return false;
      }
    }
    return true;
  }
  void read_registers(FinalState& f) {
    kvm_regs r{};
    kvm_sregs s{};
    ioctl(cpus_[ended_].fd, KVM_GET_REGS, &r);
    ioctl(cpus_[ended_].fd, KVM_GET_SREGS, &s);
    const std::uint64_t gpr[16] = {r.rax, r.rcx, r.rdx, r.rbx, r.rsp, r.rbp, r.rsi, r.rdi,
                                   r.r8,  r.r9,  r.r10, r.r11, r.r12, r.r13, r.r14, r.r15};
    memcpy(f.gpr, gpr, sizeof gpr);
    f.rip = r.rip;
    f.rflags = r.rflags;
    f.cr0 = s.cr0;
    f.cr2 = s.cr2;
    f.cr3 = s.cr3;
    f.cr4 = s.cr4;
    f.efer = s.efer;
    f.cs = s.cs.selector;
    f.ss = s.ss.selector;
  }

  const int kvm_;
  int vm_ = -1;
  std::vector<Cpu> cpus_;
  size_t ended_ = 0;  // the processor that ended the program
  std::mutex mutex_;  // guards the devices, the final state and ended_
  size_t run_bytes_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const char* directory = argc > 1 ? argv[1] : GUEST_PROGRAMS_DIR;
  const int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0) {
    printf("skipped: /dev/kvm: %s\n0 passed, 0 failed\n", strerror(errno));
    return 0;
  }
  struct sigaction action {};
  action.sa_handler = on_alarm;  // no SA_RESTART: KVM_RUN must come back
  sigaction(SIGALRM, &action, nullptr);
  action.sa_handler = on_kick;
  sigaction(SIGUSR1, &action, nullptr);
  char scratch[] = "/tmp/ringzero-guests-XXXXXX";
  if (!mkdtemp(scratch)) {
    perror("mkdtemp");
    return 2;
  }
  unsigned passed = 0, failed = 0, skipped = 0;
  for (const std::string& path : list_programs(directory)) {
    Program program;
    std::string why, report;
    const std::string stem = path.substr(path.rfind('/') + 1);
    bool wanted = argc <= 2;
    for (int i = 2; i < argc; i++) wanted |= stem == std::string(argv[i]) + ".s";
    if (!wanted) continue;
    if (!load_program(path, scratch, program, why)) {
      printf("FAILED %s: %s\n", path.c_str(), why.c_str());
      failed++;
      continue;
    }
    KvmMachine machine(kvm);
    if (!machine.create(program.cpus) || !machine.set(prepare(program, machine.ram))) {
      printf("FAILED %s: cannot make a KVM machine: %s\n", program.name.c_str(), strerror(errno));
      failed++;
      continue;
    }
    machine.ram[kOracleFlag] = 1;
    const FinalState final = machine.go();
    switch (judge(program, final, machine.ram, report)) {
      case Verdict::kPassed:
        passed++;
        if (!program.kvm_differs.empty())
          printf("note   %s: this KVM agrees, although the file says it may not\n", program.name.c_str());
        break;
      case Verdict::kSkipped:
        skipped++;
        printf("skipped %s: the processor lacks what it tests\n", program.name.c_str());
        break;
      case Verdict::kFailed:
        if (!program.kvm_differs.empty()) {
          skipped++;
          printf("skipped %s: KVM differs: %s\n%s", program.name.c_str(), program.kvm_differs.c_str(),
                 argc > 2 ? report.c_str() : "");
          break;
        }
        failed++;
        printf("FAILED %s\n%s", program.name.c_str(), report.c_str());
    }
  }
  const std::string remove = std::string("rm -rf '") + scratch + "'";
  if (system(remove.c_str()) != 0) fprintf(stderr, "cannot remove %s\n", scratch);
  if (skipped) printf("%u skipped\n", skipped);
  printf("%u passed, %u failed\n", passed, failed);
  return failed ? 1 : 0;
}
