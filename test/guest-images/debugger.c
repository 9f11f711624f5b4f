// A debugger and what it debugs, in one program: hardware breakpoints and watchpoints, single steps over system calls, flags,
// strings and into signal handlers, steps from branch to branch, and breakpoints poked into code that another thread runs.
// It says what it saw, one line a case, "ok NAME" or "FAILED NAME: what", and does not need a C library that is shared.
// What must stay true: every expectation is the manual's ("Debug, Branch Profile ...", "Debug Registers") and ptrace(2)'s, so that the
// same program passes on a processor. Usage: debugger [--no-hardware] [CASE...]
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef PTRACE_SINGLEBLOCK
#define PTRACE_SINGLEBLOCK 33
#endif

static int failures, skipped;
static const char* now;  // the case

static int wrong(const char* format, ...) {
  va_list list;
  va_start(list, format);
  printf("FAILED %s: ", now);
  vprintf(format, list);
  printf("\n");
  va_end(list);
  failures++;
  return 0;
}

#define CHECK(what, ...) \
  do {                   \
    if (!(what)) {       \
      wrong(__VA_ARGS__); \
      return;            \
    }                    \
  } while (0)

// ---- what is debugged: a piece of assembly with a label at every instruction that matters

extern const char path_begin[], path_end[], path_syscall[], path_after_syscall[], path_popf[], path_after_popf[], path_ss[], path_after_ss[],
    path_rep[], path_after_rep[], path_call[], path_callee[], path_loop[], path_jump[], path_landed[], path_cpuid[], path_after_cpuid[],
    path_after_call[];
void path(void);
__asm__(
    ".intel_syntax noprefix\n"
    ".globl path, path_begin, path_end\n"
    "path:\n"
    "    push rbx\n"
    "path_begin:\n"
    "    mov eax, 39\n"  // getpid
    "path_syscall:\n"
    "    syscall\n"
    "path_after_syscall:\n"
    "    pushfq\n"
    "    and dword ptr [rsp], ~0x100\n"
    "path_popf:\n"
    "    popfq\n"  // takes the stepping flag away, which must not be the end of the steps
    "path_after_popf:\n"
    "    mov eax, ss\n"
    "path_ss:\n"
    "    mov ss, eax\n"  // no trap behind it, but behind the next
    "path_after_ss:\n"
    "    nop\n"
    "    lea rsi, scratch[rip]\n"
    "    lea rdi, scratch[rip + 64]\n"
    "    mov ecx, 5\n"
    "path_rep:\n"
    "    rep movsb\n"  // a trap behind each round
    "path_after_rep:\n"
    "path_call:\n"
    "    call path_callee\n"
    "path_after_call:\n"
    "    mov ecx, 3\n"
    "path_loop:\n"
    "    dec ecx\n"
    "path_jump:\n"
    "    jnz path_loop\n"
    "path_landed:\n"
    "    xor eax, eax\n"
    "path_cpuid:\n"
    "    cpuid\n"
    "path_after_cpuid:\n"
    "    pop rbx\n"
    "    ret\n"
    "path_callee:\n"
    "    ret\n"
    "path_end:\n"
    ".att_syntax\n");
char scratch[128] __attribute__((aligned(64)));

static volatile uint64_t watched __attribute__((aligned(16)));
static volatile uint64_t beside[4] __attribute__((aligned(32)));
static int pipe_ends[2];

__attribute__((noinline, noclone)) static uint64_t counted(uint64_t n) {
  __asm__ volatile("" : "+r"(n));
  return n * 3 + 1;
}

static volatile sig_atomic_t handled;
static void on_signal(int number) { handled = number; }

// ---- the debugger's side

static pid_t child;

static void start(void (*work)(void)) {
  fflush(stdout);
  child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    work();
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
}

static void finish(void) {
  int status;
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
}

static struct user_regs_struct registers(void) {
  struct user_regs_struct r;
  ptrace(PTRACE_GETREGS, child, 0, &r);
  return r;
}

/// Go on by `request` until the next stop. Returns the stop's signal, or -1 for the end.
static int go(int request, int give) {
  int status;
  if (ptrace(request, child, 0, give) < 0) return -1;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFSTOPPED(status) ? WSTOPSIG(status) : -1;
}

