// The self-test: memory that is written and executed through two mappings, timers, and a guest of three instructions.
#include "self_test.h"

#include "assemble.h"
#include "irq/platform.h"
#include "irq/wait.h"
#include "mmu/phys_memory.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <initializer_list>

namespace rz {

namespace {

/// Null, or what does not work.
const char* execute_written_code() {
  const int fd = memfd_create("ringzero-self-test", MFD_CLOEXEC);
  if (fd < 0) return "memfd_create";
  if (ftruncate(fd, 4096) != 0) return "ftruncate of a memfd";
  void* writable = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  void* executable = mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  close(fd);
  if (writable == MAP_FAILED) return "mapping a memfd for writing";
  if (executable == MAP_FAILED) return "mapping a memfd for execution (is code execution from memory forbidden here?)";
  const unsigned char code[] = {0xb8, 0x2a, 0x00, 0x00, 0x00, 0xc3};  // mov eax, 42; ret
  memcpy(writable, code, sizeof code);
  int (*function)();
  memcpy(&function, &executable, sizeof function);
  return function() == 42 ? nullptr : "code written through the other mapping";
}

const char* create_thread_timer() {
  sigevent event = {};
  event.sigev_notify = SIGEV_NONE;
  timer_t timer;
  if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0) return "timer_create";
  timer_delete(timer);
  return nullptr;
}

/// Remembers what was written to port 80h, and stops the guest then.
class PortEighty final : public Bus {
 public:
  u64 io_read(Vcpu&, u16, unsigned) override { return ~0ull; }
  void io_write(Vcpu& vcpu, u16 port, unsigned, u64 value) override {
    if (port == 0x80) seen = value;
    notify(vcpu, kAttnStop);
  }
  u64 mmio_read(Vcpu&, u64, unsigned) override { return ~0ull; }
  void mmio_write(Vcpu&, u64, unsigned, u64) override {}
  u64 seen = 0;
};

const char* run_guest() {
  static const u8 kCode[] = {0xb0, 0x29, 0xfe, 0xc0, 0xe6, 0x80, 0xf4};  // mov al,41; inc al; out 80h,al; hlt
  constexpr u64 kRomBase = 0xffff0000, kResetOffset = 0xfff0, kRomBytes = 0x10000;
  void* rom = mmap(nullptr, kRomBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (rom == MAP_FAILED) return "mmap";
  memcpy(static_cast<u8*>(rom) + kResetOffset, kCode, sizeof kCode);
  static PhysMemory memory;
  static Machine machine;
  std::string error;
  if (!memory.add({kRomBase, kRomBytes, static_cast<u8*>(rom), true})) return "a memory slot";
  machine.memory = &memory;
  machine.options.code_cache_bytes = 4 << 20;
  machine.tsc_hz = 1'000'000'000;  // this guest does not ask for the time
  if (!assemble(machine, "x86-64-v2", 1, nullptr, 0, error)) return "making a machine";
  static IrqPlatform irq(machine);
  static PortEighty bus;
  machine.irq = &irq;
  machine.bus = &bus;
  power_on(machine);
  irq.reset();
  if (run(*machine.vcpus[0]) != RunExit::kStopped) return "running a guest";
  return bus.seen == 42 ? nullptr : "a guest's arithmetic";
}

}  // namespace

int self_test() {
  for (auto* check : {execute_written_code, create_thread_timer, run_guest}) {
    errno = 0;
    if (const char* what = check(); what != nullptr) {
      printf("failed: %s: %s\n", what, strerror(errno));
      return 1;
    }
  }
  printf("ok\n");
  return 0;
}

}  // namespace rz
