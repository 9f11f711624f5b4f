// What a C++ helper that stands for a guest instruction tells the translator.
#pragma once

#include "../cpu/types.h"

namespace rz {

enum class OpResult : u32 {
  kNext = 0,   // done; go on with the next instruction (vcpu.rip not advanced by the helper)
  kJump = 1,   // done; vcpu.rip is where to go on; leave the block
  kFault = 2,  // nothing changed; vcpu.exception is pending for the instruction at vcpu.rip
  kAgain = 3,  // partly done (REP); leave the block with RIP at this instruction so that interrupts are seen
  kLeave = 4,  // as kNext, but leave the block and look at vcpu.attention (HLT, shutdown)
};

}  // namespace rz
