// MSI decoding; see msi.h.
#include "msi.h"

namespace rz {

bool decode_msi(u64 address, u32 data, ApicMessage& message) {
  if (!is_msi_address(address)) return false;
  const u32 mode = (data >> 8) & 7;
  if (mode == 3 || mode == 6) return false;  // reserved in this format
  message = {};
  // Bits 19..12: APIC ID; 11..5: its bits 14..8 where the guest was told of the extended field, else zero.
  message.destination = static_cast<u32>((address >> 12) & 0xFF) | static_cast<u32>((address >> 5) & 0x7F) << 8;
  message.logical = (address & 4) != 0;
  message.delivery = static_cast<Delivery>(mode);
  // Redirection hint set: the message goes to one processor of the set, as with lowest priority.
  if ((address & 8) != 0 && message.delivery == Delivery::kFixed && message.logical) {
    message.delivery = Delivery::kLowestPriority;
  }
  message.vector = static_cast<u8>(data);
  message.level = (data & 0x8000) != 0;
  return true;
}

}  // namespace rz