static long debug_register(unsigned n) { return ptrace(PTRACE_PEEKUSER, child, offsetof(struct user, u_debugreg[n]), 0); }
static int set_debug_register(unsigned n, uint64_t value) {
  return ptrace(PTRACE_POKEUSER, child, offsetof(struct user, u_debugreg[n]), value) == 0;
}
enum { ON_EXECUTE = 0, ON_WRITE = 1, ON_ACCESS = 3 };
static int watch(unsigned n, const volatile void* at, unsigned kind, unsigned bytes) {
  static const unsigned lengths[9] = {0, 0, 1, 0, 3, 0, 0, 0, 2};
  const uint64_t old = debug_register(7);
  const uint64_t field = kind | lengths[bytes] << 2;
  return set_debug_register(n, (uint64_t)at) && set_debug_register(7, old | 1ull << (2 * n) | field << (16 + 4 * n));
}
static unsigned hits(void) {
  const unsigned bits = debug_register(6) & 15;
  set_debug_register(6, 0);
  return bits;
}

// ---- hardware breakpoints and watchpoints

static void call_counted(void) {
  uint64_t sum = 0;
  for (int i = 0; i < 5; i++) sum += counted(i);
  if (sum != 35) _exit(1);
  raise(SIGUSR1);
}
static void hardware_breakpoint(void) {
  start(call_counted);
  CHECK(watch(0, (void*)counted, ON_EXECUTE, 1), "cannot set a breakpoint: %s", strerror(errno));
  for (int i = 0; i < 5; i++) {
    const int stop = go(PTRACE_CONT, 0);
    CHECK(stop == SIGTRAP, "stop %d, not a trap, at call %d", stop, i);
    CHECK(registers().rip == (uint64_t)counted, "at %llx, not at the function", registers().rip);
    CHECK(registers().rdi == (uint64_t)i, "argument %llu, not %d", registers().rdi, i);
    CHECK(hits() == 1, "DR6 does not say breakpoint 0");
    siginfo_t info;
    ptrace(PTRACE_GETSIGINFO, child, 0, &info);
    CHECK(info.si_code == 4 /* TRAP_HWBKPT */, "si_code %d", info.si_code);
  }
  CHECK(go(PTRACE_CONT, 0) == SIGUSR1, "more stops than calls, or a wrong sum");
}

/// The four together: each is told by its own bit.
static void four_breakpoints(void) {
  start(path);
  const char* const at[4] = {path_syscall, path_after_syscall, path_callee, path_landed};
  for (unsigned i = 0; i < 4; i++) CHECK(watch(i, at[i], ON_EXECUTE, 1), "cannot set breakpoint %u", i);
  for (unsigned i = 0; i < 4; i++) {
    CHECK(go(PTRACE_CONT, 0) == SIGTRAP, "no stop at breakpoint %u", i);
    CHECK(registers().rip == (uint64_t)at[i], "breakpoint %u is at %llx", i, registers().rip);
    const unsigned bits = hits();
    CHECK(bits == 1u << i, "breakpoint %u: DR6 %x", i, bits);
  }
}

extern const char wrote_mov[], wrote_byte[], wrote_lock[], wrote_push[], wrote_sse[], wrote_crossing[], wrote_call[], read_mov[];
void write_in_many_ways(void);
__asm__(
    ".intel_syntax noprefix\n"
    "write_in_many_ways:\n"
    "    push rbx\n"
    "    lea rbx, watched_area[rip + 32]\n"
    "    mov qword ptr [rbx], 1\n"
    "wrote_mov:\n"
    "    mov byte ptr [rbx + 7], 2\n"
    "wrote_byte:\n"
    "    mov byte ptr [rbx + 8], 2\n"  // beside it
    "    mov byte ptr [rbx - 1], 2\n"
    "    mov eax, 3\n"
    "    lock xadd [rbx], rax\n"
    "wrote_lock:\n"
    "    mov rdx, rsp\n"
    "    lea rsp, [rbx + 8]\n"
    "    push 9\n"
    "wrote_push:\n"
    "    lea rsp, [rbx + 8]\n"
    "    call 1f\n"
    "1:\n"
    "wrote_call:\n"
    "    mov rsp, rdx\n"
    "    pxor xmm0, xmm0\n"
    "    movdqu [rbx - 8], xmm0\n"
    "wrote_sse:\n"
    "    mov dword ptr [rbx - 3], 0x01020304\n"  // its last byte
    "wrote_crossing:\n"
    "    lea rdi, [rbx - 16]\n"
    "    mov ecx, 8\n"
    "    mov eax, 7\n"
    "    rep stosd\n"
    "    mov rax, [rbx]\n"  // a read, which only a watch for accesses sees
    "read_mov:\n"
    "    pop rbx\n"
    "    ret\n"
    ".att_syntax\n");
