// I/O APIC with 24 inputs at FEC00000h: redirection table, remote IRR. Of version 11h, without an EOI register, as
// KVM's is: a guest that found one could not move there.
// Not locked: the caller (IrqPlatform) serialises. A line's level means "asserted": polarity bits are kept but not
// applied, as KVM does, since devices drive logical levels.
// Source: Intel 82093AA data sheet.
#pragma once

#include "apic_bus.h"
#include "state/irq_state.h"

namespace rz {

inline constexpr u64 kIoapicBase = 0xFEC00000;
inline constexpr unsigned kIoapicPins = 24;

class Ioapic {
 public:
  explicit Ioapic(ApicBus& bus) : bus_(bus) { reset(); }

  void reset();
  void set_line(unsigned pin, bool level);
  /// EOI message from a local APIC for a level-triggered vector.
  void eoi(u8 vector);

  /// 32-bit access at an offset into the page.
  u32 mmio_read(u32 offset) const;
  void mmio_write(u32 offset, u32 value);

  void save(IoapicState& state) const;
  void load(const IoapicState& state);

 private:
  void write_redirection(unsigned pin, bool high, u32 value);
  void deliver(unsigned pin);

  ApicBus& bus_;
  u32 select_ = 0;  // IOREGSEL
  u32 id_ = 0;      // 4 bits
  u32 lines_ = 0;   // input levels
  u64 redirection_[kIoapicPins];
};

}  // namespace rz
