// Model-specific registers. Unknown registers and reserved values are refused, which the guest sees as #GP(0).
#pragma once

#include "vcpu.h"

namespace rz {

[[nodiscard]] bool msr_read(Vcpu& vcpu, u32 index, u64& value);
[[nodiscard]] bool msr_write(Vcpu& vcpu, u32 index, u64 value);

}  // namespace rz
