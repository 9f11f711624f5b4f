// Runs the guest test programs directly on the host's KVM: the oracle that says the programs themselves are right.
// Some hosts' KVM runs ring 0 in a software emulator that is wrong in corners; a program's `kvm-differs` line names
// them. Prints `skipped: /dev/kvm` and exits 0 where KVM does not open.
//
// Usage: kvm_guest_test [DIRECTORY [NAME...]]
#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
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
kvm_run* g_run = nullptr;  // for the timer's handler: the one vCPU that runs

void on_alarm(int) {
  if (g_run) g_run->immediate_exit = 1;
}

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
    g_run = nullptr;
    if (run_) munmap(run_, run_bytes_);
    if (vcpu_ >= 0) close(vcpu_);
    if (vm_ >= 0) close(vm_);
    if (ram) munmap(ram, kRamBytes);
  }
  bool create() {
    vm_ = ioctl(kvm_, KVM_CREATE_VM, 0);
    if (vm_ < 0) return false;
    ram =
        static_cast<std::uint8_t*>(mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    ioctl(vm_, KVM_SET_TSS_ADDR, 0xfffbd000ul);
    kvm_userspace_memory_region region{0, 0, 0, kRamBytes, reinterpret_cast<std::uint64_t>(ram)};
    if (ioctl(vm_, KVM_SET_USER_MEMORY_REGION, &region) < 0 || ioctl(vm_, KVM_CREATE_IRQCHIP, 0) < 0) return false;
    kvm_pit_config pit{};
    if (ioctl(vm_, KVM_CREATE_PIT2, &pit) < 0) return false;
    vcpu_ = ioctl(vm_, KVM_CREATE_VCPU, 0);
    if (vcpu_ < 0) return false;
    std::vector<std::uint32_t> cpuid(2 + kCpuidEntries * sizeof(kvm_cpuid_entry2) / 4);
    cpuid[0] = kCpuidEntries;
    if (ioctl(kvm_, kGetSupportedCpuid, cpuid.data()) < 0 || ioctl(vcpu_, kSetCpuid2, cpuid.data()) < 0) return false;
    run_bytes_ = static_cast<size_t>(ioctl(kvm_, KVM_GET_VCPU_MMAP_SIZE, 0));
    run_ = static_cast<kvm_run*>(mmap(nullptr, run_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu_, 0));
    return run_ != MAP_FAILED;
  }
  bool set(const StartState& s) {
    kvm_sregs sregs{};
    if (ioctl(vcpu_, KVM_GET_SREGS, &sregs) < 0) return false;
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
    if (ioctl(vcpu_, KVM_SET_SREGS, &sregs) < 0) return false;
    kvm_regs regs{};
    regs.rip = s.rip;
    regs.rsp = s.rsp;
    regs.rflags = s.rflags;
    return ioctl(vcpu_, KVM_SET_REGS, &regs) == 0;
  }
  FinalState go() {
    FinalState final;
    TestDevices devices;
    g_run = run_;
    itimerval limit{{0, 100000}, {kTimeLimitSeconds, 0}};
    setitimer(ITIMER_REAL, &limit, nullptr);
    for (bool running = true; running;) {
      if (ioctl(vcpu_, KVM_RUN, 0) < 0) {
        if (errno == EINTR && run_->immediate_exit)
          final.why = FinalState::Why::kTimeout;
        else if (errno == EINTR || errno == EAGAIN)
          continue;
        else
          fail(final, std::string("KVM_RUN: ") + strerror(errno));
        break;
      }
      running = serve(devices, final);
    }
    limit = {};
    setitimer(ITIMER_REAL, &limit, nullptr);
    read_registers(final);
    return final;
  }
  std::uint8_t* ram = nullptr;

 private:
  static void fail(FinalState& final, std::string why) {
    final.why = FinalState::Why::kEngineError;
    final.note = std::move(why);
  }
  /// Handle one exit; false when the program ended.
  bool serve(TestDevices& devices, FinalState& final) {
    switch (run_->exit_reason) {
      case KVM_EXIT_IO: return serve_port(devices, final);
      case KVM_EXIT_MMIO: {
        std::uint64_t value = 0;
        if (run_->mmio.is_write) {
          memcpy(&value, run_->mmio.data, run_->mmio.len);
          if (TestDevices::is_mmio(run_->mmio.phys_addr))
            devices.mmio_write(run_->mmio.phys_addr, run_->mmio.len, value);
        } else {
          value = TestDevices::is_mmio(run_->mmio.phys_addr) ? devices.mmio_read(run_->mmio.phys_addr, run_->mmio.len)
                                                             : ~0ull;
          memcpy(run_->mmio.data, &value, run_->mmio.len);
        }
        return true;
      }
      case KVM_EXIT_SHUTDOWN: final.why = FinalState::Why::kShutdown; return false;
      case KVM_EXIT_HLT: return true;
      case KVM_EXIT_INTERNAL_ERROR: {
        std::string bytes;
        const auto& e = run_->internal;
        if (e.suberror == KVM_INTERNAL_ERROR_EMULATION) {
          kvm_regs regs{};
          ioctl(vcpu_, KVM_GET_REGS, &regs);
          char byte[4];
          for (unsigned i = 0; i < 12 && regs.rip + i < kRamBytes; i++) {
            snprintf(byte, sizeof byte, " %02x", ram[regs.rip + i]);
            bytes += byte;
          }
        }
        fail(final, "KVM internal error " + std::to_string(e.suberror) + bytes);
        return false;
      }
      default: fail(final, "KVM exit " + std::to_string(run_->exit_reason)); return false;
    }
  }
  bool serve_port(TestDevices& devices, FinalState& final) {
    auto* data = reinterpret_cast<std::uint8_t*>(run_) + run_->io.data_offset;
    const unsigned width = run_->io.size;
    for (unsigned i = 0; i < run_->io.count; i++, data += width) {
      std::uint64_t value = 0;
      if (run_->io.direction == KVM_EXIT_IO_IN) {
        value = devices.port_read(run_->io.port, width);
        memcpy(data, &value, width);
        continue;
      }
      memcpy(&value, data, width);
      final.end = devices.port_write(run_->io.port, width, value);
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
    ioctl(vcpu_, KVM_GET_REGS, &r);
    ioctl(vcpu_, KVM_GET_SREGS, &s);
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
  int vm_ = -1, vcpu_ = -1;
  kvm_run* run_ = nullptr;
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
    if (!machine.create() || !machine.set(prepare(program, machine.ram))) {
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