char watched_area[64] __attribute__((aligned(64)));

static void watchpoints(unsigned kind) {
  start(write_in_many_ways);
  CHECK(watch(1, watched_area + 32, kind, 8), "cannot set a watchpoint: %s", strerror(errno));
  const char* const single[] = {wrote_mov, wrote_byte, wrote_lock, wrote_push, wrote_call, wrote_sse, wrote_crossing};
  for (unsigned i = 0; i < sizeof single / sizeof *single; i++) {
    const int stop = go(PTRACE_CONT, 0);
    CHECK(stop == SIGTRAP, "stop %d at write %u", stop, i);
    CHECK(registers().rip == (uint64_t)single[i], "write %u stops at %llx, not behind it, at %p", i, registers().rip, single[i]);
    CHECK(hits() == 2, "write %u: DR6 does not say watchpoint 1", i);
  }
  // Of the eight rounds of REP STOSD two write there: a stop behind each, or one behind both.
  CHECK(go(PTRACE_CONT, 0) == SIGTRAP && hits() == 2, "a string is not seen");
  const uint32_t first = ptrace(PTRACE_PEEKDATA, child, watched_area + 32, 0);
  CHECK(first == 7, "the string stopped before it wrote: %x", first);
  CHECK(registers().rcx == 3 || registers().rcx == 2, "the string stops with %llu rounds to go", registers().rcx);
  if (registers().rcx == 3) CHECK(go(PTRACE_CONT, 0) == SIGTRAP && hits() == 2 && registers().rcx == 2, "its second write");
  if (kind == ON_ACCESS) {
    CHECK(go(PTRACE_CONT, 0) == SIGTRAP && hits() == 2, "a read is not seen");
    CHECK(registers().rip == (uint64_t)read_mov, "a read stops at %llx", registers().rip);
  }
  CHECK(go(PTRACE_CONT, 0) == -1, "one stop too many, at %llx", registers().rip);
}
static void watch_writes(void) { watchpoints(ON_WRITE); }
static void watch_accesses(void) { watchpoints(ON_ACCESS); }

static void write_lengths(void) {
  volatile uint8_t* const bytes = (volatile uint8_t*)beside;
  for (unsigned i = 0; i < sizeof beside; i++) bytes[i] = (uint8_t)i;
  raise(SIGUSR1);
}
/// Of every length, at its own alignment: as many stops as bytes.
static void watch_lengths(void) {
  static const unsigned lengths[] = {1, 2, 4, 8};
  for (unsigned k = 0; k < 4; k++) {
    start(write_lengths);
    CHECK(watch(2, (volatile char*)beside + 8, ON_WRITE, lengths[k]), "cannot watch %u bytes", lengths[k]);
    unsigned stops = 0;
    int stop;
    while ((stop = go(PTRACE_CONT, 0)) == SIGTRAP && hits() == 4) stops++;
    CHECK(stop == SIGUSR1, "stop %d", stop);
    CHECK(stops == lengths[k], "%u bytes: %u stops", lengths[k], stops);
    finish();
  }
  start(path);
}

/// The kernel writes it for the program: a trap in ring 0, which Linux keeps to itself.
static void read_into_it(void) {
  if (read(pipe_ends[0], (void*)&watched, 8) != 8) _exit(1);
  raise(SIGUSR1);
}
static void watch_kernel_writes(void) {
  start(read_into_it);
  CHECK(watch(3, &watched, ON_WRITE, 8), "cannot set a watchpoint");
  if (write(pipe_ends[1], "12345678", 8) != 8) return;
  CHECK(go(PTRACE_CONT, 0) == SIGUSR1, "the program does not go on");
  const long value = ptrace(PTRACE_PEEKDATA, child, &watched, 0);
  CHECK(memcmp(&value, "12345678", 8) == 0, "the write is lost: %lx", value);
}

