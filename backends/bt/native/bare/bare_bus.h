// The buses of a machine without Node: the engine's own interrupt controllers and timers, COM1, CMOS memory with a
// clock that stands still, the log port, and the ways for a guest to end (ACPI S5, debug exit, reset). Everything else
// answers as a bus without a device. What must stay true: it depends on nothing but the guest and the engine's clock.
#pragma once

#include <functional>
#include <map>

#include "irq/platform.h"
#include "run/bus.h"
#include "tiny_uart.h"

namespace rz {

class BareBus final : public Bus {
 public:
  /// @param top  end of guest memory, for CMOS
  BareBus(Machine& machine, IrqPlatform& irq, u64 top) : uart(irq), machine_(machine), irq_(irq), top_(top) {}
  u64 io_read(Vcpu& vcpu, u16 port, unsigned width) override;
  void io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) override;
  u64 mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) override;
  void mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) override;

  /// Ask all vCPUs to leave run(). The first reason counts. Any thread.
  void stop(const char* why, int code);

  TinyUart uart;
  std::string log;                  // bytes of the log ports
  const char* ended = nullptr;      // why the guest stopped
  std::atomic<int> exit_code{-1};   // what it said then; -1: it runs
  std::function<void()> on_output;  // called after a byte of output; may be empty
  std::map<u16, unsigned> unknown;  // how often a port without device was read

 private:
  u64 device_read(u16 port, unsigned width);
  void device_write(u16 port, u64 value);
  u8 cmos(u8 index) const;

  Machine& machine_;
  IrqPlatform& irq_;
  u64 top_;
  u8 cmos_index_ = 0;
};

}  // namespace rz
