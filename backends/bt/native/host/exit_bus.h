// The machine's bus as translated code reaches it: native devices first (interrupt controllers, timers, UARTs), then
// doorbells, then the exit mailbox to the host. Called on vCPU threads with the guest's vector state live in the host's
// registers: built with -mgeneral-regs-only.
#pragma once

#include "native_devices.h"
#include "peer/engine_peer.h"
#include "run/bus.h"

namespace rz {

class ExitBus final : public Bus {
 public:
  ExitBus(peer::EnginePeer& peer, NativeDevices& devices) : peer_(peer), devices_(devices) {}
  u64 io_read(Vcpu& vcpu, u16 port, unsigned width) override;
  void io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) override;
  u64 mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) override;
  void mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) override;
  void debug_stop(Vcpu& vcpu, u64 linear) override;

 private:
  u64 leave(Vcpu& vcpu, shared::ExitKind kind, u64 address, unsigned width, u64 value);
  peer::EnginePeer& peer_;
  NativeDevices& devices_;
};

}  // namespace rz
