// The host's side of the console rings: reading and writing, and telling the engine that there is room or input.
#include <algorithm>

#include "engine_link.h"

namespace rz::host {

using namespace shared;

size_t EngineLink::uart_read(u32 index, u8* into, size_t bytes) {
  if (index >= config_.uarts.size()) return 0;
  ByteRing ring = area().uarts[index].output();
  const u32 count = ring.read(into, static_cast<u32>(std::min<size_t>(bytes, kUartOutBytes)));
  if (ring.take_starved()) wake_engine(kWorkUart);  // the UART found the ring full: it may go on
  return count;
}

size_t EngineLink::uart_write(u32 index, const u8* from, size_t bytes) {
  if (index >= config_.uarts.size()) return 0;
  bool first = false;
  const u32 count =
      area().uarts[index].input().write(from, static_cast<u32>(std::min<size_t>(bytes, kUartInBytes)), first);
  if (count != 0) wake_engine(kWorkUart);
  return count;
}

std::vector<u8> EngineLink::uart_reclaim(u32 index) {
  std::vector<u8> bytes;
  if (index >= config_.uarts.size()) return bytes;
  bytes.resize(kUartInBytes);
  bytes.resize(area().uarts[index].input().read(bytes.data(), kUartInBytes));
  return bytes;
}

}  // namespace rz::host
