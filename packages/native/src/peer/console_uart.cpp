// Ports and wires of a native UART.
#include "console_uart.h"

namespace rz::peer {

ConsoleUart::ConsoleUart(EnginePeer& peer, u32 index, u16 port, std::function<void(bool)> set_line)
    : peer_(peer),
      index_(index),
      port_(port),
      set_line_(std::move(set_line)),
      chip_(peer.area().uarts[index].output(), peer.area().uarts[index].input(),
            UartWiring{[](void* self, bool level) { static_cast<ConsoleUart*>(self)->set_line_(level); },
                       [](void* self) {
                         auto* uart = static_cast<ConsoleUart*>(self);
                         uart->peer_.notify_uart(uart->index_);
                       },
                       nullptr, this}) {}

u64 ConsoleUart::read(u16 port, unsigned width) {
  u64 value = 0;
  for (unsigned i = 0; i < width; ++i) value |= static_cast<u64>(chip_.read((port + i - port_) & 7)) << (8 * i);
  return value;
}

void ConsoleUart::write(u16 port, unsigned width, u64 value) {
  for (unsigned i = 0; i < width; ++i) chip_.write((port + i - port_) & 7, static_cast<u8>(value >> (8 * i)));
}

}  // namespace rz::peer
