// Implementation of the waiter thread.
#include "waiter.h"

#include <signal.h>
#include <sys/prctl.h>

namespace rz::host {

namespace {
constexpr u64 kNapNs = 100'000'000;  // bounds the harm of a lost wake-up; ten looks a second cost nothing
}

Waiter::Waiter(EngineLink& link, std::function<void()> on_work) : link_(link), on_work_(std::move(on_work)) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Waiter::~Waiter() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  link_.wake_host();
  thread_.join();
}

void Waiter::rearm() {
  std::lock_guard lock(mutex_);
  armed_ = true;
  changed_.notify_all();
}

void Waiter::alert() {
  alert_ = true;
  link_.wake_host();
}

void Waiter::serve() {
  prctl(PR_SET_NAME, "rz-waiter");
  while (!stopping_) {
    while (!stopping_ && !alert_ && !link_.has_work()) {
      // `alert_` and `stopping_` are set before the word is bumped, has_work looks after observing it.
      link_.wait_for_work_unless(kNapNs, [this] { return stopping_ || alert_.load(); });
    }
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    armed_ = false;
    lock.unlock();
    alert_ = false;  // before the call: an alert during it is another one
    on_work_();
    lock.lock();
    changed_.wait(lock, [this] { return armed_ || stopping_; });
  }
}

}  // namespace rz::host
