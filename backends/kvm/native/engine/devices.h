// The devices that this engine serves outside the kernel without JavaScript: UARTs. Also combines the interrupt lines
// of several sources (UARTs, the host's device models) into one level for each line.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "machine.h"
#include "peer/console_uart.h"
#include "peer/engine_peer.h"

namespace rz::kvm {

class Devices {
 public:
  Devices(peer::EnginePeer& peer, Machine& machine);

  /// vCPU threads. False: not ours.
  bool io_read(u16 port, u32 width, u64& value);
  bool io_write(u16 port, u32 width, u64 value);
  /// The host posted interrupts or moved a console ring. Any thread.
  void serve_host();
  std::vector<std::unique_ptr<peer::ConsoleUart>>& uarts() { return uarts_; }
  /// Power-on state. While no vCPU runs.
  void reset();

 private:
  void drive_line(u32 source, u32 gsi, bool level);  // source 0 is the host, 1 + n is UART n
  static constexpr u32 kLines = 24;
  peer::EnginePeer& peer_;
  Machine& machine_;
  std::vector<std::unique_ptr<peer::ConsoleUart>> uarts_;
  std::mutex ring_lock_;     // one consumer of the irq ring at a time
  std::mutex lines_lock_;    // guards sources_, held over the ioctl: levels arrive in the order in which they changed
  u8 sources_[kLines] = {};  // by line: bit = source that asserts it
};

}  // namespace rz::kvm