// ---- single steps

static void walk_path(void) {
  path();
  raise(SIGUSR1);
}

static uint64_t seen[4096];
static unsigned seen_count;
static void note(uint64_t rip) {
  if (seen_count < 4096) seen[seen_count++] = rip;
}
static unsigned times(const char* label) {
  unsigned count = 0;
  for (unsigned i = 0; i < seen_count; i++) count += seen[i] == (uint64_t)label;
  return count;
}

/// To path_begin by a breakpoint in the code, taken out again.
static int go_to(const char* label) {
  const long old = ptrace(PTRACE_PEEKTEXT, child, label, 0);
  ptrace(PTRACE_POKETEXT, child, label, (old & ~0xffl) | 0xcc);
  if (go(PTRACE_CONT, 0) != SIGTRAP) return 0;
  struct user_regs_struct r = registers();
  if (r.rip != (uint64_t)label + 1) return 0;
  r.rip--;
  ptrace(PTRACE_SETREGS, child, 0, &r);
  ptrace(PTRACE_POKETEXT, child, label, old);
  return 1;
}

static void single_steps(void) {
  start(walk_path);
  CHECK(go_to(path_begin), "a breakpoint in the code is not hit");
  seen_count = 0;
  while (seen_count < 200 && (seen_count == 0 || seen[seen_count - 1] != (uint64_t)path_after_cpuid)) {
    const int stop = go(PTRACE_SINGLESTEP, 0);
    CHECK(stop == SIGTRAP, "stop %d after %u steps", stop, seen_count);
    note(registers().rip);
  }
  CHECK(times(path_after_syscall) == 1, "the step over SYSCALL does not end behind it");
  CHECK(times(path_after_popf) == 1, "POPF ends the steps, or one is lost behind it");
  CHECK(times(path_after_ss) == 0, "a trap behind MOV SS");
  CHECK(times(path_rep) == 5, "REP MOVSB is left %u times, not 5", times(path_rep));  // before the first, and behind four
  CHECK(times(path_after_rep) == 1, "REP MOVSB does not end");
  CHECK(times(path_callee) == 1 && times(path_after_call) == 1, "CALL and RET");
  CHECK(times(path_loop) == 3 && times(path_jump) == 3 && times(path_landed) == 1, "a loop");
  CHECK(times(path_after_cpuid) == 1, "CPUID");
  CHECK(seen_count == 26, "%u steps, not 26", seen_count);
  // Linux takes the flag for the program's own once it has stepped over POPF.
  struct user_regs_struct r = registers();
  r.eflags &= ~0x100ull;
  ptrace(PTRACE_SETREGS, child, 0, &r);
  CHECK(go(PTRACE_CONT, 0) == SIGUSR1, "the program does not go on");
}

/// From branch to branch: stops are behind taken ones only. (POPF would end them: it loads the flag, and nobody sets it again.)
static void block_steps(void) {
  start(walk_path);
  CHECK(go_to(path_after_popf), "a breakpoint in the code is not hit");
  const char* const expected[] = {path_callee, path_after_call, path_loop, path_loop};
  for (unsigned i = 0; i < 4; i++) {
    const int stop = go(PTRACE_SINGLEBLOCK, 0);
    if (stop == -1 && errno == EIO) {
      skipped = printf("skipped %s: this kernel has no PTRACE_SINGLEBLOCK\n", now);
      return;
    }
    CHECK(stop == SIGTRAP, "stop %d", stop);
    if (registers().rip == (uint64_t)path_ss) {
      skipped = printf("skipped %s: this processor steps by instructions (IA32_DEBUGCTL.BTF)\n", now);
      return;
    }
    CHECK(registers().rip == (uint64_t)expected[i], "stop %u is at %llx, not at %p", i, registers().rip, expected[i]);
  }
  CHECK(go(PTRACE_CONT, 0) == SIGUSR1, "the program does not go on");
}

