// A shell that counts: fork-free interpretation by BusyBox, found as $BUSYBOX, or /bin/busybox.
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

static const char* busybox(void) {
  const char* path = getenv("BUSYBOX");
  return path ? path : "/bin/busybox";
}
static int prepare(void) { return access(busybox(), X_OK); }
enum { kSteps = 1000 };  // per iteration, so that starting the shell weighs little
static void shell_loop(uint64_t n) {
  char script[128];
  snprintf(script, sizeof script, "i=0; while [ $i -lt %llu ]; do i=$((i+1)); done", (unsigned long long)n * kSteps);
  const pid_t pid = fork();
  if (pid == 0) {
    execl(busybox(), "sh", "-c", script, (char*)0);
    _exit(127);
  }
  waitpid(pid, 0, 0);
}

const struct workload shell_workloads[] = {{"shell-loop", "ns/step", kSteps, prepare, shell_loop}, {0}};
