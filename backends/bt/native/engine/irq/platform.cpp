// Composition and routing of the interrupt controllers; see platform.h.
#include "platform.h"

#include "msi.h"

namespace rz {
namespace {

constexpr u32 kMsrApicBase = 0x1B, kMsrTscDeadline = 0x6E0;
constexpr u16 kX87ErrorPort = 0xf0;  // of the PC/AT's coprocessor
constexpr unsigned kX87ErrorLine = 13;

bool owns_port(u16 port) { return PicPair::owns(port) || Pit::owns(port); }

}  // namespace

IrqPlatform::IrqPlatform(Machine& machine, Clock clock)
    : machine_(machine),
      clock_(clock),
      pic_([](void* self, bool level) { static_cast<IrqPlatform*>(self)->pic_output(level); }, this),
      ioapic_(apic_bus_) {
  for (Vcpu* vcpu : machine_.vcpus) {
    vcpus_.push_back(std::make_unique<PerVcpu>(*vcpu, apic_bus_, clock_));
    apic_bus_.attach(&vcpus_.back()->lapic);
  }
  apic_bus_.on_eoi(
      [](void* self, u8 vector) {
        auto* platform = static_cast<IrqPlatform*>(self);
        std::lock_guard guard(platform->chips_lock_);
        platform->ioapic_.eoi(vector);
      },
      this);
  TimerQueue& boot_timers = vcpus_.front()->timers;
  const unsigned timer = boot_timers.add(
      [](void* self, u64) {
        auto* platform = static_cast<IrqPlatform*>(self);
        std::lock_guard guard(platform->chips_lock_);
        platform->pit_->timer_due();
      },
      this);
  pit_ = std::make_unique<Pit>(
      clock_, boot_timers, timer, [](void* self, bool level) { static_cast<IrqPlatform*>(self)->pit_output(level); },
      this);
}

IrqPlatform::~IrqPlatform() = default;

// ---- lines and messages -----------------------------------------------------------------------------------------

void IrqPlatform::set_line(unsigned gsi, bool level) {
  if (gsi == 0 || gsi == 2 || gsi >= kIoapicPins) return;
  std::lock_guard guard(chips_lock_);
  if (gsi < 16) pic_.set_line(gsi, level);
  ioapic_.set_line(gsi, level);
}

bool IrqPlatform::msi(u64 address, u32 data) {
  ApicMessage message;
  if (!decode_msi(address, data, message)) return false;
  apic_bus_.deliver(message);
  return true;
}

void IrqPlatform::send_nmi() {
  for (auto& v : vcpus_) v->lapic.lint1_raised();
}

void IrqPlatform::pit_output(bool level) {
  pic_.set_line(0, level);
  ioapic_.set_line(2, level);
}

// INTR goes to LINT0 of every processor, and to IOAPIC pin 0 for guests that take ExtINT from there.
void IrqPlatform::pic_output(bool level) {
  pic_level_.store(level, std::memory_order_release);
  if (level) {
    for (auto& v : vcpus_) v->lapic.lint0_raised();
  }
  ioapic_.set_line(0, level);
}

// ---- ports and MMIO -----------------------------------------------------------------------------------------------

u8 IrqPlatform::chip_read(u16 port) {
  if (PicPair::owns(port)) return pic_.read(port);
  return Pit::owns(port) ? pit_->read(port) : 0xFF;
}

void IrqPlatform::chip_write(u16 port, u8 value) {
  if (PicPair::owns(port))
    pic_.write(port, value);
  else if (Pit::owns(port))
    pit_->write(port, value);
}

bool IrqPlatform::io_read(u16 port, unsigned width, u64& value) {
  if (!owns_port(port)) return false;
  std::lock_guard guard(chips_lock_);
  value = 0;
  for (unsigned i = 0; i < width; ++i) value |= static_cast<u64>(chip_read(static_cast<u16>(port + i))) << (8 * i);
  return true;
}

bool IrqPlatform::io_write(u16 port, unsigned width, u64 value) {
  if (port == kX87ErrorPort) {
    set_line(kX87ErrorLine, false);
    ignore_x87_error_.store(true, std::memory_order_relaxed);
    return true;
  }
  if (!owns_port(port)) return false;
  std::lock_guard guard(chips_lock_);
  for (unsigned i = 0; i < width; ++i) chip_write(static_cast<u16>(port + i), static_cast<u8>(value >> (8 * i)));
  return true;
}

bool IrqPlatform::mmio_read(Vcpu& vcpu, u64 gpa, unsigned width, u64& value) {
  Lapic& lapic = per(vcpu).lapic;
  const u32 offset = static_cast<u32>(gpa & 0xFFF);
  u64 word = 0;
  if (lapic.enabled() && !lapic.x2apic() && (gpa & kPageMask) == (lapic.base() & kPageMask)) {
    word = lapic.mmio_read(offset);
  } else if ((gpa & kPageMask) == kIoapicBase) {
    std::lock_guard guard(chips_lock_);
    word = ioapic_.mmio_read(offset & ~3u);
  } else {
    return false;
  }
  // Registers are 32 bits at 16-byte strides; what lies between them reads as zero.
  word = (offset & 12) != 0 ? 0 : word >> (8 * (offset & 3));
  value = width < 8 ? word & ((1ull << (8 * width)) - 1) : word;
  return true;
}

bool IrqPlatform::mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) {
  Lapic& lapic = per(vcpu).lapic;
  const u32 offset = static_cast<u32>(gpa & 0xFFF);
  const bool whole = (offset & 15) == 0 && width >= 4;
  if (lapic.enabled() && !lapic.x2apic() && (gpa & kPageMask) == (lapic.base() & kPageMask)) {
    if (whole) lapic.mmio_write(offset, static_cast<u32>(value));  // narrower writes are undefined: ignored
    return true;
  }
  if ((gpa & kPageMask) != kIoapicBase) return false;
  std::lock_guard guard(chips_lock_);
  // The select register is often written as a byte.
  if (whole || ((offset & 15) == 0 && (offset & 0xFF) != 0x10)) ioapic_.mmio_write(offset, static_cast<u32>(value));
  return true;
}

