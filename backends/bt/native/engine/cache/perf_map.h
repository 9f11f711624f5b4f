// Lines for `perf`: /tmp/perf-PID.map names each block by its guest RIP (source: perf's JIT interface).
#pragma once

#include "../cpu/types.h"

namespace rz {

/// Append one line; opens the file on first use. No libc formatting: guest vector state may be live.
void perf_map_add(const void* host, u32 bytes, u64 guest_rip, u64 mode);

}  // namespace rz
