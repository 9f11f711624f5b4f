// I/O APIC; see ioapic.h.
#include "ioapic.h"

namespace rz {
namespace {

constexpr u64 kDeliveryStatus = 1 << 12, kRemoteIrr = 1 << 14, kLevel = 1 << 15, kMasked = 1 << 16;
constexpr u64 kWritable = 0xFF0000000001AFFFull & ~kDeliveryStatus;  // without delivery status and remote IRR
constexpr u32 kVersion = 0x11 | (kIoapicPins - 1) << 16;

}  // namespace

void Ioapic::reset() {
  select_ = id_ = lines_ = 0;
  for (u64& entry : redirection_) entry = kMasked;
}

void Ioapic::deliver(unsigned pin) {
  u64& entry = redirection_[pin];
  if ((entry & kMasked) != 0) return;
  ApicMessage m;
  m.destination = static_cast<u32>(entry >> 56);
  m.logical = (entry & 1 << 11) != 0;
  m.delivery = static_cast<Delivery>((entry >> 8) & 7);
  m.vector = static_cast<u8>(entry);
  const bool maskable = m.delivery == Delivery::kFixed || m.delivery == Delivery::kLowestPriority;
  m.level = maskable && (entry & kLevel) != 0;  // the other modes are edge triggered whatever the bit says
  const unsigned accepted = bus_.deliver(m);
  if (m.level && accepted != 0) entry |= kRemoteIrr;
}

void Ioapic::set_line(unsigned pin, bool level) {
  if (pin >= kIoapicPins) return;
  const u32 mask = 1u << pin;
  const bool rose = level && (lines_ & mask) == 0;
  if (level)
    lines_ |= mask;
  else
    lines_ &= ~mask;
  const u64 entry = redirection_[pin];
  if ((entry & kLevel) != 0) {
    if (level && (entry & kRemoteIrr) == 0) deliver(pin);
  } else if (rose) {
    deliver(pin);  // an edge on a masked pin is lost
  }
}

void Ioapic::eoi(u8 vector) {
  for (unsigned pin = 0; pin < kIoapicPins; ++pin) {
    u64& entry = redirection_[pin];
    if (static_cast<u8>(entry) != vector || (entry & (kLevel | kRemoteIrr)) != (kLevel | kRemoteIrr)) continue;
    entry &= ~kRemoteIrr;
    if ((lines_ & 1u << pin) != 0) deliver(pin);
  }
}

void Ioapic::write_redirection(unsigned pin, bool high, u32 value) {
  u64& entry = redirection_[pin];
  const u64 half = high ? static_cast<u64>(value) << 32 : value;
  const u64 written = (high ? 0xFFFFFFFF00000000ull : 0xFFFFFFFFull) & kWritable;
  entry = (entry & ~written) | (half & written);
  if ((entry & kLevel) == 0) entry &= ~kRemoteIrr;  // guests flip to edge and back to drop a stuck remote IRR
  if ((entry & kLevel) != 0 && (entry & kRemoteIrr) == 0 && (lines_ & 1u << pin) != 0) deliver(pin);
}

u32 Ioapic::mmio_read(u32 offset) const {
  switch (offset & 0xFF) {
    case 0x00: return select_;
    case 0x10: break;
    default: return 0;
  }
  switch (select_) {
    case 0:
    case 2: return id_ << 24;  // arbitration ID follows the ID
    case 1: return kVersion;
  }
  const u32 index = select_ - 0x10;
  if (index >= kIoapicPins * 2) return 0;
  const u64 entry = redirection_[index / 2];
  return static_cast<u32>((index & 1) != 0 ? entry >> 32 : entry);
}

void Ioapic::mmio_write(u32 offset, u32 value) {
  switch (offset & 0xFF) {
    case 0x00: select_ = value & 0xFF; return;
    case 0x10: break;
    default: return;
  }
  if (select_ == 0) {
    id_ = (value >> 24) & 0xF;
    return;
  }
  const u32 index = select_ - 0x10;
  if (index < kIoapicPins * 2) write_redirection(index / 2, (index & 1) != 0, value);
}

void Ioapic::save(IoapicState& s) const {
  s = {};
  s.base_address = kIoapicBase;
  s.ioregsel = select_;
  s.id = id_;
  s.irr = lines_;
  for (unsigned i = 0; i < kIoapicPins; ++i) s.redirection[i] = redirection_[i];
}

void Ioapic::load(const IoapicState& s) {
  select_ = s.ioregsel & 0xFF;
  id_ = s.id & 0xF;
  lines_ = s.irr & ((1u << kIoapicPins) - 1);
  // The messages already sent are in the local APICs' IRR; nothing is delivered again.
  for (unsigned i = 0; i < kIoapicPins; ++i) redirection_[i] = s.redirection[i] & (kWritable | kRemoteIrr);
}

}  // namespace rz
