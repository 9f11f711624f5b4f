// Destination matching and arbitration of interrupt messages; see apic_bus.h.
#include "apic_bus.h"

#include "lapic.h"

namespace rz {
namespace {

bool matches(const Lapic& lapic, const ApicMessage& m) {
  if (!lapic.enabled()) return false;
  if (m.destination == (m.wide ? 0xFFFFFFFFu : 0xFFu)) return true;
  if (!m.logical) return m.destination == lapic.id();
  const u32 ldr = lapic.reg(Lapic::kLdr);
  if (lapic.x2apic()) return (m.destination >> 16) == (ldr >> 16) && (m.destination & ldr & 0xFFFF) != 0;
  if (m.destination > 0xFF) return false;
  const u32 logical_id = ldr >> 24;
  if ((lapic.reg(Lapic::kDfr) >> 28) == 0xF) return (logical_id & m.destination) != 0;          // flat model
  return (logical_id >> 4) == (m.destination >> 4) && (logical_id & m.destination & 0xF) != 0;  // cluster model
}

}  // namespace

unsigned ApicBus::deliver(const ApicMessage& m) {
  if (m.delivery == Delivery::kLowestPriority) {
    const unsigned count = static_cast<unsigned>(lapics_.size());
    const unsigned start = count > 1 ? next_lowest_.fetch_add(1, std::memory_order_relaxed) % count : 0;
    Lapic* best = nullptr;
    u32 best_class = ~0u;
    for (unsigned i = 0; i < count; ++i) {
      Lapic& candidate = *lapics_[(start + i) % count];
      if (!candidate.software_enabled() || !matches(candidate, m)) continue;
      const u32 priority_class = candidate.reg(Lapic::kPpr) >> 4;
      if (priority_class < best_class) {
        best = &candidate;
        best_class = priority_class;
      }
    }
    return best != nullptr && best->accept(Delivery::kFixed, m.vector, m.level) ? 1 : 0;
  }
  unsigned accepted = 0;
  for (Lapic* lapic : lapics_) {
    if (matches(*lapic, m) && lapic->accept(m.delivery, m.vector, m.level)) ++accepted;
  }
  return accepted;
}

unsigned ApicBus::deliver_ipi(Lapic& sender, Shorthand shorthand, const ApicMessage& m) {
  if (shorthand == Shorthand::kNone) return deliver(m);
  // Lowest priority with a shorthand is model specific on hardware; delivered as fixed to each.
  const Delivery delivery = m.delivery == Delivery::kLowestPriority ? Delivery::kFixed : m.delivery;
  if (shorthand == Shorthand::kSelf) return sender.accept(delivery, m.vector, m.level) ? 1 : 0;
  unsigned accepted = 0;
  for (Lapic* lapic : lapics_) {
    if (lapic == &sender && shorthand == Shorthand::kOthers) continue;
    if (lapic->enabled() && lapic->accept(delivery, m.vector, m.level)) ++accepted;
  }
  return accepted;
}

}  // namespace rz
