// Hardware task switching. Source: SDM, "Task Management".
#pragma once

#include "segments.h"

namespace rz {

enum class TaskSwitch : u8 { kJump, kCall, kIret, kGate };

/// Switch to the task whose TSS `selector` names. `return_rip` and `flags` are saved as the old task's.
/// @param external  EXT bit for error codes
/// @param error     pushed on the new task's stack when not null
/// False: a fault is pending; before the commit point in the old task, after it in the new one (vcpu.rip is then
/// the new task's first instruction).
[[nodiscard]] bool task_switch(Vcpu& vcpu, u16 selector, TaskSwitch reason, u64 return_rip, u64 flags, u32 external,
                               const u32* error);

}  // namespace rz
