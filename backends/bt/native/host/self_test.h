// Does this host let the engine run? What a backend's probe asks before it says "available".
#pragma once

namespace rz {

/// Prints one line and returns the exit code: 0 when everything the engine needs works here.
int self_test();

}  // namespace rz
