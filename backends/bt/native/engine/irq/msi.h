// Message-signalled interrupts: decodes a device's MSI or MSI-X address and data pair into an APIC message.
// Source: Intel SDM vol. 3, "Message Signalled Interrupts"; the extended destination field as KVM and Hyper-V define
// it.
#pragma once

#include "apic_bus.h"

namespace rz {

/// True when a write to this guest-physical address is an interrupt message (0xFEExxxxx).
constexpr bool is_msi_address(u64 address) { return (address & ~0xFFFFFull) == 0xFEE00000u; }

/// Decode; false when the address is not an interrupt message or the delivery mode is reserved.
[[nodiscard]] bool decode_msi(u64 address, u32 data, ApicMessage& message);

}  // namespace rz
