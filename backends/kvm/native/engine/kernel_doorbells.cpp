// Placing eventfds and waiting for them.
#include "kernel_doorbells.h"

#include <signal.h>
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace rz::kvm {

using namespace shared;

namespace {

constexpr u32 kStop = ~0u;  // in place of a slot

kvm_ioeventfd match_of(u64 key, u64 value, int fd) {
  kvm_ioeventfd match = {};
  match.addr = key & kDoorbellAddressMask;
  match.len = static_cast<u32>(key >> 56 & 15);
  match.fd = fd;
  if ((key & kDoorbellMmio) == 0) match.flags |= KVM_IOEVENTFD_FLAG_PIO;
  if ((key & kDoorbellMatchValue) != 0) {
    match.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
    match.datamatch = value;
  }
  return match;
}

bool listen(int poll, int fd, u32 slot) {
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.u32 = slot;
  return epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) == 0;
}

}  // namespace

KernelDoorbells::~KernelDoorbells() {
  if (!thread_.joinable()) return;
  (void)eventfd_write(stop_.get(), 1);
  thread_.join();
}

bool KernelDoorbells::start() {
  if (thread_.joinable()) return true;
  poll_ = Fd(epoll_create1(EPOLL_CLOEXEC));
  stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (poll_.get() < 0 || stop_.get() < 0 || !listen(poll_.get(), stop_.get(), kStop)) return false;
  sigset_t all, before;  // signals are for the embedder's own threads
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { serve(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return true;
}

void KernelDoorbells::set(u32 slot, u64 key, u64 value) {
  std::lock_guard guard(lock_);
  Bell& bell = bells_[slot];
  if (bell.event.get() >= 0) take_away(bell);
  if (key == 0) return;
  Fd event(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (event.get() < 0 || !start()) return;
  bell.match = match_of(key, value, event.get());
  if (!call(vm_, kIoeventfd, &bell.match).ok()) return;
  bell.event = std::move(event);
  // Unheard, it would swallow writes.
  if (!listen(poll_.get(), bell.event.get(), slot)) take_away(bell);
}

void KernelDoorbells::take_away(Bell& bell) {
  bell.match.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
  (void)call(vm_, kIoeventfd, &bell.match).ok();  // it was assigned just so
  bell.event.reset();                             // leaves the epoll set with its last descriptor
}

void KernelDoorbells::ring(u32 slot) {
  eventfd_t writes;
  if (bells_[slot].event.get() < 0 || eventfd_read(bells_[slot].event.get(), &writes) != 0) return;
  writes_.fetch_add(writes, std::memory_order_relaxed);
  peer_.ring_slot(slot);
}

void KernelDoorbells::drain() {
  std::lock_guard guard(lock_);
  for (u32 slot = 0; slot < kMaxDoorbells; ++slot) ring(slot);
}

void KernelDoorbells::serve() {
  prctl(PR_SET_NAME, "rz-kvm-bells");
  for (;;) {
    epoll_event events[32];
    const int count = epoll_wait(poll_.get(), events, 32, -1);
    if (count < 0 && errno != EINTR) return;
    std::lock_guard guard(lock_);
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u32 == kStop) return;
      ring(events[i].data.u32);
    }
  }
}

}  // namespace rz::kvm
