// Processes: wake-ups across them, and the nursery that starts and reaps them.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

#include "host/engine_process.h"
#include "transport_test.h"

using namespace rz;
using namespace rz::shared;
using rz::test::Pair;

CASE(two_processes, "exits work between two processes, whose mappings differ") {
  Pair pair;
  const int ram = pair.link->ram()->fd(), control = pair.link->control_region().fd();
  constexpr u64 kRounds = 300;
  const pid_t child = fork();
  if (child == 0) {
    peer::EnginePeer peer;
    const char* why = nullptr;
    if (!peer.open(ram, control, &why)) _exit(3);
    for (u64 i = 0; i < kRounds; ++i) {
      if (peer.exit(0, ExitKind::kPortIn, 0x10, 4, 0) != i * 3) _exit(4);
    }
    _exit(0);
  }
  for (u64 served = 0; served < kRounds;) {
    pair.link->wait_for_work(100'000'000, 1000);
    if ((pair.link->take_work().exits & 1) == 0) continue;
    host::Exit exit;
    if (pair.link->read_exit(0, exit)) pair.link->answer_exit(exit, 3 * served++);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

CASE(sealed, "the other process cannot shrink or grow the memory under us") {
  Pair pair;
  CHECK(ftruncate(pair.link->ram()->fd(), 0) != 0 && errno == EPERM);
  CHECK(ftruncate(pair.link->control_region().fd(), 1 << 30) != 0 && errno == EPERM);
}

CASE(reaping, "a process that ends, is killed or cannot start is reported once") {
  std::atomic<int> ended{0};
  std::shared_ptr<host::EngineProcess> process;
  host::EngineProcess::Launch launch;
  launch.path = "/bin/sh";
  launch.args = {"-c", "exit 7"};
  launch.on_exit = [&] { ++ended; };
  CHECK(host::EngineProcess::start(launch, process).ok());
  CHECK(process->wait_reaped(5000));
  host::ExitStatus status;
  CHECK(process->exited(&status) && status.known && status.signal == 0 && status.code == 7);

  launch.args = {"-c", "kill -STOP $$; sleep 100"};
  CHECK(host::EngineProcess::start(launch, process).ok());
  CHECK(!process->wait_reaped(50));
  process->kill();
  process->kill();
  CHECK(process->wait_reaped(5000) && process->exited(&status) && status.signal == SIGKILL);
  process->kill();  // the number may be another's by now: nothing is sent

  launch.path = "/nonexistent/ringzero-engine";
  const host::Outcome outcome = host::EngineProcess::start(launch, process);
  CHECK(!outcome.ok() && outcome.host_errno == ENOENT);
  for (int i = 0; i < 100 && ended != 2; ++i) usleep(10'000);
  CHECK(ended == 2);
}

CASE(standard_streams, "a started process has its three standard streams open, also when ours are close-on-exec") {
  fcntl(STDERR_FILENO, F_SETFD, FD_CLOEXEC);
  std::shared_ptr<host::EngineProcess> process;
  host::EngineProcess::Launch launch;
  launch.path = "/bin/sh";
  launch.args = {"-c", "[ -e /proc/self/fd/0 ] && [ -e /proc/self/fd/1 ] && [ -e /proc/self/fd/2 ]"};
  CHECK(host::EngineProcess::start(launch, process).ok());
  host::ExitStatus status;
  CHECK(process->wait_reaped(5000) && process->exited(&status) && status.signal == 0 && status.code == 0);
}

CASE(deserter, "a process that closes its life line without ending is ended") {
  std::shared_ptr<host::EngineProcess> process;
  host::EngineProcess::Launch launch;
  launch.path = "/bin/sh";
  launch.args = {"-c", "exec 3>&-; sleep 100"};
  CHECK(host::EngineProcess::start(launch, process).ok());
  host::ExitStatus status;
  CHECK(process->wait_reaped(5000) && process->exited(&status) && status.signal == SIGKILL);
}
