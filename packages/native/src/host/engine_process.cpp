// The nursery thread: posix_spawn of engine programs, and reaping when their life line ends.
#include "engine_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

extern char** environ;

namespace rz::host {

namespace {

constexpr int kFirstFd = 3;

/// A descriptor number that placing 3, 4, 5 … in the child cannot overwrite.
int move_up(int fd) {
  const int moved = fcntl(fd, F_DUPFD_CLOEXEC, 16);
  close(fd);
  return moved;
}

Outcome spawn(const EngineProcess::Launch& launch, int peer_socket, pid_t& pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  // Node marks its own standard streams close-on-exec; onto itself, dup2 takes that mark off in the child.
  if (fcntl(STDERR_FILENO, F_GETFD) >= 0) {
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDERR_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  }
  posix_spawn_file_actions_adddup2(&actions, peer_socket, kFirstFd);
  for (size_t i = 0; i < launch.fds.size(); ++i) {
    posix_spawn_file_actions_adddup2(&actions, launch.fds[i], kFirstFd + 1 + static_cast<int>(i));
  }
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  // A session of its own: Ctrl-C on the embedder's terminal is the embedder's to handle.
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);

  std::vector<char*> argv{const_cast<char*>(launch.path.c_str())};
  for (const std::string& arg : launch.args) argv.push_back(const_cast<char*>(arg.c_str()));
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid, launch.path.c_str(), &actions, &attributes, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return error == 0 ? Outcome{} : Outcome::failed("posix_spawn", error);
}

}  // namespace

class Nursery {
 public:
  static Nursery& get() {
    static Nursery* nursery = new Nursery;  // never destroyed: its thread lives as long as the program
    return *nursery;
  }

  Outcome start(EngineProcess::Launch launch, std::shared_ptr<EngineProcess>& out) {
    Request request{&launch, {}, nullptr, false};
    std::unique_lock lock(mutex_);
    if (Outcome up = ensure_thread(); !up.ok()) return up;
    requests_.push_back(&request);
    poke();
    answered_.wait(lock, [&] { return request.done; });
    out = std::move(request.process);
    return request.outcome;
  }

 private:
  struct Request {
    EngineProcess::Launch* launch;
    Outcome outcome;
    std::shared_ptr<EngineProcess> process;
    bool done;
  };

  Outcome ensure_thread() {
    if (event_fd_ >= 0) return {};
    event_fd_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (event_fd_ < 0) return Outcome::failed("eventfd", errno);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);  // the embedder's signals are not for this thread
    std::thread([this] { serve(); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }

  void poke() {
    const unsigned long long one = 1;
    (void)!write(event_fd_, &one, sizeof one);
  }

  void serve() {
    prctl(PR_SET_NAME, "rz-nursery");
    std::vector<pollfd> polled;
    for (;;) {
      polled.assign(1, pollfd{event_fd_, POLLIN, 0});
      for (const auto& child : children_) polled.push_back(pollfd{child->life_line_, POLLIN, 0});
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      for (size_t i = polled.size(); i-- > 1;) {
        if (polled[i].revents != 0) reap_if_ended(i - 1);
      }
      if (polled[0].revents != 0) {
        unsigned long long count;
        (void)!read(event_fd_, &count, sizeof count);
        serve_requests();
      }
    }
  }

  void serve_requests() {
    std::unique_lock lock(mutex_);
    while (!requests_.empty()) {
      Request* request = requests_.back();
      requests_.pop_back();
      lock.unlock();
      request->outcome = begin(*request->launch, request->process);
      lock.lock();
      request->done = true;
      answered_.notify_all();
    }
  }

  Outcome begin(EngineProcess::Launch& launch, std::shared_ptr<EngineProcess>& out) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return Outcome::failed("socketpair", errno);
    ends[0] = move_up(ends[0]);
    ends[1] = move_up(ends[1]);
    if (ends[0] < 0 || ends[1] < 0) {
      const int host_errno = errno;
      if (ends[0] >= 0) close(ends[0]);
      if (ends[1] >= 0) close(ends[1]);
      return Outcome::failed("fcntl(F_DUPFD_CLOEXEC)", host_errno);
    }
    auto process = std::shared_ptr<EngineProcess>(new EngineProcess);
    Outcome spawned = spawn(launch, ends[1], process->pid_);
    close(ends[1]);
    if (!spawned.ok()) {
      close(ends[0]);
      return spawned;
    }
    process->life_line_ = ends[0];
    process->on_exit_ = std::move(launch.on_exit);
    children_.push_back(process);
    out = std::move(process);
    return {};
  }

  void reap_if_ended(size_t index) {
    std::shared_ptr<EngineProcess> child = children_[index];
    char byte;
    const ssize_t got = recv(child->life_line_, &byte, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;  // an engine that talks here is out of its mind: end it
    ::kill(child->pid_, SIGKILL);  // an engine that merely closed its end; no effect on one that is ending
    int raw = 0;
    pid_t waited;
    do { waited = waitpid(child->pid_, &raw, 0); } while (waited < 0 && errno == EINTR);
    ExitStatus status;
    if (waited == child->pid_) {
      status.known = true;
      if (WIFSIGNALED(raw)) status.signal = WTERMSIG(raw);
      if (WIFEXITED(raw)) status.code = WEXITSTATUS(raw);
    }
    close(child->life_line_);
    child->life_line_ = -1;
    {
      std::lock_guard lock(child->mutex_);
      child->reaped_ = true;
      child->status_ = status;
      child->reaped_changed_.notify_all();
    }
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(index));
    if (child->on_exit_) child->on_exit_();
    child->on_exit_ = nullptr;
  }

  std::mutex mutex_;  // guards requests_ and event_fd_'s creation
  std::condition_variable answered_;
  std::vector<Request*> requests_;
  int event_fd_ = -1;
  std::vector<std::shared_ptr<EngineProcess>> children_;  // nursery thread only
};

Outcome EngineProcess::start(Launch launch, std::shared_ptr<EngineProcess>& out) {
  return Nursery::get().start(std::move(launch), out);
}

EngineProcess::~EngineProcess() = default;

void EngineProcess::kill() {
  std::lock_guard lock(mutex_);
  if (!reaped_) ::kill(pid_, SIGKILL);
}

bool EngineProcess::exited(ExitStatus* status) const {
  std::lock_guard lock(mutex_);
  if (reaped_ && status != nullptr) *status = status_;
  return reaped_;
}

bool EngineProcess::wait_reaped(int timeout_ms) const {
  std::unique_lock lock(mutex_);
  return reaped_changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [&] { return reaped_; });
}

}  // namespace rz::host
