// The flight recorder of an engine as text for a person. The area is not trusted: the engine may have died of
// scribbling.
#pragma once

#include <string>

#include "../shared/layout.h"

namespace rz::host {

/// The crash handler's text, the vCPUs' registers as last stored, then the last events, oldest first. Printable ASCII
/// and newlines only, at most about 100 KiB, whatever the area holds.
std::string describe_flight(const shared::ControlArea& area, u32 vcpus);

}  // namespace rz::host
