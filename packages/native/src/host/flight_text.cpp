// Turning a dead engine's flight recorder into text.
#include "flight_text.h"

#include <stdio.h>
#include <string.h>

#include <algorithm>

namespace rz::host {

using namespace shared;

namespace {

const char* name_of(u32 kind) {
  switch (static_cast<FlightKind>(kind)) {
    case FlightKind::kNone: return nullptr;
    case FlightKind::kStart: return "start";
    case FlightKind::kExit: return "exit";
    case FlightKind::kReply: return "reply";
    case FlightKind::kCommand: return "command";
    case FlightKind::kIrq: return "irq";
    case FlightKind::kDoorbell: return "doorbell";
    case FlightKind::kInvalidate: return "invalidate";
    case FlightKind::kStopped: return "stopped";
    case FlightKind::kBlock: return "block";
    case FlightKind::kException: return "exception";
    case FlightKind::kSignal: return "signal";
  }
  return nullptr;
}

/// What the vCPU's page says of its registers. Translated code keeps some in the host's, so that these may be older
/// than the crash.
void append_registers(std::string& out, const ControlArea& area, u32 vcpu) {
  static const char* const kNames[18] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",
                                         "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip", "rflags"};
  const u32 at = area.vcpu_map.registers.load(std::memory_order_relaxed);
  if (area.vcpu_map.known.load(std::memory_order_relaxed) != 1 || at > 4096 - sizeof(u64) * 18) return;
  out += "stored     vcpu" + std::to_string(vcpu);
  for (u32 i = 0; i < 18; ++i) {
    u64 value;
    memcpy(&value, area.vcpu_page[vcpu] + at + 8 * i, 8);
    char text[32];
    snprintf(text, sizeof text, " %s=0x%llx", kNames[i], static_cast<unsigned long long>(value));
    out += text;
  }
  out.push_back('\n');
}

}  // namespace

std::string describe_flight(const ControlArea& area, u32 vcpus) {
  const FlightRecorder& recorder = area.flight;
  std::string out;
  const u32 bytes = std::min(recorder.text_bytes.load(std::memory_order_acquire), kFlightTextBytes);
  out.reserve(bytes + kFlightEvents * 80);
  for (u32 i = 0; i < bytes; ++i) {
    const char c = recorder.text[i];
    out.push_back(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
  }
  if (!out.empty() && out.back() != '\n') out.push_back('\n');
  const u64 beat_ns = area.heartbeat_ns.load(std::memory_order_relaxed);
  if (beat_ns != 0) {
    char line[96];
    snprintf(line, sizeof line, "control    last looked %lld ms before this report\n",
             static_cast<long long>(static_cast<i64>(monotonic_ns() - beat_ns) / 1'000'000));
    out += line;
  }
  for (u32 vcpu = 0; vcpu < vcpus; ++vcpu) append_registers(out, area, vcpu);

  const u32 next = recorder.next.load(std::memory_order_acquire);
  const u32 count = std::min(next, kFlightEvents);
  u64 first_ns = 0;
  for (u32 i = next - count; i != next; ++i) {
    const FlightEvent event = recorder.event[i % kFlightEvents];
    const char* name = name_of(event.kind);
    if (name == nullptr) continue;
    if (first_ns == 0) first_ns = event.at_ns;
    char line[160];
    snprintf(line, sizeof line, "%-10s vcpu%u +%.3fms a=0x%llx b=0x%llx\n", name, event.vcpu,
             static_cast<double>(static_cast<i64>(event.at_ns - first_ns)) / 1e6,
             static_cast<unsigned long long>(event.a), static_cast<unsigned long long>(event.b));
    out += line;
  }
  return out;
}

}  // namespace rz::host
