// Local APIC: registers, priorities, IPIs. The timer is in lapic_timer.cpp.
#include "lapic.h"

#include "wait.h"

namespace rz {
namespace {

constexpr u32 kLvtMasked = 1 << 16;
constexpr u32 kVersionValue =
    0x14 | 5 << 16;  // integrated APIC, LVT entries 0..5 (no CMCI), no EOI-broadcast suppression
constexpr u32 kEsrSendIllegal = 1 << 5, kEsrReceiveIllegal = 1 << 6, kEsrIllegalRegister = 1 << 7;

// Writable bits of each LVT entry.
u32 lvt_mask(unsigned r) {
  switch (r) {
    case Lapic::kLvtTimer: return 0x700FF;
    case Lapic::kLvtLint0:
    case Lapic::kLvtLint1: return 0x1A7FF;
    case Lapic::kLvtError: return 0x100FF;
    default: return 0x107FF;  // thermal, performance
  }
}

int top_bit(u32 word) { return 31 - __builtin_clz(word); }

}  // namespace

Lapic::Lapic(Vcpu& vcpu, ApicBus& bus, TimerQueue& timers, const Clock& clock)
    : vcpu_(vcpu), bus_(bus), timers_(timers), clock_(clock) {
  timer_ = timers.add([](void* self, u64 now) { static_cast<Lapic*>(self)->timer_due(now); }, this);
  reset();
}

void Lapic::reset() {
  const u64 base = kApicDefaultBase | kApicBaseEnable | (vcpu_.index == 0 ? kApicBaseBsp : 0);
  base_.store(base, std::memory_order_relaxed);
  vcpu_.msr.apic_base = base;
  init();
  if (vcpu_.index == 0) {
    put(kLvtLint0, static_cast<u32>(Delivery::kExtInt) << 8);
    put(kLvtLint1, static_cast<u32>(Delivery::kNmi) << 8);
  }
}

void Lapic::init() {
  stop_timer();
  tsc_deadline_ = vcpu_.msr.tsc_deadline = 0;
  for (auto& r : regs_) r.store(0, std::memory_order_relaxed);
  irr_words_.store(0, std::memory_order_relaxed);
  ext_int_.store(0, std::memory_order_relaxed);
  esr_pending_.store(0, std::memory_order_relaxed);
  put(kVersion, kVersionValue);
  put(kDfr, 0xFFFFFFFF);
  put(kSvr, 0xFF);
  for (unsigned r = kLvtTimer; r <= kLvtError; ++r) put(r, kLvtMasked);
  vcpu_.cr8 = 0;
  // ID and, in x2APIC mode, the logical ID follow from the processor's number.
  if (x2apic()) {
    put(kId, id());
    put(kLdr, (id() >> 4) << 16 | 1u << (id() & 15));
  } else {
    put(kId, id() << 24);
  }
}

bool Lapic::set_base(u64 value) {
  constexpr u64 kReserved = 0xFF | 1 << 9 | ~((1ull << 52) - 1);
  constexpr u64 kMode = kApicBaseEnable | kApicBaseExtended;
  if ((value & kReserved) != 0) return false;
  const u64 from = base() & kMode;
  const u64 to = value & kMode;
  if (to == kApicBaseExtended) return false;                 // x2APIC without the APIC
  if (from == kMode && to == kApicBaseEnable) return false;  // back to xAPIC only by way of disabled
  if (from == 0 && to == kMode) return false;                // and into x2APIC only from xAPIC
  base_.store(value, std::memory_order_relaxed);
  vcpu_.msr.apic_base = value;
  if (from == to) return true;
  if (to == 0) init();
  if (to == kMode) {
    put(kId, id());
    put(kLdr, (id() >> 4) << 16 | 1u << (id() & 15));
    put(kIcrHigh, 0);
  } else {
    put(kId, id() << 24);
  }
  if (passes_pic()) vcpu_.request(kAttnInterrupt);
  return true;
}

// ---- interrupt acceptance --------------------------------------------------------------------------------

bool Lapic::accept(Delivery delivery, u8 vector, bool level) {
  switch (delivery) {
    case Delivery::kFixed:
    case Delivery::kLowestPriority: {
      if (!software_enabled()) return false;
      if (vector < 16) {
        error(kEsrReceiveIllegal);
        return false;
      }
      const unsigned word = vector / 32;
      const u32 bit = 1u << (vector % 32);
      if (level) {
        regs_[kTmr + word].fetch_or(bit, std::memory_order_relaxed);
      } else if ((reg(kTmr + word) & bit) != 0) {
        regs_[kTmr + word].fetch_and(~bit, std::memory_order_relaxed);
      }
      regs_[kIrr + word].fetch_or(bit, std::memory_order_seq_cst);
      irr_words_.fetch_or(1u << word, std::memory_order_seq_cst);
      notify(vcpu_, kAttnInterrupt);
      return true;
    }
    case Delivery::kNmi: notify(vcpu_, kAttnNmi); return true;
    case Delivery::kInit: notify(vcpu_, kAttnInit); return true;
    case Delivery::kStartup:
      startup_vector_.store(vector, std::memory_order_release);
      notify(vcpu_, kAttnSipi);
      return true;
    case Delivery::kExtInt:
      ext_int_.store(1, std::memory_order_release);
      notify(vcpu_, kAttnInterrupt);
      return true;
    case Delivery::kSmi: return false;  // no system-management mode: as on a board that ties SMI# high
  }
  return false;
}

void Lapic::deliver_lvt(unsigned r) {
  const u32 lvt = reg(r);
  if ((lvt & kLvtMasked) != 0 || !enabled()) return;
  const bool has_mode = r != kLvtTimer && r != kLvtError;
  const Delivery delivery = has_mode ? static_cast<Delivery>((lvt >> 8) & 7) : Delivery::kFixed;
  accept(delivery, static_cast<u8>(lvt), delivery == Delivery::kFixed && r == kLvtLint0 && (lvt & 0x8000) != 0);
}

void Lapic::lint0_raised() {
  if (!enabled()) {
    notify(vcpu_, kAttnInterrupt);
    return;
  }
  const u32 lvt = reg(kLvtLint0);
  if ((lvt & kLvtMasked) != 0) return;
  if (static_cast<Delivery>((lvt >> 8) & 7) == Delivery::kExtInt) {
    notify(vcpu_, kAttnInterrupt);  // passes_pic() gates on the pair's live output, so nothing is latched here
  } else {
    deliver_lvt(kLvtLint0);
  }
}

bool Lapic::passes_pic() const {
  if (!enabled()) return true;
  const u32 lvt = reg(kLvtLint0);
  return (lvt & kLvtMasked) == 0 && static_cast<Delivery>((lvt >> 8) & 7) == Delivery::kExtInt;
}

void Lapic::error(u32 esr_bit) {
  // A bad vector in the error entry itself must not raise another error.
  const bool was_set = (esr_pending_.fetch_or(esr_bit, std::memory_order_relaxed) & esr_bit) != 0;
  if (!was_set && (reg(kLvtError) & 0xFF) >= 16) deliver_lvt(kLvtError);
}

// ---- priorities --------------------------------------------------------------------------------------------

int Lapic::highest_irr() {
  u32 words = irr_words_.load(std::memory_order_acquire);
  while (words != 0) {
    const int word = top_bit(words);
    const u32 bits = regs_[kIrr + word].load(std::memory_order_acquire);
    if (bits != 0) return word * 32 + top_bit(bits);
    // Take the hint back, then look again: an acceptance sets the word before the hint.
    irr_words_.fetch_and(~(1u << word), std::memory_order_seq_cst);
    if (regs_[kIrr + word].load(std::memory_order_seq_cst) != 0) {
      irr_words_.fetch_or(1u << word, std::memory_order_seq_cst);
      continue;
    }
    words &= ~(1u << word);
  }
  return -1;
}

int Lapic::highest_isr() const {
  for (int word = 7; word >= 0; --word) {
    if (const u32 bits = reg(kIsr + word); bits != 0) return word * 32 + top_bit(bits);
  }
  return -1;
}

void Lapic::update_ppr() {
  const u32 tpr = reg(kTpr) & 0xFF;
  const int in_service = highest_isr();
  const u32 isr_class = in_service < 0 ? 0 : static_cast<u32>(in_service) & 0xF0;
  put(kPpr, (tpr & 0xF0) >= isr_class ? tpr : isr_class);
}

int Lapic::deliverable() {
  if (irr_words_.load(std::memory_order_acquire) == 0 || !enabled()) return -1;
  const int vector = highest_irr();
  return vector >= 0 && (static_cast<u32>(vector) >> 4) > (reg(kPpr) >> 4) ? vector : -1;
}

int Lapic::acknowledge() {
  const int vector = deliverable();
  if (vector < 0) return -1;
  const u32 bit = 1u << (vector % 32);
  regs_[kIsr + vector / 32].fetch_or(bit, std::memory_order_relaxed);
  regs_[kIrr + vector / 32].fetch_and(~bit, std::memory_order_seq_cst);
  update_ppr();
  return vector;
}

void Lapic::eoi() {
  const int vector = highest_isr();
  if (vector < 0) return;
  const u32 bit = 1u << (vector % 32);
  regs_[kIsr + vector / 32].fetch_and(~bit, std::memory_order_relaxed);
  update_ppr();
  if ((reg(kTmr + vector / 32) & bit) != 0) bus_.broadcast_eoi(static_cast<u8>(vector));
  announce();
}

void Lapic::set_tpr(u8 tpr) {
  put(kTpr, tpr);
  vcpu_.cr8 = tpr >> 4;
  update_ppr();
  announce();
}

// ---- inter-processor interrupts ------------------------------------------------------------------------------

void Lapic::send_ipi(u32 low, u32 destination) {
  ApicMessage m;
  m.destination = destination;
  m.wide = x2apic();
  m.logical = (low & 1 << 11) != 0;
  m.delivery = static_cast<Delivery>((low >> 8) & 7);
  m.vector = static_cast<u8>(low);
  const bool assert = (low & 1 << 14) != 0;
  const bool level_trigger = (low & 1 << 15) != 0;
  // INIT level de-assert only resynchronised arbitration IDs of old buses.
  if (m.delivery == Delivery::kInit && level_trigger && !assert) return;
  const bool fixed = m.delivery == Delivery::kFixed || m.delivery == Delivery::kLowestPriority;
  if (fixed && m.vector < 16) {
    error(kEsrSendIllegal);
    return;
  }
  bus_.deliver_ipi(*this, static_cast<Shorthand>((low >> 18) & 3), m);  // IPIs are edge triggered, whatever bit 15 says
}

// ---- registers -------------------------------------------------------------------------------------------------

u32 Lapic::read_register(unsigned r) {
  switch (r) {
    case kApr: {
      // Arbitration priority: as PPR, but looking at the highest request too.
      const int requested = highest_irr();
      const u32 ppr = reg(kPpr);
      return requested >= 0 && (static_cast<u32>(requested) & 0xF0) > ppr ? static_cast<u32>(requested) & 0xF0 : ppr;
    }
    case kCurrentCount: return current_count();
    default: return reg(r);
  }
}

void Lapic::write_lvt(unsigned r, u32 value) {
  value &= lvt_mask(r);
  if (!software_enabled()) value |= kLvtMasked;
  if (r == kLvtTimer) {
    const u32 old_mode = timer_mode();
    put(r, value);
    // Passing into or out of TSC-deadline mode disarms the timer.
    if ((old_mode == 2) != (timer_mode() == 2)) {
      stop_timer();
      tsc_deadline_ = vcpu_.msr.tsc_deadline = 0;
    }
    return;
  }
  put(r, value);
  if (r == kLvtLint0 && passes_pic()) vcpu_.request(kAttnInterrupt);
}

void Lapic::write_register(unsigned r, u32 value) {
  switch (r) {
    case kTpr: set_tpr(static_cast<u8>(value)); break;
    case kEoi: eoi(); break;
    case kLdr:
      if (!x2apic()) put(r, value & 0xFF000000);
      break;
    case kDfr: put(r, value | 0x0FFFFFFF); break;
    case kSvr:
      put(r, value & 0x3FF);
      if ((value & 0x100) == 0) {
        for (unsigned lvt = kLvtTimer; lvt <= kLvtError; ++lvt) put(lvt, reg(lvt) | kLvtMasked);
      }
      break;
    case kEsr: put(r, esr_pending_.exchange(0, std::memory_order_relaxed)); break;
    case kIcrLow:
      put(r, value & 0xCCFFF);  // delivery status always reads idle
      send_ipi(value, x2apic() ? reg(kIcrHigh) : reg(kIcrHigh) >> 24);
      break;
    case kIcrHigh: put(r, value & 0xFF000000); break;
    case kLvtTimer:
    case kLvtThermal:
    case kLvtPerf:
    case kLvtLint0:
    case kLvtLint1:
    case kLvtError: write_lvt(r, value); break;
    case kInitialCount:
      if (timer_mode() == 2) break;
      put(r, value);
      start_count(value);
      break;
    case kDivide: {
      const u32 left = current_count();
      put(r, value & 0xB);
      if (target_ns_ != kNever) start_count(left);  // the count so far goes on at the new rate
      break;
    }
    default: break;  // read-only
  }
}

namespace {

bool is_register(unsigned r) {
  if (r >= Lapic::kIsr && r < Lapic::kIrr + 8) return true;
  switch (r) {
    case Lapic::kId:
    case Lapic::kVersion:
    case Lapic::kTpr:
    case Lapic::kApr:
    case Lapic::kPpr:
    case Lapic::kEoi:
    case Lapic::kRrd:
    case Lapic::kLdr:
    case Lapic::kDfr:
    case Lapic::kSvr:
    case Lapic::kEsr:
    case Lapic::kIcrLow:
    case Lapic::kIcrHigh:
    case Lapic::kLvtTimer:
    case Lapic::kLvtThermal:
    case Lapic::kLvtPerf:
    case Lapic::kLvtLint0:
    case Lapic::kLvtLint1:
    case Lapic::kLvtError:
    case Lapic::kInitialCount:
    case Lapic::kCurrentCount:
    case Lapic::kDivide: return true;
    default: return false;
  }
}

}  // namespace

u32 Lapic::mmio_read(u32 offset) {
  const unsigned r = (offset & 0xFFF) >> 4;
  if (r >= kRegCount || !is_register(r) || r == kEoi) {
    if (r != kEoi) error(kEsrIllegalRegister);
    return 0;
  }
  return read_register(r);
}

void Lapic::mmio_write(u32 offset, u32 value) {
  const unsigned r = (offset & 0xFFF) >> 4;
  if (r >= kRegCount || !is_register(r)) {
    error(kEsrIllegalRegister);
    return;
  }
  write_register(r, value);
}

bool Lapic::msr_read(u32 index, u64& value) {
  const unsigned r = index - 0x800;
  if (!x2apic() || r >= kRegCount || !is_register(r)) return false;
  // Absent from the x2APIC map, or write-only.
  if (r == kApr || r == kRrd || r == kDfr || r == kIcrHigh || r == kEoi) return false;
  value = r == kIcrLow ? static_cast<u64>(reg(kIcrHigh)) << 32 | reg(kIcrLow) : read_register(r);
  return true;
}

bool Lapic::msr_write(u32 index, u64 value) {
  const unsigned r = index - 0x800;
  if (!x2apic() || r >= kRegCount) return false;
  if (r == kIcrLow) {
    if ((value & 0xFFF32000u) != 0) return false;
    put(kIcrHigh, static_cast<u32>(value >> 32));
    write_register(kIcrLow, static_cast<u32>(value));
    return true;
  }
  if ((value >> 32) != 0) return false;
  const u32 low = static_cast<u32>(value);
  switch (r) {
    case kTpr:
      if (low > 0xFF) return false;
      break;
    case kEoi:
    case kEsr:
      if (low != 0) return false;
      break;
    case kSvr:
      if ((low & ~0x3FFu) != 0) return false;
      break;
    case kLvtTimer:
    case kLvtThermal:
    case kLvtPerf:
    case kLvtLint0:
    case kLvtLint1:
    case kLvtError:
      if ((low & ~(lvt_mask(r) | 0x5000)) != 0) return false;  // status and remote IRR are read-only, not reserved
      break;
    case kInitialCount: break;
    case kDivide:
      if ((low & ~0xBu) != 0) return false;
      break;
    case kSelfIpi:
      if (low > 0xFF) return false;
      if (low < 16)
        error(kEsrSendIllegal);
      else
        accept(Delivery::kFixed, static_cast<u8>(low), false);
      return true;
    default: return false;  // read-only or absent
  }
  write_register(r, low);
  return true;
}

// ---- state -------------------------------------------------------------------------------------------------------

void Lapic::save(LapicState& s) const {
  s = {};
  for (unsigned r = 0; r < kRegCount; ++r) s.regs[r * 4] = reg(r);
  s.regs[kCurrentCount * 4] = current_count();
  s.apic_id = id();
  const u32 attention = vcpu_.attention.load(std::memory_order_acquire);
  if ((attention & kAttnNmi) != 0) s.pending |= LapicState::kPendingNmi;
  if ((attention & kAttnInit) != 0) s.pending |= LapicState::kPendingInit;
  if ((attention & kAttnSipi) != 0) s.pending |= LapicState::kPendingSipi;
  if (ext_int_pending()) s.pending |= LapicState::kPendingExtInt;
  s.startup_vector = startup_vector();
  s.esr_pending = esr_pending_.load(std::memory_order_relaxed);
  s.apic_base = base();
  s.tsc_deadline = tsc_deadline_;
  const u64 now = clock_.now_ns();
  s.timer_left_ns = target_ns_ == kNever ? kNever : target_ns_ > now ? target_ns_ - now : 0;
}

void Lapic::load(const LapicState& s) {
  stop_timer();
  base_.store(s.apic_base, std::memory_order_relaxed);
  vcpu_.msr.apic_base = s.apic_base;
  u32 words = 0;
  for (unsigned r = 0; r < kRegCount; ++r) {
    put(r, s.regs[r * 4]);
    if (r >= kIrr && r < kIrr + 8 && s.regs[r * 4] != 0) words |= 1u << (r - kIrr);
  }
  put(kVersion, kVersionValue);
  put(kId, x2apic() ? id() : id() << 24);
  put(kCurrentCount, 0);
  irr_words_.store(words, std::memory_order_seq_cst);
  vcpu_.cr8 = (reg(kTpr) >> 4) & 0xF;
  update_ppr();
  esr_pending_.store(s.esr_pending, std::memory_order_relaxed);
  startup_vector_.store(static_cast<u8>(s.startup_vector), std::memory_order_release);
  ext_int_.store((s.pending & LapicState::kPendingExtInt) != 0, std::memory_order_release);
  tsc_deadline_ = vcpu_.msr.tsc_deadline = s.tsc_deadline;
  if (s.timer_left_ns != kNever && timer_mode() != 2) {
    target_ns_ = clock_.now_ns() + s.timer_left_ns;
    timers_.arm(timer_, target_ns_);
  }
  if (tsc_deadline_ != 0) aim_tsc_deadline();
  vcpu_.attention.fetch_and(~(kAttnNmi | kAttnInit | kAttnSipi), std::memory_order_acq_rel);
  u32 bits = kAttnInterrupt;
  if ((s.pending & LapicState::kPendingNmi) != 0) bits |= kAttnNmi;
  if ((s.pending & LapicState::kPendingInit) != 0) bits |= kAttnInit;
  if ((s.pending & LapicState::kPendingSipi) != 0) bits |= kAttnSipi;
  notify(vcpu_, bits);
}

}  // namespace rz