static void signal_between(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_signal;
  sigaction(SIGUSR2, &action, 0);
  raise(SIGUSR2);
  if (handled != SIGUSR2) _exit(1);
  path();
  raise(SIGUSR1);
}
/// A step that delivers a signal stands at the handler's first instruction; steps go through it and back.
static void steps_into_handlers(void) {
  start(signal_between);
  CHECK(go(PTRACE_CONT, 0) == SIGUSR2, "no signal");
  const uint64_t came_from = registers().rip;
  CHECK(go(PTRACE_SINGLESTEP, SIGUSR2) == SIGTRAP, "no stop at the handler");
  CHECK(registers().rip == (uint64_t)on_signal, "the stop is at %llx, not in the handler", registers().rip);
  CHECK(registers().rdi == SIGUSR2, "the handler's argument");
  unsigned steps = 0;
  while (registers().rip != came_from && steps++ < 200) CHECK(go(PTRACE_SINGLESTEP, 0) == SIGTRAP, "no stop in the handler");
  CHECK(steps >= 3 && steps < 200, "%u steps in the handler", steps);
  CHECK(go(PTRACE_SINGLESTEP, 0) == SIGTRAP, "steps end with the handler");
  CHECK(go_to(path_begin), "the program does not go on");
  CHECK(go(PTRACE_CONT, 0) == SIGUSR1, "the program does not end");
}

static void write_flags(void) {
  uint64_t flags;
  __asm__ volatile("pushfq\n pop %0" : "=r"(flags));
  // The program's own stepping flag, without a debugger's: SIGTRAP behind the next instruction.
  __asm__ volatile("pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n .globl own_step\nown_step:\n nop\n pushfq\n andl $~0x100, (%%rsp)\n popfq" ::: "cc", "memory");
  raise(SIGUSR1);
}
extern const char own_step[];
static void own_flag(void) {
  start(write_flags);
  CHECK(go(PTRACE_CONT, 0) == SIGTRAP, "no trap");
  CHECK(registers().rip == (uint64_t)own_step, "the trap is at %llx, not behind the instruction behind POPF", registers().rip);
  CHECK(registers().eflags & 0x100, "TF is lost");
  int stop, more = 0;
  while ((stop = go(PTRACE_CONT, 0)) == SIGTRAP) more++;
  CHECK(stop == SIGUSR1, "stop %d", stop);
  CHECK(more == 4, "%d more traps, not 4", more);  // NOP, PUSHF, AND, POPF
}

// ---- breakpoints in code that another thread runs

static volatile int stop_threads;
static volatile uint64_t calls_made[2];
static void* caller(void* which) {
  volatile uint64_t* const made = which;
  for (uint64_t i = 0; !stop_threads; i++) {
    if (counted(i) != i * 3 + 1) _exit(2);
    ++*made;
  }
  return 0;
}
static void two_threads(void) {
  pthread_t thread;
  if (pthread_create(&thread, 0, caller, (void*)&calls_made[1])) _exit(3);
  caller((void*)&calls_made[0]);
  pthread_join(thread, 0);
  _exit(0);
}

/// The stop of any thread. Returns its id, or 0 for the end of the program.
static pid_t any_stop(int* status) {
  for (;;) {
    const pid_t who = waitpid(-1, status, __WALL);
    if (who < 0) return 0;
    if (WIFSTOPPED(*status)) return who;
    if (who == child) return 0;
  }
}

