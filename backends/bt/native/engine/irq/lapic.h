// Local APIC of one vCPU: xAPIC page, x2APIC MSRs, local vector table, priorities, IPIs and the timer.
// Registers live in one array laid out like the MMIO page (and KVM's kvm_lapic_state), each an atomic: other threads
// set IRR and TMR bits and read what destination matching needs; everything else is written only by the vCPU's own
// thread (or while the machine is paused). No lock. Whoever makes an interrupt deliverable sets kAttnInterrupt.
// Source: Intel SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
#pragma once

#include <atomic>

#include "../cpu/vcpu.h"
#include "apic_bus.h"
#include "clock.h"
#include "state/irq_state.h"
#include "timers.h"

namespace rz {

inline constexpr u64 kApicDefaultBase = 0xFEE00000;
inline constexpr u64 kApicBaseBsp = 1 << 8, kApicBaseExtended = 1 << 10, kApicBaseEnable = 1 << 11;
inline constexpr u64 kLapicTimerHz = 1'000'000'000;  // the APIC bus clock: one tick before the divider is 1 ns
inline constexpr u64 kLapicMinPeriodNs = 20'000;     // shorter periodic timers are slowed to this, ns

class Lapic {
 public:
  // Register numbers: MMIO offset / 16 = x2APIC MSR - 800h.
  enum Reg : unsigned {
    kId = 0x02,
    kVersion = 0x03,
    kTpr = 0x08,
    kApr = 0x09,
    kPpr = 0x0A,
    kEoi = 0x0B,
    kRrd = 0x0C,
    kLdr = 0x0D,
    kDfr = 0x0E,
    kSvr = 0x0F,
    kIsr = 0x10,
    kTmr = 0x18,
    kIrr = 0x20,
    kEsr = 0x28,
    kIcrLow = 0x30,
    kIcrHigh = 0x31,
    kLvtTimer = 0x32,
    kLvtThermal = 0x33,
    kLvtPerf = 0x34,
    kLvtLint0 = 0x35,
    kLvtLint1 = 0x36,
    kLvtError = 0x37,
    kInitialCount = 0x38,
    kCurrentCount = 0x39,
    kDivide = 0x3E,
    kSelfIpi = 0x3F,
    kRegCount = 0x40,
  };

  Lapic(Vcpu& vcpu, ApicBus& bus, TimerQueue& timers, const Clock& clock);
  Lapic(const Lapic&) = delete;
  Lapic& operator=(const Lapic&) = delete;

  // ---- vCPU thread (or machine paused) ---------------------------------------------------------------
  /// Power-on state: also IA32_APIC_BASE. The boot processor gets LINT0 = ExtINT and LINT1 = NMI, as firmware's
  /// virtual wire mode would leave them, so that guests entered without firmware see the 8259 pair.
  void reset();
  /// What an INIT does: registers as at power-on, but IA32_APIC_BASE and the APIC ID stay.
  void init();
  /// IA32_APIC_BASE write. False: #GP (reserved bits or an illegal mode change).
  [[nodiscard]] bool set_base(u64 value);
  u64 base() const { return base_.load(std::memory_order_relaxed); }
  /// 32-bit access to the xAPIC page; `offset` 0..FFFh. Reserved offsets read 0 and set ESR.
  u32 mmio_read(u32 offset);
  void mmio_write(u32 offset, u32 value);
  /// x2APIC MSR 800h..8FFh. False: #GP (also when not in x2APIC mode).
  [[nodiscard]] bool msr_read(u32 index, u64& value);
  [[nodiscard]] bool msr_write(u32 index, u64 value);
  u64 tsc_deadline() const { return tsc_deadline_; }
  void set_tsc_deadline(u64 guest_tsc);
  /// The guest's TSC jumped (TSC or TSC_ADJUST written): re-aim a pending TSC deadline.
  void tsc_changed();
  void set_tpr(u8 tpr);
  /// Highest deliverable vector (above PPR), or -1.
  int deliverable();
  /// As deliverable(), and take it: IRR to ISR.
  int acknowledge();
  /// True once after an ExtINT message (from the IOAPIC, an IPI or MSI) asked for an 8259 acknowledge cycle.
  bool ext_int_pending() const { return ext_int_.load(std::memory_order_relaxed) != 0; }
  void take_ext_int() { ext_int_.store(0, std::memory_order_relaxed); }
  /// Whether the 8259 pair's INTR reaches the processor: through LINT0 as ExtINT, or directly with the APIC off.
  bool passes_pic() const;
  u8 startup_vector() const { return startup_vector_.load(std::memory_order_acquire); }
  void save(LapicState& state) const;
  void load(const LapicState& state);

  // ---- any thread --------------------------------------------------------------------------------------
  Vcpu& vcpu() const { return vcpu_; }
  u32 id() const { return vcpu_.index; }
  u32 reg(unsigned r) const { return regs_[r].load(std::memory_order_relaxed); }
  bool enabled() const { return (base() & kApicBaseEnable) != 0; }
  bool x2apic() const {
    return (base() & (kApicBaseEnable | kApicBaseExtended)) == (kApicBaseEnable | kApicBaseExtended);
  }
  bool software_enabled() const { return enabled() && (reg(kSvr) & 0x100) != 0; }
  /// Receive an interrupt message. False when this APIC does not take it.
  bool accept(Delivery delivery, u8 vector, bool level);
  /// The 8259 pair's INTR rose at LINT0.
  void lint0_raised();
  /// NMI button or a platform error at LINT1.
  void lint1_raised() { deliver_lvt(kLvtLint1); }

 private:
  void put(unsigned r, u32 value) { regs_[r].store(value, std::memory_order_relaxed); }
  u32 read_register(unsigned r);
  void write_register(unsigned r, u32 value);
  void write_lvt(unsigned r, u32 value);
  void send_ipi(u32 low, u32 destination);
  void eoi();
  void update_ppr();
  int highest_irr();
  int highest_isr() const;
  void announce() {
    if (deliverable() >= 0) vcpu_.request(kAttnInterrupt);
  }  // own thread: it is awake
  void error(u32 esr_bit);
  void deliver_lvt(unsigned r);

  u32 timer_mode() const { return (reg(kLvtTimer) >> 17) & 3; }  // 0 one-shot, 1 periodic, 2 TSC deadline
  u64 tick_ns() const;                                           // one count after the divider, ns
  u64 guest_tsc() const { return clock_.now_tsc() + vcpu_.msr.tsc_offset; }
  void start_count(u64 count);
  u32 current_count() const;
  void stop_timer();
  void aim_tsc_deadline();
  void timer_due(u64 now_ns);

  Vcpu& vcpu_;
  ApicBus& bus_;
  TimerQueue& timers_;
  const Clock& clock_;
  unsigned timer_;  // this timer's number in timers_
  std::atomic<u32> regs_[kRegCount];
  std::atomic<u64> base_{0};       // IA32_APIC_BASE
  std::atomic<u32> irr_words_{0};  // bit n: IRR word n may be non-zero (a hint that is never missing a bit)
  std::atomic<u32> ext_int_{0};
  std::atomic<u32> esr_pending_{0};    // errors since the last ESR write
  std::atomic<u8> startup_vector_{0};  // of the last SIPI
  u64 target_ns_ = kNever;             // when the running count reaches 0, CLOCK_MONOTONIC ns; kNever: stopped
  u64 tsc_deadline_ = 0;               // guest TSC; 0: disarmed
};

}  // namespace rz
