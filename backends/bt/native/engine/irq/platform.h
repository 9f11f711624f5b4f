// The interrupt controllers and timers of one machine: per vCPU a local APIC and a timer queue; one 8259A pair, one
// IOAPIC, one 8254. Composes the chips, routes lines, ports and MMIO to them, and is the vCPUs' InterruptSource.
//
// Threads: set_line(), msi() and send_nmi() from any thread. Port, MMIO, MSR and InterruptSource calls on the vCPU's
// own thread. reset(), save() and load() while no vCPU runs. Locks: chips_lock_ guards the PIC pair, the IOAPIC and the
// PIT; each TimerQueue has its own lock, taken inside chips_lock_ and never the other way; local APICs have none.
//
// kAttnInterrupt is a hint: it is set whenever has_interrupt() may have turned true by anything but the guest's own IF
// or shadow. The run loop may clear it, and asks has_interrupt() again whenever IF comes on or a shadow ends.
#pragma once

#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "../run/bus.h"
#include "../run/machine.h"
#include "apic_bus.h"
#include "ioapic.h"
#include "lapic.h"
#include "pic.h"
#include "pit.h"
#include "timers.h"
#include "wait.h"

namespace rz {

class IrqPlatform final : public InterruptSource {
 public:
  /// @param machine  its `vcpus` must be complete; `tsc_hz` is read whenever a TSC deadline is armed
  explicit IrqPlatform(Machine& machine, Clock clock = host_clock());
  ~IrqPlatform() override;

  // ---- lines and messages; any thread -----------------------------------------------------------------------
  /// Drive an interrupt line; `level` true is asserted, whatever the polarity. Lines 0..15 reach the 8259 pair and the
  /// IOAPIC pin of that number, 16..23 the IOAPIC only. Line 0 (IOAPIC pin 2) and pin 0 are the platform's own, line 2
  /// does not exist: both are ignored, as is anything above 23. Several devices on one line: the caller ORs them.
  void set_line(unsigned gsi, bool level);
  /// A device's MSI write. False: not an interrupt message.
  bool msi(u64 address, u32 data);
  /// Non-maskable interrupt, as from a front-panel button: to LINT1 of every processor.
  void send_nmi();

  // ---- ports and MMIO; vCPU thread -----------------------------------------------------------------------------
  /// False: not a port of these chips (20h-21h, A0h-A1h, 4D0h-4D1h, 40h-43h, 61h, F0h). Width 1, 2 or 4 bytes; wider
  /// accesses go to consecutive ports, of which strangers read FFh.
  bool io_read(u16 port, unsigned width, u64& value);
  bool io_write(u16 port, unsigned width, u64 value);
  /// False: not a page of the vCPU's local APIC (at its IA32_APIC_BASE, while in xAPIC mode) or the IOAPIC.
  bool mmio_read(Vcpu& vcpu, u64 gpa, unsigned width, u64& value);
  bool mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value);

  // ---- InterruptSource; vCPU thread ----------------------------------------------------------------------------
  bool has_interrupt(Vcpu& vcpu) override;
  int acknowledge(Vcpu& vcpu) override;
  void set_tpr(Vcpu& vcpu, u8 cr8) override;
  u8 tpr(Vcpu& vcpu) override;
  bool msr_read(Vcpu& vcpu, u32 index, u64& value) override;
  bool msr_write(Vcpu& vcpu, u32 index, u64 value) override;
  void run_timers(Vcpu& vcpu) override;
  u64 next_deadline_ns(Vcpu& vcpu) override;

  // ---- vCPU life; vCPU thread ----------------------------------------------------------------------------------
  /// Aim the host timer at this thread; call first on every vCPU thread, and unbind last. False: the host refused
  /// (errno).
  bool bind_thread(Vcpu& vcpu) { return per(vcpu).timers.bind_thread(); }
  void unbind_thread(Vcpu& vcpu) { per(vcpu).timers.unbind_thread(); }
  void x87_error(Vcpu& vcpu) override;
  bool x87_error_ignored(Vcpu& vcpu, bool pending) override;
  void init_vcpu(Vcpu& vcpu) override { per(vcpu).lapic.init(); }
  u8 startup_vector(Vcpu& vcpu) override { return per(vcpu).lapic.startup_vector(); }
  /// The guest wrote its TSC or TSC_ADJUST: vcpu.msr.tsc_offset changed.
  void tsc_changed(Vcpu& vcpu) { per(vcpu).lapic.tsc_changed(); }

  // ---- whole machine; paused -----------------------------------------------------------------------------------
  /// Power-on state of every chip. Lines that devices still assert must be driven again.
  void reset();
  /// State of every chip; docs/state-format.md says what the fields are. @param apics  one for each vCPU
  void save(ChipsState& chips, std::span<LapicState> apics) const;
  void load(const ChipsState& chips, std::span<const LapicState> apics);
  /// IGNNE#, which is not a chip's; the processors' part of the state has it.
  bool x87_ignored() const { return ignore_x87_error_.load(std::memory_order_relaxed); }
  void set_x87_ignored(bool on) { ignore_x87_error_.store(on, std::memory_order_relaxed); }

 private:
  struct PerVcpu {
    PerVcpu(Vcpu& vcpu, ApicBus& bus, const Clock& clock) : timers(vcpu, clock), lapic(vcpu, bus, timers, clock) {}
    TimerQueue timers;
    Lapic lapic;
  };
  PerVcpu& per(Vcpu& vcpu) { return *vcpus_[vcpu.index]; }
  void pic_output(bool level);  // chips_lock_ held
  void pit_output(bool level);  // chips_lock_ held
  u8 chip_read(u16 port);       // chips_lock_ held
  void chip_write(u16 port, u8 value);

  Machine& machine_;
  const Clock clock_;
  ApicBus apic_bus_;
  std::vector<std::unique_ptr<PerVcpu>> vcpus_;
  mutable std::mutex chips_lock_;       // guards pic_, ioapic_, pit_
  std::atomic<bool> pic_level_{false};  // INTR of the 8259 pair; written under chips_lock_, read without
  std::atomic<bool> ignore_x87_error_{false};
  PicPair pic_;
  Ioapic ioapic_;
  std::unique_ptr<Pit> pit_;  // made after the boot processor's timer queue
};

}  // namespace rz