/// One thread is stopped and writes the breakpoint; the other meets it while it runs.
static void poked_breakpoints(void) {
  enum { ROUNDS = 60 };
  start(two_threads);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
  ptrace(PTRACE_CONT, child, 0, 0);
  pid_t second = 0;
  int status, started = 0;
  while (started < 2) {  // the event of CLONE, and the new thread's own stop
    const pid_t who = any_stop(&status);
    CHECK(who, "the program ended with %x", status);
    if (who != child) second = who;
    started++;
    ptrace(PTRACE_CONT, who, 0, 0);
  }
  CHECK(second, "no second thread");
  const uint64_t at = (uint64_t)counted;
  unsigned met[2] = {0, 0};
  for (unsigned round = 0; round < ROUNDS; round++) {
    syscall(SYS_tgkill, child, child, SIGSTOP);  // the first stands; the second runs on
    pid_t who = any_stop(&status);
    CHECK(who == child && WSTOPSIG(status) == SIGSTOP, "thread %d stops with %x", (int)who, status);
    const long code = ptrace(PTRACE_PEEKTEXT, child, at, 0);
    ptrace(PTRACE_POKETEXT, child, at, (code & ~0xffl) | 0xcc);
    ptrace(PTRACE_CONT, child, 0, 0);
    pid_t stopped[2] = {0, 0};
    for (unsigned i = 0; i < 2; i++) {
      who = any_stop(&status);
      CHECK(who, "the program ended with %x in round %u", status, round);
      CHECK(WSTOPSIG(status) == SIGTRAP, "round %u: signal %d", round, WSTOPSIG(status));
      struct user_regs_struct r;
      ptrace(PTRACE_GETREGS, who, 0, &r);
      CHECK(r.rip == at + 1, "round %u: thread %u stops at %llx", round, who == second, r.rip);
      met[who == second]++;
      stopped[i] = who;
      r.rip--;
      ptrace(PTRACE_SETREGS, who, 0, &r);
    }
    CHECK(stopped[0] != stopped[1], "one thread stopped twice");
    ptrace(PTRACE_POKETEXT, child, at, code);
    // Each steps over the instruction that is back, then runs.
    for (unsigned i = 0; i < 2; i++) {
      ptrace(PTRACE_SINGLESTEP, stopped[i], 0, 0);
      CHECK(waitpid(stopped[i], &status, __WALL) == stopped[i] && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP,
            "round %u: no step, %x", round, status);
      ptrace(PTRACE_CONT, stopped[i], 0, 0);
    }
  }
  CHECK(met[0] == ROUNDS && met[1] == ROUNDS, "%u and %u stops", met[0], met[1]);
  // Both still compute, and end well when told.
  syscall(SYS_tgkill, child, child, SIGSTOP);
  CHECK(any_stop(&status) == child, "the end");
  CHECK(ptrace(PTRACE_PEEKDATA, child, &calls_made[0], 0) >= ROUNDS && ptrace(PTRACE_PEEKDATA, child, &calls_made[1], 0) >= ROUNDS,
        "the threads hardly ran");
  ptrace(PTRACE_POKEDATA, child, &stop_threads, 1l);
  ptrace(PTRACE_CONT, child, 0, 0);
  while (any_stop(&status)) {
  }
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the program ended with %x", status);
}

struct test {
  const char* name;
  void (*run)(void);
  int hardware;  // needs debug registers
};
static const struct test tests[] = {
    {"hardware-breakpoint", hardware_breakpoint, 1},
    {"four-breakpoints", four_breakpoints, 1},
    {"watch-writes", watch_writes, 1},
    {"watch-accesses", watch_accesses, 1},
    {"watch-lengths", watch_lengths, 1},
    {"watch-kernel-writes", watch_kernel_writes, 1},
    {"single-steps", single_steps, 0},
    {"block-steps", block_steps, 1},
    {"steps-into-handlers", steps_into_handlers, 0},
    {"own-flag", own_flag, 0},
    {"poked-breakpoints", poked_breakpoints, 0},
};

int main(int argc, char** argv) {
  int hardware = 1;
  if (argc > 1 && strcmp(argv[1], "--no-hardware") == 0) hardware = 0, argc--, argv++;
  if (pipe(pipe_ends)) return 2;
  unsigned run = 0;
  for (unsigned i = 0; i < sizeof tests / sizeof *tests; i++) {
    int wanted = argc == 1 && (hardware || !tests[i].hardware);
    for (int k = 1; k < argc; k++) wanted |= strcmp(argv[k], tests[i].name) == 0;
    if (!wanted) continue;
    now = tests[i].name;
    const int before = failures;
    skipped = 0;
    alarm(60);
    tests[i].run();
    alarm(0);
    finish();
    if (failures == before && !skipped) printf("ok %s\n", now);
    run++;
  }
  printf("%u run, %d failed\n", run, failures);
  return failures != 0;
}
