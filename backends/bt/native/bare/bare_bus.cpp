// See bare_bus.h. vCPU threads come here with the guest's vector state live in the host's registers: this file is built
// without vector registers, and calls libraries only in a HostFpuScope.
#include "bare_bus.h"

#include "irq/wait.h"
#include "run/host_fpu.h"
#include "run/machine.h"

namespace rz {
namespace {

constexpr u16 kCom1 = 0x3f8, kCmosIndex = 0x70, kCmosData = 0x71, kKeyboard = 0x64, kSystemControl = 0x92,
              kReset = 0xcf9, kPowerManagement = 0x604, kDebugExit = 0xf4;

/// Ports whose bytes go to a log: Bochs's, and the one of SeaBIOS for QEMU.
bool is_log(u16 port) { return port == 0xe9 || port == 0x402; }

}  // namespace

u64 BareBus::io_read(Vcpu& vcpu, u16 port, unsigned width) {
  u64 value = 0;
  if (irq_.io_read(port, width, value)) return value;
  HostFpuScope scope(vcpu);
  return device_read(port, width);
}

void BareBus::io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) {
  if (irq_.io_write(port, width, value)) return;
  HostFpuScope scope(vcpu);
  device_write(port, value);
}

u64 BareBus::mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) {
  u64 value = 0;
  return irq_.mmio_read(vcpu, gpa, width, value) ? value : ~0ull >> (64 - 8 * width);
}

void BareBus::mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) {
  (void)irq_.mmio_write(vcpu, gpa, width, value);
}

u64 BareBus::device_read(u16 port, unsigned width) {
  if (port >= kCom1 && port < kCom1 + 8) return uart.read(port - kCom1);
  if (port == kCmosIndex) return 0xff;
  if (port == kCmosData) return cmos(cmos_index_);
  if (port == kSystemControl) return 2;  // A20 is open
  if (is_log(port)) return 0xe9;         // "there is a log"
  unknown[port]++;
  return ~0u >> (32 - 8 * width);
}

void BareBus::device_write(u16 port, u64 value) {
  if (port >= kCom1 && port < kCom1 + 8) {
    uart.write(port - kCom1, static_cast<u8>(value));
    if (on_output) on_output();
  }
  if (is_log(port)) {
    log += static_cast<char>(value);
    if (on_output) on_output();
  }
  if (port == kCmosIndex) cmos_index_ = value & 0x7f;
  if (port == kPowerManagement && (value & 0x2000)) stop("power off", 0);
  if (port == kDebugExit) stop("debug exit", static_cast<int>(value & 0xff));
  if (port == kReset && (value & 4)) stop("reset", 3);
  if (port == kKeyboard && value == 0xfe) stop("reset", 3);
}

/// Noon of the first of January 2024, a Monday, and the size of memory. Source: Motorola, "MC146818 Real-Time Clock
/// Plus RAM"; the addresses of memory sizes are those that SeaBIOS reads.
u8 BareBus::cmos(u8 index) const {
  constexpr u64 kMiB = 1 << 20;
  const u64 low = top_ > 3072 * kMiB ? 3072 * kMiB : top_;
  const u64 kib = (low - kMiB) >> 10, above = low > 16 * kMiB ? (low - 16 * kMiB) >> 16 : 0;
  const u64 extended = kib > 0xffff ? 0xffff : kib;
  switch (index) {
    case 0x04: return 0x12;
    case 0x06: return 2;
    case 0x07:
    case 0x08: return 1;
    case 0x09: return 0x24;
    case 0x0a: return 0x26;
    case 0x0b: return 2;  // 24 hours, BCD
    case 0x0d: return 0x80;
    case 0x30: return static_cast<u8>(extended);
    case 0x31: return static_cast<u8>(extended >> 8);
    case 0x32: return 0x20;  // century
    case 0x34: return static_cast<u8>(above);
    case 0x35: return static_cast<u8>(above >> 8);
    default: return 0;
  }
}

void BareBus::stop(const char* why, int code) {
  int running = -1;
  if (exit_code.compare_exchange_strong(running, code)) ended = why;
  for (Vcpu* v : machine_.vcpus) notify(*v, kAttnStop);
}

}  // namespace rz