// ---- InterruptSource ------------------------------------------------------------------------------------------------

bool IrqPlatform::has_interrupt(Vcpu& vcpu) {
  Lapic& lapic = per(vcpu).lapic;
  if (pic_level_.load(std::memory_order_acquire) && (lapic.passes_pic() || lapic.ext_int_pending())) return true;
  return lapic.deliverable() >= 0;
}

int IrqPlatform::acknowledge(Vcpu& vcpu) {
  Lapic& lapic = per(vcpu).lapic;
  if (lapic.passes_pic() || lapic.ext_int_pending()) {
    if (pic_level_.load(std::memory_order_acquire)) {
      std::lock_guard guard(chips_lock_);
      lapic.take_ext_int();  // first: more to serve raises it again
      if (pic_.output()) return pic_.acknowledge();
    } else {
      lapic.take_ext_int();
    }
  }
  return lapic.acknowledge();
}

void IrqPlatform::set_tpr(Vcpu& vcpu, u8 cr8) { per(vcpu).lapic.set_tpr(static_cast<u8>(cr8 << 4)); }
u8 IrqPlatform::tpr(Vcpu& vcpu) { return static_cast<u8>(per(vcpu).lapic.reg(Lapic::kTpr) >> 4 & 0xF); }

bool IrqPlatform::msr_read(Vcpu& vcpu, u32 index, u64& value) {
  Lapic& lapic = per(vcpu).lapic;
  if (index == kMsrApicBase)
    value = lapic.base();
  else if (index == kMsrTscDeadline)
    value = lapic.tsc_deadline();
  else
    return index >= 0x800 && index <= 0x8FF && lapic.msr_read(index, value);
  return true;
}

bool IrqPlatform::msr_write(Vcpu& vcpu, u32 index, u64 value) {
  Lapic& lapic = per(vcpu).lapic;
  if (index == kMsrApicBase) return lapic.set_base(value);
  if (index == kMsrTscDeadline) {
    lapic.set_tsc_deadline(value);
    return true;
  }
  return index >= 0x800 && index <= 0x8FF && lapic.msr_write(index, value);
}

void IrqPlatform::x87_error(Vcpu&) {
  ignore_x87_error_.store(false, std::memory_order_relaxed);
  set_line(kX87ErrorLine, true);
}

bool IrqPlatform::x87_error_ignored(Vcpu&, bool pending) {
  if (!pending) ignore_x87_error_.store(false, std::memory_order_relaxed);
  return ignore_x87_error_.load(std::memory_order_relaxed);
}

void IrqPlatform::run_timers(Vcpu& vcpu) { per(vcpu).timers.run(); }
u64 IrqPlatform::next_deadline_ns(Vcpu& vcpu) { return per(vcpu).timers.next_deadline_ns(); }

// ---- whole machine
// ------------------------------------------------------------------------------------------------------

void IrqPlatform::reset() {
  ignore_x87_error_.store(false, std::memory_order_relaxed);
  {
    std::lock_guard guard(chips_lock_);
    pic_.reset();
    pic_level_.store(false, std::memory_order_release);
    ioapic_.reset();
    pit_->reset();
  }
  for (auto& v : vcpus_) v->lapic.reset();
}

void IrqPlatform::save(ChipsState& chips, std::span<LapicState> apics) const {
  {
    std::lock_guard guard(chips_lock_);
    pic_.save(chips.pic);
    ioapic_.save(chips.ioapic);
    pit_->save(chips.pit);
  }
  for (size_t i = 0; i < vcpus_.size(); ++i) vcpus_[i]->lapic.save(apics[i]);
}

void IrqPlatform::load(const ChipsState& chips, std::span<const LapicState> apics) {
  // Chips first: the PIC's output may be announced to the local APICs, whose registers then replace what that left.
  {
    std::lock_guard guard(chips_lock_);
    pic_level_.store(false, std::memory_order_release);
    pic_.load(chips.pic);
    ioapic_.load(chips.ioapic);
    pit_->load(chips.pit);
  }
  for (size_t i = 0; i < vcpus_.size(); ++i) vcpus_[i]->lapic.load(apics[i]);
}

}  // namespace rz
