// KVM's state of a machine to and from the common format (packages/native/src/state, docs/state-format.md).
#pragma once

#include <string>

#include "devices.h"
#include "machine.h"

namespace rz::kvm {

/// The whole state. @param shut_down  by vCPU: waits for a reset after a triple fault
Outcome save_machine(Machine& machine, Devices& devices, const std::vector<bool>& shut_down, std::vector<u8>& out);

/// Restore. Empty when done; else a sentence, and the machine is as it was.
std::string load_machine(Machine& machine, Devices& devices, const u8* from, size_t bytes,
                         std::vector<bool>& shut_down);

}  // namespace rz::kvm
