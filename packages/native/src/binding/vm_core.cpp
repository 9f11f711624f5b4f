// Life of a machine's native half.
#include "vm_core.h"

namespace rz::binding {

using host::Outcome;

Outcome VmCore::create(const host::LinkConfig& config, const StartEngine& start, std::function<void()> on_work,
                       std::shared_ptr<VmCore>& out) {
  std::shared_ptr<VmCore> core(new VmCore);
  Outcome made = host::EngineLink::create(config, core->link_);
  if (!made.ok()) return made;
  core->waiter_ = std::make_unique<host::Waiter>(*core->link_, std::move(on_work));
  made = start(
      *core->link_,
      [weak = std::weak_ptr<VmCore>(core)] {
        const std::shared_ptr<VmCore> alive = weak.lock();
        if (!alive) return;
        std::lock_guard lock(alive->waiter_lock_);
        alive->died_ = true;
        if (alive->waiter_) alive->waiter_->alert();
      },
      core->engine_);
  if (!made.ok()) return made;
  out = std::move(core);
  return {};
}

VmCore::~VmCore() { stop(); }

void VmCore::rearm() {
  if (waiter_) waiter_->rearm();
}

bool VmCore::take_death() { return died_.exchange(false); }

void VmCore::stop() {
  if (engine_) engine_->kill();
  std::unique_ptr<host::Waiter> waiter;
  {
    std::lock_guard lock(waiter_lock_);
    waiter = std::move(waiter_);
  }
  waiter.reset();  // joined outside the lock: its callback may be on its way to a queue, never back into this object
  if (engine_) engine_->finish();
}

}  // namespace rz::binding
