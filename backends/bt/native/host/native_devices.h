// The devices that live in the engine process: interrupt controllers, timers and UARTs. Routes accesses to them.
#pragma once

#include "irq/platform.h"
#include "peer/console_devices.h"

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
  void serve_host(u32 work) { consoles_.serve_host(work); }
  /// Power-on state. While paused.
  void reset();

  IrqPlatform& irq() { return irq_; }
  std::vector<std::unique_ptr<peer::ConsoleUart>>& uarts() { return consoles_.uarts(); }

 private:
  IrqPlatform irq_;
  peer::ConsoleDevices consoles_;
};

}  // namespace rz
