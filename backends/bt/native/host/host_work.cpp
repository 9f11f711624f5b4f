// What a vCPU's thread does when the host asked it to look up: forget code that the host overwrote, take interrupts and
// console traffic. Runs between blocks with the guest's vector state live: built with -mgeneral-regs-only.
#include "assemble.h"
#include "engine.h"

namespace rz {

using namespace shared;

void Engine::serve_host(void* context, Machine& machine) {
  auto& self = *static_cast<Engine*>(context);
  // Code first: an interrupt may send the guest into the memory that was changed.
  auto& ring = self.peer_.area().invalidation;
  bool all = false;
  {
    std::lock_guard guard(self.invalidation_lock_);
    InvalidationEntry entry;
    while (ring.pop(entry)) {
      self.peer_.record(FlightKind::kInvalidate, 0, entry.gpa, entry.bytes);
      drop_code(machine, entry.gpa, entry.bytes);
    }
    all = ring.overflow.exchange(0, std::memory_order_seq_cst) != 0;
  }
  if (all) flush_code(*current_vcpu());
  self.devices_->serve_host(self.peer_.take_work(kWorkIrq | kWorkUart | kWorkInvalidate));
}

}  // namespace rz
