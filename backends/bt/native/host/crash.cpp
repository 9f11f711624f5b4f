// Crash handlers; see crash.h. Only async-signal-safe calls inside the handler.
#include "crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "cpu/vcpu.h"
#include "run/machine.h"

extern "C" char __executable_start;  // provided by the linker: lets a report name code by its offset in the program

namespace rz {

namespace {

constexpr u32 kReportedBlocks = kFlightBlocks;
constexpr size_t kAltStackBytes = 64 * 1024;
constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS};

peer::EnginePeer* crash_peer = nullptr;  // set once before threads start
thread_local const char* thread_label = "?";
const Machine* crash_machine = nullptr;  // set once, when it is built

/// Builds one line in a fixed buffer.
class Line {
 public:
  Line& text(const char* s) {
    while (*s != 0 && used_ < sizeof buffer_ - 1) buffer_[used_++] = *s++;
    return *this;
  }
  Line& hex(u64 value) {
    text("0x");
    char digits[16];
    int n = 0;
    do {
      digits[n++] = "0123456789abcdef"[value & 15];
      value >>= 4;
    } while (value != 0);
    while (n > 0 && used_ < sizeof buffer_ - 1) buffer_[used_++] = digits[--n];
    return *this;
  }
  /// Ends the line: into the flight recorder only. The embedder's standard error is not ours to fill.
  void write() {
    buffer_[used_++] = '\n';
    if (crash_peer != nullptr) shared::append_text(crash_peer->area().flight, buffer_, used_);
    used_ = 0;
  }

 private:
  char buffer_[512];
  size_t used_ = 0;
};

const char* signal_name(int number) {
  switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGABRT: return "SIGABRT";
    case SIGTRAP: return "SIGTRAP";
    case SIGSYS: return "SIGSYS";
    default: return "signal";
  }
}

void report_vcpu(const Vcpu& vcpu) {
  static const char* const kNames[16] = {" rax=", " rcx=", " rdx=", " rbx=", " rsp=", " rbp=", " rsi=", " rdi=",
                                         " r8=",  " r9=",  " r10=", " r11=", " r12=", " r13=", " r14=", " r15="};
  Line()
      .text("vcpu")
      .hex(vcpu.index)
      .text(" rip=")
      .hex(vcpu.rip)
      .text(" rflags=")
      .hex(vcpu.rflags)
      .text(" mode=")
      .hex(vcpu.mode)
      .text(" cr0=")
      .hex(vcpu.cr0)
      .text(" cr2=")
      .hex(vcpu.cr2)
      .text(" cr3=")
      .hex(vcpu.cr3)
      .text(" cr4=")
      .hex(vcpu.cr4)
      .text(" cs=")
      .hex(vcpu.seg[kCS].selector)
      .text(" attention=")
      .hex(vcpu.attention.load(std::memory_order_relaxed))
      .write();
  Line line;
  line.text("homes");
  for (int i = 0; i < 16; ++i) line.text(kNames[i]).hex(vcpu.regs[i]);
  line.write();
  if (vcpu.flight == nullptr) return;
  const u32 count = vcpu.flight_next < kReportedBlocks ? vcpu.flight_next : kReportedBlocks;
  for (u32 i = vcpu.flight_next - count; i != vcpu.flight_next;
       ++i) {  // oldest first; linked blocks between them are not seen
    const FlightBlock& block = vcpu.flight[i % kFlightBlocks];
    Line().text("block rip=").hex(block.rip).text(" mode=").hex(block.mode).write();
  }
}

void on_signal(int number, siginfo_t* info, void* context) {
  const auto& machine = static_cast<ucontext_t*>(context)->uc_mcontext;
  const u64 rip = static_cast<u64>(machine.gregs[REG_RIP]);
  Line line;
  line.text("engine died of ")
      .text(signal_name(number))
      .text(" in thread ")
      .text(thread_label)
      .text(", code ")
      .hex(static_cast<u32>(info->si_code));
  if (number == SIGSEGV || number == SIGBUS) line.text(", address ").hex(reinterpret_cast<u64>(info->si_addr));
  line.text(", host rip ")
      .hex(rip)
      .text(" (program + ")
      .hex(rip - reinterpret_cast<u64>(&__executable_start))
      .text(")")
      .write();
  Line registers;
  registers.text("host rsp=")
      .hex(static_cast<u64>(machine.gregs[REG_RSP]))
      .text(" rax=")
      .hex(static_cast<u64>(machine.gregs[REG_RAX]))
      .text(" rcx=")
      .hex(static_cast<u64>(machine.gregs[REG_RCX]))
      .text(" rdx=")
      .hex(static_cast<u64>(machine.gregs[REG_RDX]))
      .text(" rbx=")
      .hex(static_cast<u64>(machine.gregs[REG_RBX]))
      .text(" rbp=")
      .hex(static_cast<u64>(machine.gregs[REG_RBP]))
      .text(" rsi=")
      .hex(static_cast<u64>(machine.gregs[REG_RSI]))
      .text(" rdi=")
      .hex(static_cast<u64>(machine.gregs[REG_RDI]))
      .text(" eflags=")
      .hex(static_cast<u64>(machine.gregs[REG_EFL]))
      .write();
  if (crash_machine != nullptr) {  // those of other threads may be on the move: better than nothing
    for (const Vcpu* vcpu : crash_machine->vcpus) report_vcpu(*vcpu);
  }
  signal(number, SIG_DFL);
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), number);  // delivered, with the default action, when this returns
}

}  // namespace

void install_crash_handlers(peer::EnginePeer& peer) {
  crash_peer = &peer;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags =
      SA_SIGINFO | SA_ONSTACK | SA_NODEFER;  // NODEFER: translated code may fault again right after a resumed fault
  sigemptyset(&action.sa_mask);
  for (int number : kSignals) sigaction(number, &action, nullptr);
}

void report_on_crash(const Machine& machine) { crash_machine = &machine; }

void enter_thread(const char* label) {
  thread_label = label;
  void* stack = mmap(nullptr, kAltStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (stack == MAP_FAILED) return;  // the handler then runs on the thread's own stack
  stack_t alternate = {};
  alternate.ss_sp = stack;
  alternate.ss_size = kAltStackBytes;
  sigaltstack(&alternate, nullptr);
}

void broken(const char* text) {
  Line().text("invariant broken: ").text(text).write();
  abort();
}

}  // namespace rz
