// Writing the flight recorder: the engine's threads do, without a lock, in a few nanoseconds and a clock read.
#pragma once

#include "layout.h"

namespace rz::shared {

/// Any thread; also from a signal handler.
inline void record(FlightRecorder& recorder, FlightKind kind, u32 vcpu, u64 a, u64 b) {
  FlightEvent& event = recorder.event[recorder.next.fetch_add(1, std::memory_order_relaxed) % kFlightEvents];
  event = FlightEvent{monotonic_ns(), static_cast<u32>(kind), vcpu, a, b};
}

/// Append to the crash text; what does not fit is cut. Async-signal-safe.
inline void append_text(FlightRecorder& recorder, const char* text, size_t bytes) {
  u32 at = recorder.text_bytes.load(std::memory_order_relaxed);
  for (size_t i = 0; i < bytes && at < kFlightTextBytes; ++i) recorder.text[at++] = text[i];
  recorder.text_bytes.store(at, std::memory_order_release);
}

}  // namespace rz::shared
