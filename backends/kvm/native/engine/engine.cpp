// Construction of the machine, the life of its threads, and their end.
#include "engine.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "shared/flight.h"

namespace rz::kvm {

using namespace shared;

std::shared_ptr<Engine> Engine::start(host::EngineLink& link, std::function<void()> on_exit) {
  std::shared_ptr<Engine> engine(new Engine);
  engine->peer_.attach(link.control_region().data(), link.ram()->data());
  engine->on_exit_ = std::move(on_exit);
  engine->ram_fd_ = Fd(fcntl(link.ram()->fd(), F_DUPFD_CLOEXEC, 0));
  link.control_region().close_fd();  // both ends use one mapping
  link.serve_here([self = engine.get()] {
    if (self->ready_.load(std::memory_order_acquire)) self->devices_->serve_host();
  });
  link.doorbells_here([self = engine.get()](u32 slot, u64 key, u64 value) { self->place_doorbell(slot, key, value); });
  // Signals are for the embedder's own threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  engine->control_ = std::thread([self = engine.get()] { self->control_main(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return engine;
}

Engine::~Engine() {
  kill();
  finish();
}

void Engine::kill() {
  stopping_.store(true, std::memory_order_seq_cst);
  peer_.abandon();  // vCPUs that wait for an answer of the host go on without
  peer_.wake_control(0);
}

bool Engine::exited(host::EngineEnd& end) const {
  std::lock_guard guard(lock_);
  end.reason = reason_;
  return ended_;
}

/// The host's thread: it is not inside serve_host now, and does not come again.
void Engine::finish() {
  if (control_.joinable()) control_.join();
  ready_.store(false, std::memory_order_release);
  threads_.clear();
  doorbells_.reset();
  devices_.reset();
  machine_.reset();  // all descriptors, now: this object lives on until what scripts hold of it is collected
}

/// The host's thread. A port that is a UART's is not the doorbell's: only an exit tells them apart.
void Engine::place_doorbell(u32 slot, u64 key, u64 value) {
  if (!ready_.load(std::memory_order_acquire) || !doorbells_) return;
  const u64 address = key & kDoorbellAddressMask;
  if (key != 0 && (key & kDoorbellMmio) == 0 && devices_->owns(static_cast<u16>(address))) key = 0;
  doorbells_->set(slot, key, value);
}

void Engine::broken(const std::string& why) {
  {
    std::lock_guard guard(lock_);
    if (reason_.empty()) {
      reason_ = why;
      append_text(peer_.area().flight, why.data(), why.size());
      append_text(peer_.area().flight, "\n", 1);
    }
  }
  stopping_.store(true, std::memory_order_seq_cst);
  peer_.wake_control(0);
}

void Engine::control_main() {
  prctl(PR_SET_NAME, "rz-kvm");
  if (Outcome built = build(); !built.ok()) {
    broken(describe(built));
  } else {
    peer_.record(FlightKind::kStart, 0, threads_.size(), peer_.header().ram_bytes);
    ready_.store(true, std::memory_order_release);
    devices_->serve_host();  // what came meanwhile
    peer_.area().engine_ready.store(1, std::memory_order_release);
    peer_.area().host_pending.command.fetch_or(2, std::memory_order_acq_rel);
    peer_.notify_host();
  }
  while (!stopping_.load(std::memory_order_seq_cst)) {
    peer_.wait_for_work(1'000'000'000);
    peer_.area().heartbeat_ns.store(monotonic_ns(), std::memory_order_relaxed);
    const u32 work = peer_.take_work(kWorkCommand | kWorkParked);
    if ((work & kWorkCommand) != 0) serve_command();
    if (pause_pending_) finish_pause();
  }
  take_down();
  std::function<void()> on_exit;
  {
    std::lock_guard guard(lock_);
    ended_ = true;
    on_exit = std::move(on_exit_);
  }
  if (on_exit) on_exit();
}

Outcome Engine::build() {
  machine_ = std::make_unique<Machine>();
  if (Outcome made = machine_->create(peer_.header(), peer_.ram()); !made.ok()) return made;
  devices_ = std::make_unique<Devices>(peer_, *machine_);
  if (machine_->host().ioeventfd && strstr(peer_.header().options, "ioeventfd=false\n") == nullptr)
    doorbells_ = std::make_unique<KernelDoorbells>(machine_->vm(), peer_);
  if (strstr(peer_.header().options, "hugePages=false\n") == nullptr)
    huge_pages_ = std::make_unique<HugePages>(peer_.ram(), std::move(ram_fd_), peer_.header());
  for (u32 i = 0; i < peer_.header().vcpus; ++i) {
    auto thread = std::make_unique<Thread>();
    thread->vcpu = std::make_unique<Vcpu>(i, *machine_->vcpus()[i], *machine_, *devices_, peer_);
    threads_.push_back(std::move(thread));
  }
  for (auto& thread : threads_) thread->thread = std::thread([this, self = thread.get()] { vcpu_main(*self); });
  return {};
}

/// Joins the vCPU threads. The host's thread may be inside serve_host: devices and machine stay until it calls
/// finish().
void Engine::take_down() {
  peer_.abandon();
  {
    std::lock_guard guard(lock_);
    quit_ = true;
    run_wanted_ = false;
    for (auto& thread : threads_) thread->vcpu->kick();
    changed_.notify_all();
  }
  for (auto& thread : threads_) {
    if (thread->thread.joinable()) thread->thread.join();
  }
  huge_pages_.reset();
}

void Engine::vcpu_main(Thread& self) {
  char name[16];
  snprintf(name, sizeof name, "rz-kvm-vcpu%u", self.vcpu->index() % 1000);
  prctl(PR_SET_NAME, name);
  if (Outcome ready = self.vcpu->prepare_thread(); !ready.ok()) return broken(describe(ready));
  for (;;) {
    {
      std::unique_lock lock(lock_);
      changed_.wait(lock, [&] { return quit_ || (run_wanted_ && !self.shut_down); });
      if (quit_) return;
      self.vcpu->forget_kick();  // kicks are given under this lock, after run_wanted_ or quit_ changed
      self.running = true;
    }
    std::string why;
    const Stop stop = self.vcpu->run(why);
    if (stop == Stop::kTripleFault) peer_.record(FlightKind::kStopped, self.vcpu->index(), 0, 0);
    {
      std::lock_guard lock(lock_);
      self.running = false;
      if (stop == Stop::kTripleFault) self.shut_down = true;
    }
    if (stop == Stop::kBroken) return broken(why);
    peer_.wake_control(kWorkParked);  // a pause may be waiting for this one
  }
}

}  // namespace rz::kvm
