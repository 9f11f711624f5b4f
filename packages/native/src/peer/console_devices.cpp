// Routing to UARTs, and interrupts from the host to the engine's controllers.
#include "console_devices.h"

namespace rz::peer {

ConsoleDevices::ConsoleDevices(EnginePeer& peer, InterruptInputs inputs) : peer_(peer), inputs_(std::move(inputs)) {
  const shared::Header& header = peer.header();
  for (u32 i = 0; i < header.uarts; ++i) {
    uarts_.push_back(std::make_unique<ConsoleUart>(
        peer, i, header.uart[i].port,
        [this, i, gsi = header.uart[i].irq](bool level) { drive_line(1 + i, gsi, level); }));
  }
}

bool ConsoleDevices::owns(u16 port) const {
  for (const auto& uart : uarts_) {
    if (uart->owns(port)) return true;
  }
  return false;
}

bool ConsoleDevices::io_read(u16 port, unsigned width, u64& value) {
  for (const auto& uart : uarts_) {
    if (!uart->owns(port)) continue;
    value = uart->read(port, width);
    return true;
  }
  return false;
}

bool ConsoleDevices::io_write(u16 port, unsigned width, u64 value) {
  for (const auto& uart : uarts_) {
    if (!uart->owns(port)) continue;
    uart->write(port, width, value);
    return true;
  }
  return false;
}

void ConsoleDevices::serve_host(u32 work) {
  if ((work & shared::kWorkIrq) != 0) serve_irq_ring();
  if ((work & shared::kWorkUart) != 0) {
    for (const auto& uart : uarts_) uart->chip().poll();
  }
}

void ConsoleDevices::serve_irq_ring() {
  auto& ring = peer_.area().irq;
  std::lock_guard guard(ring_lock_);
  shared::IrqEntry entry;
  while (ring.pop(entry)) {
    peer_.record(shared::FlightKind::kIrq, 0, entry.address, entry.data);
    if (entry.address != 0)
      inputs_.msi(entry.address, static_cast<u32>(entry.data));
    else
      drive_line(0, static_cast<u32>(entry.data >> 1), (entry.data & 1) != 0);
  }
  if (ring.overflow.exchange(0, std::memory_order_seq_cst) != 0) peer_.notify_host();  // there is room again
}

void ConsoleDevices::drive_line(u32 source, u32 gsi, bool level) {
  if (gsi >= kLines) return;
  std::lock_guard guard(lines_lock_);
  const u8 before = sources_[gsi];
  const u8 bit = static_cast<u8>(1u << source);
  sources_[gsi] = static_cast<u8>(level ? before | bit : before & ~bit);
  if ((before != 0) != (sources_[gsi] != 0)) inputs_.set_line(gsi, sources_[gsi] != 0);
}

void ConsoleDevices::reset() {
  {
    std::lock_guard guard(lines_lock_);
    for (u8& line : sources_) line = 0;
  }
  for (const auto& uart : uarts_) uart->chip().reset();
}

}  // namespace rz::peer
