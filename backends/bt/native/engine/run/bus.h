// What the engine asks of whoever embeds it: port and MMIO accesses that leave the processor, and
// the interrupt controllers. Called on the vCPU's thread; may block.
#pragma once

#include "../cpu/types.h"

namespace rz {

struct Vcpu;

/// Port and memory-mapped I/O outside guest RAM. Width is 1, 2, 4 or 8 (8: MMIO only). Values are zero-extended.
class Bus {
 public:
  virtual ~Bus() = default;
  virtual u64 io_read(Vcpu& vcpu, u16 port, unsigned width) = 0;
  virtual void io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) = 0;
  virtual u64 mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) = 0;
  virtual void mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) = 0;
  /// The vCPU stands before the instruction at this linear address, as a debugger asked for (host_debug_set).
  virtual void debug_stop(Vcpu&, u64 /*linear*/) {}
};

/// Interrupt controllers and timers as the vCPU sees them (irq/ implements it).
class InterruptSource {
 public:
  virtual ~InterruptSource() = default;
  /// True when a maskable interrupt could be taken now (local APIC above TPR, or PIC through LINT0).
  virtual bool has_interrupt(Vcpu& vcpu) = 0;
  /// Acknowledge and return the vector, or -1 when it went away.
  virtual int acknowledge(Vcpu& vcpu) = 0;
  /// CR8 and the APIC's task priority are one register.
  virtual void set_tpr(Vcpu& vcpu, u8 cr8) = 0;
  virtual u8 tpr(Vcpu& vcpu) = 0;
  /// APIC MSRs: IA32_APIC_BASE, IA32_TSC_DEADLINE, 800h..8FFh. False: not handled or not allowed (#GP).
  virtual bool msr_read(Vcpu& vcpu, u32 index, u64& value) = 0;
  virtual bool msr_write(Vcpu& vcpu, u32 index, u64 value) = 0;
  /// Run what is due; called when kAttnTimer is seen and before sleeping.
  virtual void run_timers(Vcpu& vcpu) = 0;
  /// Earliest deadline on CLOCK_MONOTONIC in ns, or ~0.
  virtual u64 next_deadline_ns(Vcpu& vcpu) = 0;
  /// FERR#: an x87 exception waits while CR0.NE is clear. IRQ 13, until port F0h is written.
  virtual void x87_error(Vcpu&) {}
  /// IGNNE#: whether FWAIT goes on in spite of the exception; from the write of port F0h until it finds none `pending`.
  virtual bool x87_error_ignored(Vcpu&, bool /*pending*/) { return false; }
  /// The local APIC's part of an INIT (kAttnInit seen).
  virtual void init_vcpu(Vcpu&) {}
  /// Vector of the last SIPI (kAttnSipi seen): execution starts at vector << 12.
  virtual u8 startup_vector(Vcpu&) { return 0; }
};

}  // namespace rz
