// ringzero-engine: the process that runs one machine. Started by the addon with three descriptors (3 the life line,
// 4 guest RAM, 5 the control area) as `--machine NAME --looked NS TSC`; it ends when the embedder kills it or dies.
// Also: --self-test (does this host run the engine?), --step (lockstep, step.h) and --version.
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cpu/tsc.h"
#include "crash.h"
#include "debug/trace.h"
#include "engine.h"
#include "life_line.h"
#include "self_test.h"
#include "step.h"

namespace {

constexpr int kLifeLineFd = 3, kRamFd = 4, kControlFd = 5, kFirstStrangeFd = 6;

void close_strange_descriptors() {
  if (syscall(SYS_close_range, kFirstStrangeFd, ~0u, 0) == 0) return;
  rlimit limit;  // kernels before 5.9
  getrlimit(RLIMIT_NOFILE, &limit);
  for (int fd = kFirstStrangeFd; fd < static_cast<int>(limit.rlim_cur) && fd < 65536; ++fd) close(fd);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace rz;
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("ringzero-engine, shared memory version %u\n", shared::kVersion);
    return 0;
  }
  if (argc == 2 && strcmp(argv[1], "--self-test") == 0) return self_test();
  if (argc >= 2 && strcmp(argv[1], "--step") == 0) return step_main(argc - 2, argv + 2);
  if (argc < 2 || strcmp(argv[1], "--machine") != 0) {
    fprintf(stderr,
            "usage: ringzero-engine --self-test | --step SCRIPT … | --version\nMachines are started by the ringzero "
            "addon.\n");
    return 64;
  }
  if (argc == 6 && strcmp(argv[3], "--looked") == 0) {
    tsc_looked_at({strtoull(argv[4], nullptr, 10), strtoull(argv[5], nullptr, 10)});
  }
  const rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  close_strange_descriptors();
  for (int fd = kLifeLineFd; fd < kFirstStrangeFd; ++fd) fcntl(fd, F_SETFD, FD_CLOEXEC);

  static peer::EnginePeer peer;
  const char* why = nullptr;
  if (!peer.open(kRamFd, kControlFd, &why)) {
    fprintf(stderr, "ringzero-engine: %s\n", why);
    return 65;
  }
  close(kRamFd);
  install_crash_handlers(peer);
  enter_thread("control");
  watch_life_line(kLifeLineFd);
  char title[16];
  snprintf(title, sizeof title, "rz:%.12s", peer.header().name);
  prctl(PR_SET_NAME, title);

  HostOptions options;
  std::string error;
  options.engine.no_opt =
      getenv("RINGZERO_NO_OPT") != nullptr;  // for whoever suspects the optimiser: no change of program needed
  if (const char* verify = getenv("RINGZERO_VERIFY")) options.engine.verify = strcmp(verify, "0") != 0;
  const char* trace = getenv("RINGZERO_TRACE");
  if (const char* file = getenv("RINGZERO_TRACE_FILE")) options.trace_file = file;
  if (!parse_options(peer.header().options, options, error)) {
    error = "unknown engine option, or a value that is not possible: " + error;
  } else if (trace && options.engine.trace == 0 && !parse_trace(trace, options.engine.trace)) {
    error = std::string("RINGZERO_TRACE: there are flags that are not known in ") + trace;
  } else if (start_trace(options, error)) {
    static Engine engine(peer);
    const bool built = engine.build(options, kControlFd, error);
    close(kControlFd);
    if (built) engine.serve();
  }
  error += '\n';
  shared::append_text(peer.area().flight, error.data(), error.size());
  return 66;
}
