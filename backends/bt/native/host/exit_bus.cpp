// Routing of port and memory-mapped accesses.
#include "exit_bus.h"

#include "cpu/vcpu.h"
#include "debug/trace.h"
#include "run/machine.h"

namespace rz {

using shared::ExitKind;

namespace {

bool is_read(ExitKind kind) { return kind == ExitKind::kPortIn || kind == ExitKind::kMmioRead; }

void trace_exit(const Vcpu& vcpu, ExitKind kind, u64 address, unsigned width, u64 value) {
  static const char* const kNames[] = {"port-in", "port-out", "mmio-read", "mmio-write"};
  TraceLine(vcpu, Trace::kExit, kNames[static_cast<u32>(kind) - 1])
      .hex(kind <= ExitKind::kPortOut ? "port" : "at", address)
      .number("size", width)
      .hex("value", value);
}

}  // namespace

u64 ExitBus::leave(Vcpu& vcpu, ExitKind kind, u64 address, unsigned width, u64 value) {
  static_assert(static_cast<u32>(ExitKind::kPortIn) == 1 && static_cast<u32>(ExitKind::kMmioWrite) == 4);
  vcpu.counters[static_cast<u32>(Counter::kExitsPortIn) + static_cast<u32>(kind) - 1]++;
  u64 reply;
  {
    PinnedScope waiting(vcpu);
    reply = peer_.exit(vcpu.index, kind, address, width, value);
  }
  // The handler may have changed code that runs next: do not wait for the control thread to say so.
  if (!peer_.area().invalidation.empty()) vcpu.request(kAttnInvalidate);
  if (width < 8) reply &= (1ull << (8 * width)) - 1;
  if (tracing(*vcpu.machine, Trace::kExit)) trace_exit(vcpu, kind, address, width, is_read(kind) ? reply : value);
  return reply;
}

void ExitBus::debug_stop(Vcpu& vcpu, u64 linear) {
  vcpu.count(Counter::kExitsDebug);
  peer_.exit(vcpu.index, ExitKind::kDebug, linear, 0, 0);
  if (!peer_.area().invalidation.empty()) vcpu.request(kAttnInvalidate);
}

u64 ExitBus::io_read(Vcpu& vcpu, u16 port, unsigned width) {
  u64 value;
  if (devices_.io_read(vcpu, port, width, value)) return value;
  return leave(vcpu, ExitKind::kPortIn, port, width, 0);
}

void ExitBus::io_write(Vcpu& vcpu, u16 port, unsigned width, u64 value) {
  if (width < 8) value &= (1ull << (8 * width)) - 1;
  if (devices_.io_write(vcpu, port, width, value)) return;
  if (peer_.ring_doorbell(vcpu.index, false, port, width, value)) return vcpu.count(Counter::kDoorbells);
  leave(vcpu, ExitKind::kPortOut, port, width, value);
}

u64 ExitBus::mmio_read(Vcpu& vcpu, u64 gpa, unsigned width) {
  u64 value;
  if (devices_.mmio_read(vcpu, gpa, width, value)) return value;
  return leave(vcpu, ExitKind::kMmioRead, gpa, width, 0);
}

void ExitBus::mmio_write(Vcpu& vcpu, u64 gpa, unsigned width, u64 value) {
  if (width < 8) value &= (1ull << (8 * width)) - 1;
  if (devices_.mmio_write(vcpu, gpa, width, value)) return;
  if (peer_.ring_doorbell(vcpu.index, true, gpa, width, value)) return vcpu.count(Counter::kDoorbells);
  leave(vcpu, ExitKind::kMmioWrite, gpa, width, value);
}

}  // namespace rz
