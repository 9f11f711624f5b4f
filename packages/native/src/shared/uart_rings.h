// Memory of the console rings of one native UART, as it lies in the control area; ring/byte_ring.h gives it meaning.
#pragma once

#include "../ring/byte_ring.h"
#include "types.h"

namespace rz::shared {

/// 64 KiB out: a guest that prints faster than the host's loop turns (10 ms at 5 MB/s) is not held up.
/// 4 KiB in: more than a person types or a UART's FIFO wants; a paste waits on the host side.
inline constexpr u32 kUartOutBytes = 64 * 1024;
inline constexpr u32 kUartInBytes = 4 * 1024;

struct alignas(64) UartRings {
  u8 out[ByteRing::kHeaderBytes + kUartOutBytes];            // guest -> host
  alignas(64) u8 in[ByteRing::kHeaderBytes + kUartInBytes];  // host -> guest

  ByteRing output() { return ByteRing(out, kUartOutBytes); }
  ByteRing input() { return ByteRing(in, kUartInBytes); }
};

}  // namespace rz::shared
