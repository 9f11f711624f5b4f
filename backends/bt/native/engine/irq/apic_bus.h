// The message bus between local APICs, IOAPIC and MSI: who receives an interrupt message.
// Lock-free: a destination's registers are read as relaxed atomics, as the hardware's bus would race with a guest
// that renumbers its APICs while interrupts are under way.
// Source: Intel SDM vol. 3, "Determining IPI Destination", "Interrupt Message Formats".
#pragma once

#include <atomic>
#include <vector>

#include "../cpu/types.h"

namespace rz {

class Lapic;

/// Delivery mode field of the ICR, redirection entries, LVT entries and MSI data.
enum class Delivery : u8 { kFixed = 0, kLowestPriority = 1, kSmi = 2, kNmi = 4, kInit = 5, kStartup = 6, kExtInt = 7 };

enum class Shorthand : u8 { kNone = 0, kSelf = 1, kAll = 2, kOthers = 3 };

struct ApicMessage {
  u32 destination = 0;   // APIC ID or logical mask; 8 bits (15 with MSI's extended field), 32 bits when `wide`
  bool logical = false;  // destination mode
  bool wide = false;     // from an ICR in x2APIC mode: 32-bit destination, broadcast is 0xFFFFFFFF and not 0xFF
  Delivery delivery = Delivery::kFixed;
  u8 vector = 0;
  bool level = false;  // trigger mode
};

class ApicBus {
 public:
  /// Add a processor's local APIC; before the machine runs, in order of APIC ID.
  void attach(Lapic* lapic) { lapics_.push_back(lapic); }
  /// Deliver to every destination (lowest priority: to one of them). Any thread. Returns how many accepted it.
  unsigned deliver(const ApicMessage& message);
  /// As deliver(), with an ICR's destination shorthand relative to `sender`.
  unsigned deliver_ipi(Lapic& sender, Shorthand shorthand, const ApicMessage& message);

  /// Where EOI messages of level-triggered vectors go (the IOAPIC). Set before the machine runs.
  void on_eoi(void (*handler)(void* context, u8 vector), void* context) {
    eoi_ = handler;
    eoi_context_ = context;
  }
  void broadcast_eoi(u8 vector) {
    if (eoi_) eoi_(eoi_context_, vector);
  }
  /// Where the 8259 pair's acknowledge cycles go; see Lapic.
  const std::vector<Lapic*>& lapics() const { return lapics_; }

 private:
  std::vector<Lapic*> lapics_;  // constant while the machine runs
  void (*eoi_)(void*, u8) = nullptr;
  void* eoi_context_ = nullptr;
  std::atomic<u32> next_lowest_{0};  // rotates among equals in lowest-priority arbitration
};

}  // namespace rz
