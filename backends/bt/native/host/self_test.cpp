// The self-test: memory that is written and executed through two mappings, and timers that reach a thread.
#include "self_test.h"

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

}  // namespace

int self_test() {
  for (auto* check : {execute_written_code, create_thread_timer}) {
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
