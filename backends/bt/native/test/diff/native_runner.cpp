// Runs a case on the processor itself. All state travels through signal frames: a trap enters the handler, which
// swaps the interrupted context for the test's; the trap or fault that ends the test swaps it back. So no
// register, not even RSP, needs special care. 32-bit cases run in the kernel's compatibility code segment, 16-bit
// ones in segments of the process's own LDT.
#include <asm/ldt.h>
#include <pthread.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "test_case.h"

namespace rz::diff {
namespace {

constexpr int kGreg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
constexpr u32 kFrameBytes = 4096;  // enough for every XSAVE image without tiles
constexpr u32 kAvxFrameBytes =
    832;  // legacy area, header and YMM upper halves: all there is on hosts with AVX and no more

enum class Phase { kIdle, kArmed, kRunning };
volatile Phase g_phase = Phase::kIdle;
volatile bool g_timed_out, g_running;
volatile u64 g_case;  // counts, for the watcher
u64 g_fs_base;
const TestState* g_in;
TestState* g_out;
greg_t g_gregs[NGREG];
u8 g_frame[kFrameBytes];
u32 g_frame_used;
u16 g_cs, g_ss;  // selectors of the case

constexpr u16 kCs64 = 0x33, kCs32 = 0x23, kFlatData = 0x2b, kCs16 = 0x07, kData16 = 0x0f;

u8* frame_of(ucontext_t* uc) { return reinterpret_cast<u8*>(uc->uc_mcontext.fpregs); }
u32 frame_size(const u8* frame) {
  u32 magic, size;
  std::memcpy(&magic, frame + 464, 4);
  std::memcpy(&size, frame + 480, 4);  // sw_reserved.xstate_size
  return magic == 0x46505853 && size <= kFrameBytes ? size : 512;
}

constexpr int kTimeOut = SIGURG;  // ignored by default, so that a late one does no harm

void on_trap(int signal, siginfo_t*, void* context) {
  if (g_phase == Phase::kRunning && g_fs_base) asm volatile("wrfsbase %0" : : "r"(g_fs_base));  // a case may change it
  if (signal == kTimeOut) {
    if (g_phase != Phase::kRunning) return;
    g_timed_out = true;
  }
  auto* uc = static_cast<ucontext_t*>(context);
  greg_t* regs = uc->uc_mcontext.gregs;
  u8* frame = frame_of(uc);
  if (g_phase == Phase::kArmed) {
    std::memcpy(g_gregs, regs, sizeof g_gregs);
    g_frame_used = frame_size(frame);
    std::memcpy(g_frame, frame, g_frame_used);
    for (int i = 0; i < 16; i++) regs[kGreg[i]] = static_cast<greg_t>(g_in->gpr[i]);
    regs[REG_RIP] = static_cast<greg_t>(g_in->rip);
    // CS in the lowest, SS in the highest 16 bits.
    regs[REG_CSGSFS] = static_cast<greg_t>((static_cast<u64>(regs[REG_CSGSFS]) & 0x0000ffffffff0000) | g_cs |
                                           static_cast<u64>(g_ss) << 48);
    regs[REG_EFL] = static_cast<greg_t>((static_cast<u64>(regs[REG_EFL]) & ~(kArithmetic | kDirection)) | g_in->rflags);
    const u8* v = g_in->vector.bytes;
    std::memcpy(frame, v, 28);  // not the MXCSR mask
    std::memcpy(frame + 32, v + 32, 384);
    if (g_frame_used >= kAvxFrameBytes) {
      u64 present;
      std::memcpy(&present, frame + 512, 8);
      present |= 7;
      std::memcpy(frame + 512, &present, 8);
      std::memcpy(frame + 576, v + 576, 256);
    }
    g_phase = Phase::kRunning;
    return;
  }
  if (g_phase != Phase::kRunning) {
    struct sigaction dfl = {};
    dfl.sa_handler = SIG_DFL;
    sigaction(signal, &dfl, nullptr);
    return;
  }
  TestState& out = *g_out;
  // Outside 64-bit mode the upper halves are undefined (the kernel's 16-bit stack fix-up shows in RSP).
  const u64 mask = g_cs == kCs64 ? ~0ull : 0xffffffff;
  for (int i = 0; i < 16; i++) out.gpr[i] = static_cast<u64>(regs[kGreg[i]]) & mask;
  out.rflags = static_cast<u64>(regs[REG_EFL]) & (kArithmetic | kDirection);
  out.rip = static_cast<u64>(regs[REG_RIP]);
  out.fault = kNoFault;
  out.error = 0;
  out.cr2 = 0;
  if (signal != SIGTRAP) {
    out.fault = static_cast<u8>(regs[REG_TRAPNO]);
    if (out.fault == 14) {
      out.error = static_cast<u32>(regs[REG_ERR]) & 3;
      out.cr2 = static_cast<u64>(regs[REG_CR2]);
    }
  } else {
    out.rip--;  // INT3 reports the next instruction
  }
  u8* v = out.vector.bytes;
  std::memset(v, 0, sizeof out.vector.bytes);
  u64 present = 7;
  if (frame_size(frame) >= kAvxFrameBytes) std::memcpy(&present, frame + 512, 8);
  std::memcpy(v, frame, 28);
  if (present & 1) {
    std::memcpy(v + 32, frame + 32, 128);
  } else {  // initial state
    std::memset(v, 0, 24);
    v[0] = 0x7f;
    v[1] = 3;
  }
  if (present & 2) std::memcpy(v + 160, frame + 160, 256);
  if (present & 4) std::memcpy(v + 576, frame + 576, 256);
  std::memcpy(regs, g_gregs, sizeof g_gregs);
  std::memcpy(frame, g_frame, g_frame_used);
  g_phase = Phase::kIdle;
}

class NativeRunner final : public Runner {
 public:
  NativeRunner() {
    code_ = map(kCodeAt, kCodeBytes, PROT_READ | PROT_WRITE | PROT_EXEC);
    stack_ = map(kStackAt, kPageBytes, PROT_READ | PROT_WRITE);
    constexpr unsigned long kFsgsbaseEnabled = 2;  // HWCAP2_FSGSBASE
    if (getauxval(AT_HWCAP2) & kFsgsbaseEnabled) asm volatile("rdfsbase %0" : "=r"(g_fs_base));
    refuse_system_calls();
    scratch_ = map(kScratchAt, kScratchBytes, PROT_READ | PROT_WRITE);
    stack_t alt = {};
    alt.ss_size = 1 << 16;
    alt.ss_sp = mmap(nullptr, alt.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    sigaltstack(&alt, nullptr);
    struct sigaction action = {};
    action.sa_sigaction = on_trap;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    auto segment = [](unsigned entry, u64 base, unsigned contents) {
      user_desc d = {};
      d.entry_number = entry;
      d.base_addr = static_cast<unsigned>(base);
      d.limit = 0xffff;
      d.contents = contents;
      d.useable = 1;
      return syscall(SYS_modify_ldt, 1, &d, sizeof d) == 0;
    };
    has16_ = segment(0, kCodeAt, MODIFY_LDT_CONTENTS_CODE) && segment(1, kScratchAt, MODIFY_LDT_CONTENTS_DATA);
    for (int s : {SIGTRAP, SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGSYS, kTimeOut}) sigaction(s, &action, nullptr);
    watch(pthread_self());
  }
  const char* name() const override { return "native"; }

  bool run(const TestCase& test, TestState& out) override {
    u8* code = code_ + (test.code_at - kCodeAt);
    std::memcpy(code, test.code.data(), test.code.size());
    if (!test.no_end) code[test.code.size()] = 0xcc;
    std::memcpy(stack_ + kPageBytes - kStackBytes, test.start.stack, kStackBytes);
    mprotect(scratch_ + kWritableBytes, kScratchBytes - kWritableBytes, PROT_READ | PROT_WRITE);
    std::memcpy(scratch_, test.start.memory, kScratchBytes);
    mprotect(scratch_ + kWritableBytes, kScratchBytes - kWritableBytes, PROT_READ);
    g_in = &test.start;
    g_out = &out;
    g_cs = test.size == CodeSize::k64 ? kCs64 : test.size == CodeSize::k32 ? kCs32 : kCs16;
    g_ss = test.size == CodeSize::k16 ? kData16 : kFlatData;
    if (test.size == CodeSize::k16 && !has16_) return false;
    g_timed_out = false;
    g_case = g_case + 1;
    g_running = true;
    g_phase = Phase::kArmed;
    // DS and ES are not in the frame; 64-bit code does not look at them.
    asm volatile("mov %0, %%ds\n\tmov %0, %%es\n\tint3\n\tmov %1, %%ds\n\tmov %1, %%es"
                 :
                 : "r"(static_cast<u32>(g_ss)), "r"(0u)
                 : "memory");
    g_running = false;
    std::memcpy(out.memory, scratch_, kScratchBytes);
    std::memcpy(out.stack, stack_ + kPageBytes - kStackBytes, kStackBytes);
    out.code_sum = sum_of_code(code, test.code.size());
    return !g_timed_out;
  }

 private:
  // System calls made by a case (random bytes may hold one) become SIGSYS; everything above the cases' addresses, which
  // is this program and its libraries, goes on as always.
  static void refuse_system_calls() {
    static volatile char block = 1;  // SYSCALL_DISPATCH_FILTER_BLOCK
    constexpr unsigned long kFirst = kStackAt + kPageBytes;
    if (prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, kFirst, (1ul << 47) - kFirst, &block) != 0)
      std::fprintf(stderr, "this kernel cannot refuse the system calls of test cases\n");
  }
  // A case that runs on and on is stopped.
  static void watch(pthread_t thread) {
    static pthread_t watched;
    watched = thread;
    pthread_t watcher;
    pthread_create(
        &watcher, nullptr,
        [](void*) -> void* {
          for (bool before = false;;) {
            usleep(300'000);
            const u64 now = g_case;
            static u64 seen = 0;
            before = g_running && seen == now;
            if (before) pthread_kill(watched, kTimeOut);
            seen = now;
          }
        },
        nullptr);
    pthread_detach(watcher);
  }
  static u8* map(u64 at, u64 bytes, int protection) {
    void* p =
        mmap(reinterpret_cast<void*>(at), bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    if (p != reinterpret_cast<void*>(at)) {
      std::perror("cannot map the test's addresses");
      std::exit(2);
    }
    return static_cast<u8*>(p);
  }
  u8 *code_, *scratch_, *stack_;
  bool has16_ = false;
};

}  // namespace

Runner* make_native_runner() { return new NativeRunner; }

}  // namespace rz::diff
