// Construction of the machine, and the life of its threads.
#include "engine.h"

#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "assemble.h"
#include "cache/code_cache.h"
#include "crash.h"
#include "huge_pages.h"
#include "irq/wait.h"

namespace rz {

using namespace shared;

bool Engine::build(const HostOptions& options, int control_fd, std::string& error) {
  const Header& header = peer_.header();
  test_commands_ = options.test_commands;
  for (u32 i = 0; i < header.ranges; ++i) {
    const Range& range = header.range[i];
    if (!memory_.add({range.base, range.bytes, peer_.ram() + range.ram_offset, range.read_only != 0})) {
      error = "memory ranges overlap or are too many";
      return false;
    }
  }
  machine_.memory = &memory_;
  machine_.ram_heat = start_huge_pages(peer_.ram(), header.ram_bytes);
  machine_.options = options.engine;
  machine_.drain_invalidations = serve_host;
  machine_.drain_context = this;
  if (!assemble(machine_, header.cpu_profile, header.vcpus, peer_.code_bitmap(), header.top, error)) return false;
  CodeCache& code = *machine_.code;
  code.set_huge_pages(start_huge_pages(const_cast<u8*>(code.rx(0)), code.bytes()));
  if (!options.fake_run.empty()) fake_ = std::make_unique<FakeRun>(options.fake_run);
  devices_ = std::make_unique<NativeDevices>(peer_, machine_);
  bus_ = std::make_unique<ExitBus>(peer_, *devices_);
  machine_.bus = bus_.get();
  machine_.irq = &devices_->irq();
  for (Vcpu* vcpu : machine_.vcpus) {
    auto thread = std::make_unique<Thread>();
    thread->vcpu = vcpu;
    threads_.push_back(std::move(thread));
  }
  power_on(machine_);
  devices_->reset();
  report_on_crash(machine_);
  return share_vcpus(control_fd, error);
}

/// Let the host set kAttnInvalidate in the vCPUs' attention words. A script does not look there: the control thread
/// serves.
bool Engine::share_vcpus(int control_fd, std::string& error) {
  static_assert(offsetof(Vcpu, attention) + sizeof(Vcpu::attention) <= 4096);
  if (fake_) return true;
  for (Vcpu* vcpu : machine_.vcpus) {
    if (!peer_.share_page(vcpu->index, vcpu, control_fd)) {
      error = "cannot share a vCPU's page with the host";
      return false;
    }
  }
  static_assert(offsetof(Vcpu, rip) == offsetof(Vcpu, regs) + 16 * 8 &&
                offsetof(Vcpu, rflags) == offsetof(Vcpu, rip) + 8);
  peer_.publish_page_map(offsetof(Vcpu, attention), kAttnInvalidate, offsetof(Vcpu, regs));
  return true;
}

void Engine::serve() {
  for (auto& thread : threads_) {
    thread->thread = std::thread([this, self = thread.get()] { vcpu_main(*self); });
  }
  peer_.record(FlightKind::kStart, 0, threads_.size(), peer_.header().ram_bytes);
  peer_.area().engine_ready.store(1, std::memory_order_release);
  peer_.area().host_pending.command.fetch_or(2, std::memory_order_acq_rel);
  peer_.notify_host();
  for (;;) {
    peer_.wait_for_work(1'000'000'000);
    peer_.area().heartbeat_ns.store(shared::monotonic_ns(), std::memory_order_relaxed);
    const u32 work = peer_.take_work(~0u);
    // Invalidations first: an interrupt may send the guest into the memory that they are about.
    if (work & kWorkInvalidate) {
      for (Vcpu* vcpu : machine_.vcpus) notify(*vcpu, kAttnInvalidate);
    }
    devices_->serve_host(work);
    if (work & kWorkCommand) serve_command();
    if (pause_pending_) finish_pause();
    if (quiesced_.op != Command::kNone) finish_quiesced();
  }
}

void Engine::vcpu_main(Thread& self) {
  char name[16];
  snprintf(name, sizeof name, "rz-vcpu%u", self.vcpu->index);
  prctl(PR_SET_NAME, name);
  enter_thread("vcpu");
  devices_->irq().bind_thread(*self.vcpu);  // refused: timers fire where the run loop looks, late but right
  for (;;) {
    {
      std::unique_lock lock(lock_);
      changed_.wait(lock, [&] { return run_wanted_ && !self.shut_down; });
      self.vcpu->attention.fetch_and(~static_cast<u32>(kAttnStop), std::memory_order_acq_rel);
      self.running = true;
    }
    const RunExit why = run_vcpu(*self.vcpu);
    if (why == RunExit::kInternalError) broken("the run loop reports an internal error");
    if (why == RunExit::kShutdown) {
      peer_.record(FlightKind::kStopped, self.vcpu->index, self.vcpu->rip, 0);
      peer_.exit(self.vcpu->index, ExitKind::kTripleFault, self.vcpu->rip, 0, 0);
    }
    {
      std::lock_guard lock(lock_);
      self.running = false;
      if (why == RunExit::kShutdown) self.shut_down = true;
    }
    peer_.wake_control(kWorkParked);  // a pause may be waiting for this one
  }
}

RunExit Engine::run_vcpu(Vcpu& vcpu) { return fake_ ? fake_->run(vcpu) : run(vcpu); }

}  // namespace rz
