// Turning a dead engine's flight recorder into text.
#include "flight_text.h"

#include <stdio.h>

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

}  // namespace

std::string describe_flight(const FlightRecorder& recorder) {
  std::string out;
  const u32 bytes = std::min(recorder.text_bytes.load(std::memory_order_acquire), kFlightTextBytes);
  out.reserve(bytes + kFlightEvents * 80);
  for (u32 i = 0; i < bytes; ++i) {
    const char c = recorder.text[i];
    out.push_back(c == '\n' || (c >= ' ' && c <= '~') ? c : '?');
  }
  if (!out.empty() && out.back() != '\n') out.push_back('\n');

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
