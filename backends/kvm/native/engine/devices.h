// The devices that this engine serves outside the kernel without JavaScript; their interrupts go to the kernel's chips.
#pragma once

#include "machine.h"
#include "peer/console_devices.h"

namespace rz::kvm {

class Devices : public peer::ConsoleDevices {
 public:
  Devices(peer::EnginePeer& peer, Machine& machine)
      : ConsoleDevices(peer, {[&machine](u32 gsi, bool level) { machine.set_line(gsi, level); },
                              [&machine](u64 address, u32 data) { machine.signal_msi(address, data); }}),
        peer_(peer) {}

  /// Whatever the host posted. Any thread.
  void serve_host() {
    ConsoleDevices::serve_host(peer_.take_work(shared::kWorkIrq | shared::kWorkUart | shared::kWorkInvalidate));
  }

 private:
  peer::EnginePeer& peer_;
};

}  // namespace rz::kvm
