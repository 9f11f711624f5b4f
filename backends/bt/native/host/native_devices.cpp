// Routing to the devices of the engine process.
#include "native_devices.h"

namespace rz {

NativeDevices::NativeDevices(peer::EnginePeer& peer, Machine& machine)
    : irq_(machine),
      consoles_(peer, {[this](u32 gsi, bool level) { irq_.set_line(gsi, level); },
                       [this](u64 address, u32 data) { irq_.msi(address, data); }}) {}

bool NativeDevices::io_read(Vcpu&, u16 port, unsigned width, u64& value) {
  return consoles_.io_read(port, width, value) || irq_.io_read(port, width, value);
}

bool NativeDevices::io_write(Vcpu&, u16 port, unsigned width, u64 value) {
  return consoles_.io_write(port, width, value) || irq_.io_write(port, width, value);
}

void NativeDevices::reset() {
  irq_.reset();
  consoles_.reset();
}

}  // namespace rz
