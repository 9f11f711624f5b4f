// What every engine serves outside its interrupt controllers without JavaScript: the UARTs, and the interrupts that the
// host posts. Combines the lines of several sources (UARTs, the host's device models) into one level for each line.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "console_uart.h"
#include "engine_peer.h"

namespace rz::peer {

/// The engine's interrupt controllers, wherever they are. Called on any thread.
struct InterruptInputs {
  std::function<void(u32 gsi, bool level)> set_line;
  std::function<void(u64 address, u32 data)> msi;
};

class ConsoleDevices {
 public:
  ConsoleDevices(EnginePeer& peer, InterruptInputs inputs);

  /// Any thread.
  bool owns(u16 port) const;
  /// vCPU threads. False: not ours.
  bool io_read(u16 port, unsigned width, u64& value);
  bool io_write(u16 port, unsigned width, u64 value);
  /// The host posted interrupts (kWorkIrq) or moved a console ring (kWorkUart); other bits are ignored. Any thread.
  void serve_host(u32 work);
  std::vector<std::unique_ptr<ConsoleUart>>& uarts() { return uarts_; }
  /// Power-on state. While paused.
  void reset();

 private:
  void serve_irq_ring();
  void drive_line(u32 source, u32 gsi, bool level);  // source 0 is the host, 1 + n is UART n
  static constexpr u32 kLines = 24;
  EnginePeer& peer_;
  const InterruptInputs inputs_;
  std::vector<std::unique_ptr<ConsoleUart>> uarts_;
  std::mutex ring_lock_;     // one consumer of the irq ring at a time
  std::mutex lines_lock_;    // guards sources_, held over set_line: levels arrive in the order in which they changed
  u8 sources_[kLines] = {};  // by line: bit = source that asserts it
};

}  // namespace rz::peer
