// Timer queue of one vCPU's thread; see timers.h.
#include "timers.h"

#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wait.h"

#ifndef sigev_notify_thread_id  // glibc leaves the name to the kernel's header
#define sigev_notify_thread_id _sigev_un._tid
#endif

namespace rz {

int timer_signal() { return SIGRTMIN + 2; }
namespace {

// Runs on the vCPU's alternate stack, over translated code: guest GS, guest FPU state. One locked OR and out.
void on_timer_signal(int, siginfo_t* info, void*) {
  if (info->si_code != SI_TIMER) return;
  static_cast<Vcpu*>(info->si_value.sival_ptr)->attention.fetch_or(kAttnTimer, std::memory_order_seq_cst);
}

sigset_t timer_signal_set() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, timer_signal());
  return set;
}

}  // namespace

TimerQueue::~TimerQueue() {
  if (host_bound_) unbind_thread();
}

unsigned TimerQueue::add(Callback callback, void* context) {
  std::lock_guard guard(lock_);
  if (count_ == kMaxTimers) __builtin_trap();  // a fixed set, made at construction
  timers_[count_] = {kNever, callback, context};
  return count_++;
}

void TimerQueue::arm(unsigned timer, u64 deadline_ns) {
  std::lock_guard guard(lock_);
  timers_[timer].deadline_ns = deadline_ns;
  const u64 before = earliest_.load(std::memory_order_relaxed);
  refresh_earliest();
  const u64 earliest = earliest_.load(std::memory_order_relaxed);
  if (earliest >= before) return;  // later or the same: an early host signal sorts itself out in run()
  if (host_bound_) {
    rearm_host(clock_.now_ns());  // also when the host timer fired for a deadline cancelled since: it is not armed then
  } else {
    notify(vcpu_, kAttnTimer);  // nobody will signal: let the run loop or the sleeper look at the new deadline
  }
}

void TimerQueue::run() {
  u64 now = clock_.now_ns();
  if (now < next_deadline_ns()) {
    if (next_deadline_ns() == kNever) return;
    std::lock_guard guard(lock_);
    rearm_host(now);
    return;
  }
  for (unsigned i = 0; i < count_; ++i) {
    Callback callback = nullptr;
    void* context = nullptr;
    {
      std::lock_guard guard(lock_);
      if (timers_[i].deadline_ns > now) continue;
      timers_[i].deadline_ns = kNever;
      callback = timers_[i].callback;
      context = timers_[i].context;
    }
    callback(context, now);
  }
  now = clock_.now_ns();
  std::lock_guard guard(lock_);
  refresh_earliest();
  rearm_host(now);
}

void TimerQueue::refresh_earliest() {
  u64 earliest = kNever;
  for (unsigned i = 0; i < count_; ++i) {
    if (timers_[i].deadline_ns < earliest) earliest = timers_[i].deadline_ns;
  }
  earliest_.store(earliest, std::memory_order_release);
}

void TimerQueue::rearm_host(u64 now_ns) {
  const u64 earliest = earliest_.load(std::memory_order_relaxed);
  if (host_armed_ns_ <= now_ns) host_armed_ns_ = kNever;  // it fired
  if (earliest <= now_ns) {
    vcpu_.request(kAttnTimer);
    if (host_bound_) wake(vcpu_);
    return;
  }
  if (!host_bound_ || earliest >= host_armed_ns_) return;
  itimerspec when{};
  when.it_value.tv_sec = static_cast<time_t>(earliest / 1'000'000'000u);
  when.it_value.tv_nsec = static_cast<long>(earliest % 1'000'000'000u);
  if (timer_settime(host_timer_, TIMER_ABSTIME, &when, nullptr) == 0) host_armed_ns_ = earliest;
}

bool TimerQueue::bind_thread() {
  struct sigaction action {};
  action.sa_sigaction = on_timer_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  sigfillset(&action.sa_mask);
  if (sigaction(timer_signal(), &action, nullptr) != 0) return false;

  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = timer_signal();
  event.sigev_value.sival_ptr = &vcpu_;
  event.sigev_notify_thread_id = static_cast<pid_t>(syscall(SYS_gettid));
  const sigset_t set = timer_signal_set();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);

  std::lock_guard guard(lock_);
  if (host_bound_) return true;
  if (timer_create(CLOCK_MONOTONIC, &event, &host_timer_) != 0) return false;
  host_bound_ = true;
  host_armed_ns_ = kNever;
  if (earliest_.load(std::memory_order_relaxed) != kNever) rearm_host(clock_.now_ns());
  return true;
}

void TimerQueue::unbind_thread() {
  const sigset_t set = timer_signal_set();
  sigset_t previous;
  pthread_sigmask(SIG_BLOCK, &set, &previous);
  {
    std::lock_guard guard(lock_);
    if (host_bound_) timer_delete(host_timer_);
    host_bound_ = false;
    host_armed_ns_ = kNever;
  }
  // The signal carries a pointer to the vCPU, which may go away next.
  const timespec no_wait{};
  while (sigtimedwait(&set, nullptr, &no_wait) >= 0) {}
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
}

}  // namespace rz
