// What programs ask of the kernel: system calls, pipes, processes, page faults, signals, mappings, files.
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "workload.h"

static void getppid_loop(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) syscall(SYS_getppid);
}

static int to_child[2], to_parent[2];
static pid_t echo_child;
static void stop_echo(void) {
  if (echo_child > 0) kill(echo_child, SIGKILL);
}
static int prepare_pipe(void) {
  if (echo_child) return 0;
  if (pipe(to_child) || pipe(to_parent)) return -1;
  echo_child = fork();
  if (echo_child == 0) {
    char c;
    close(to_child[1]);
    while (read(to_child[0], &c, 1) == 1)
      if (write(to_parent[1], &c, 1) != 1) break;
    _exit(0);
  }
  atexit(stop_echo);
  return echo_child > 0 ? 0 : -1;
}
static void pipe_round_trip(uint64_t n) {
  char c = 'x';
  for (uint64_t i = 0; i < n; i++)
    if (write(to_child[1], &c, 1) != 1 || read(to_parent[0], &c, 1) != 1) abort();
}

static void fork_exit(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    const pid_t pid = fork();
    if (pid == 0) _exit(0);
    waitpid(pid, 0, 0);
  }
}
static void fork_exec(uint64_t n) {
  for (volatile uint64_t i = 0; i < n; i++) {
    const pid_t pid = vfork();
    if (pid == 0) {
      execl("/proc/self/exe", "bench", "--child", (char*)0);
      _exit(127);
    }
    waitpid(pid, 0, 0);
  }
}
enum { kPages = 1024 };  // per iteration
static void page_fault(uint64_t n) {
  for (uint64_t round = 0; round < n; round++) {
    char* p = mmap(0, kPages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(p, kPages * 4096, MADV_NOHUGEPAGE);
    for (int i = 0; i < kPages; i++) p[i * 4096] = 1;
    munmap(p, kPages * 4096);
  }
}
static void on_signal(int s) { (void)s; }
static int prepare_signal(void) { return signal(SIGUSR1, on_signal) == SIG_ERR ? -1 : 0; }
static void signal_self(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) raise(SIGUSR1);
}

static char* page;
static int prepare_page(void) {
  if (page) return 0;
  page = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED ? -1 : 0;
}
static void mprotect_pair(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    mprotect(page, 4096, PROT_READ);
    mprotect(page, 4096, PROT_READ | PROT_WRITE);
    page[0] = 1;
  }
}
static void mmap_munmap(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    char* p = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    p[0] = 1;
    munmap(p, 65536);
  }
}
static void open_close(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) close(open("/proc/self/exe", O_RDONLY));
}

static int file = -1;
static char block[65536];
static int prepare_file(void) {
  if (file < 0) file = memfd_create("bench", 0);
  return file >= 0 && write(file, block, sizeof block) == sizeof block ? 0 : -1;
}
static void file_write_read(uint64_t n) {
  for (uint64_t i = 0; i < n; i++)
    if (pwrite(file, block, sizeof block, 0) != sizeof block || pread(file, block, sizeof block, 0) != sizeof block)
      abort();
}

const struct workload kernel_workloads[] = {{"getppid", "ns/op", 1, 0, getppid_loop},
                                            {"pipe-round-trip", "ns/op", 1, prepare_pipe, pipe_round_trip},
                                            {"fork-exit", "ns/op", 1, 0, fork_exit},
                                            {"fork-exec", "ns/op", 1, 0, fork_exec},
                                            {"page-fault", "ns/op", kPages, 0, page_fault},
                                            {"signal", "ns/op", 1, prepare_signal, signal_self},
                                            {"mprotect-pair", "ns/op", 1, prepare_page, mprotect_pair},
                                            {"mmap-munmap", "ns/op", 1, 0, mmap_munmap},
                                            {"open-close", "ns/op", 1, 0, open_close},
                                            {"tmpfs-write-read-64k", "ns/op", 1, prepare_file, file_write_read},
                                            {0}};
