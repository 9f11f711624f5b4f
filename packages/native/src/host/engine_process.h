// The engine's process as its parent sees it: started, killed, reaped. One "nursery" thread in the whole program
// starts and reaps all of them, because PR_SET_PDEATHSIG follows the *thread* that forked: a worker thread that ends
// must not take machines with it unasked. Reaping waits for the end of a socket that only the engine holds, and then
// for that one pid, so SIGCHLD and the children of the embedder are left alone.
#pragma once

#include <sys/types.h>

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "outcome.h"

namespace rz::host {

struct ExitStatus {
  bool known = false;  // false: the embedder ignores SIGCHLD, so that the kernel threw it away
  int signal = 0;      // 0 when it exited by itself
  int code = 0;
};

class EngineProcess {
 public:
  struct Launch {
    std::string path;               // of the program
    std::vector<std::string> args;  // after argv[0]
    std::vector<int> fds;           // placed at 4, 5, …; the life-line socket is 3
    std::function<void()> on_exit;  // called once by the nursery thread after reaping; must be quick
  };

  /// Any thread. The process runs when this returns ok; an exec that fails is reported here.
  static Outcome start(Launch launch, std::shared_ptr<EngineProcess>& out);
  ~EngineProcess();

  /// SIGKILL unless already reaped. Any thread; idempotent.
  void kill();
  /// True once reaped.
  bool exited(ExitStatus* status = nullptr) const;
  /// Wait until reaped; false after `timeout_ms`.
  bool wait_reaped(int timeout_ms) const;
  pid_t pid() const { return pid_; }

 private:
  friend class Nursery;
  EngineProcess() = default;
  mutable std::mutex mutex_;  // guards reaped_ and status_: a pid is signalled only while it is ours
  mutable std::condition_variable reaped_changed_;
  bool reaped_ = false;
  ExitStatus status_;
  pid_t pid_ = -1;
  int life_line_ = -1;  // our end of the socket; closed by the nursery
  std::function<void()> on_exit_;
};

}  // namespace rz::host
