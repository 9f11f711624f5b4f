// What of an instruction can be held against another processor: the facts behind kvm_lockstep.h. From the instruction
// table where it says so, by helper where it does not.
#pragma once

#include "cpu/vcpu.h"
#include "decode/inst.h"

namespace rz {

/// It names x87, MMX or vector registers.
bool names_vectors(const Inst& inst);

/// Flags, as bits of EFLAGS, that the manual leaves open after the instruction: another processor, or software, may
/// differ.
u64 open_flags(const Inst& inst);

/// Where the top of the stack is.
u64 stack_linear(const Vcpu& v);

/// Why the outcome is the machine's rather than the processor's, or changed by single steps; null when it is not.
/// @param ring  in which it is executed
const char* beyond_comparison(Helper helper, unsigned ring);

}  // namespace rz
