// One native 16550 between the guest's ports and the console rings of the control area: the chip is ../uart's,
// this places it at its ports and connects its wires.
#pragma once

#include <functional>

#include "../uart/uart16550.h"
#include "engine_peer.h"

namespace rz::peer {

class ConsoleUart {
 public:
  /// @param set_line  drives the UART's interrupt line; called on any thread, under the chip's lock
  ConsoleUart(EnginePeer& peer, u32 index, u16 port, std::function<void(bool)> set_line);

  bool owns(u16 port) const { return static_cast<u16>(port - port_) < 8; }
  /// vCPU threads. Wider accesses than a byte go to consecutive registers.
  u64 read(u16 port, unsigned width);
  void write(u16 port, unsigned width, u64 value);
  Uart16550& chip() { return chip_; }

 private:
  EnginePeer& peer_;
  const u32 index_;
  const u16 port_;
  std::function<void(bool)> set_line_;
  Uart16550 chip_;
};

}  // namespace rz::peer
