// The devices that live in the engine process: interrupt controllers, timers and UARTs. Routes accesses to them and
// combines the interrupt lines of several sources (UARTs, the host's device models) into one level per line.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "irq/platform.h"
#include "peer/console_uart.h"
#include "peer/engine_peer.h"

namespace rz {

class NativeDevices {
 public:
  /// @param machine  its `vcpus` must be complete
  NativeDevices(peer::EnginePeer& peer, Machine& machine);

  // vCPU threads. False: not ours.
  bool io_read(Vcpu& vcpu, u16 port, unsigned width, u64& value);
  bool io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value);
  bool mmio_read(Vcpu& vcpu, u64 gpa, unsigned width, u64& value) { return irq_.mmio_read(vcpu, gpa, width, value); }
  bool mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) { return irq_.mmio_write(vcpu, gpa, width, value); }

  /// The host posted interrupts (kWorkIrq) or moved a console ring (kWorkUart); other bits are ignored. Any thread.
  void serve_host(u32 work);
  /// A source drives a line: source 0 is the host, 1 + n is UART n. Any thread.
  void drive_line(unsigned source, unsigned gsi, bool level);
  /// Power-on state. While paused.
  void reset();

  IrqPlatform& irq() { return irq_; }
  std::vector<std::unique_ptr<peer::ConsoleUart>>& uarts() { return uarts_; }

 private:
  void serve_irq_ring();
  static constexpr unsigned kLines = 24;
  peer::EnginePeer& peer_;
  IrqPlatform irq_;
  std::vector<std::unique_ptr<peer::ConsoleUart>> uarts_;
  std::mutex ring_lock_;     // one consumer of the irq ring at a time
  std::mutex lines_lock_;    // guards sources_
  u8 sources_[kLines] = {};  // by line: bit = source that asserts it
};

}  // namespace rz
