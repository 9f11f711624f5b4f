// Life of a machine's native half.
#include "vm_core.h"

namespace rz::binding {

using host::Outcome;

Outcome VmCore::create(const host::LinkConfig& config, const std::string& engine_path,
                       const std::vector<std::string>& args, std::function<void()> on_work,
                       std::shared_ptr<VmCore>& out) {
  std::shared_ptr<VmCore> core(new VmCore);
  Outcome made = host::EngineLink::create(config, core->link_);
  if (!made.ok()) return made;
  core->waiter_ = std::make_unique<host::Waiter>(*core->link_, std::move(on_work));
  host::EngineProcess::Launch launch;
  launch.path = engine_path;
  launch.args = args;
  launch.fds = {core->link_->ram()->fd(), core->link_->control_region().fd()};
  launch.on_exit = [weak = std::weak_ptr<VmCore>(core)] {
    const std::shared_ptr<VmCore> alive = weak.lock();
    if (!alive) return;
    std::lock_guard lock(alive->waiter_lock_);
    alive->died_ = true;
    if (alive->waiter_) alive->waiter_->alert();
  };
  made = host::EngineProcess::start(std::move(launch), core->process_);
  if (!made.ok()) return made;
  core->link_->control_region().close_fd();  // that of RAM stays: the machine may move
  out = std::move(core);
  return {};
}

VmCore::~VmCore() { stop(); }

void VmCore::rearm() {
  if (waiter_) waiter_->rearm();
}

bool VmCore::take_death() { return died_.exchange(false); }

void VmCore::stop() {
  if (process_) process_->kill();
  std::unique_ptr<host::Waiter> waiter;
  {
    std::lock_guard lock(waiter_lock_);
    waiter = std::move(waiter_);
  }
  // Joined here, outside the lock: its callback may be on its way to a queue, never back into this object.
}

}  // namespace rz::binding
