// The saved processor-side state of a machine, described in docs/state-format.md, identical from every backend; its
// bytes are written and read in packages/native/src/state. Control thread, while no vCPU runs.
#pragma once

#include <vector>

#include "native_devices.h"
#include "run/machine.h"

namespace rz {

/// The whole state as bytes.
std::vector<u8> save_machine(Machine& machine, NativeDevices& devices);

/// Restore. Everything is checked first: null when done, else a static sentence and nothing was changed.
const char* load_machine(Machine& machine, NativeDevices& devices, const u8* from, size_t bytes);

}  // namespace rz
