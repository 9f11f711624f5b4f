// The C++ helpers that stand for guest instructions, one per name of RZ_HELPERS, and their table by Helper.
// Before a call the translator makes vcpu.regs, rip and rflags authoritative; a helper never advances rip for kNext.
#pragma once

#include "../cpu/vcpu.h"
#include "../decode/inst.h"
#include "op_result.h"

namespace rz {

#define RZ_DECLARE_HELPER(name) OpResult op_##name(Vcpu& vcpu, const Inst& inst);
RZ_HELPERS(RZ_DECLARE_HELPER)
#undef RZ_DECLARE_HELPER

/// Indexed by Helper.
extern OpResult (*const kHelpers[])(Vcpu&, const Inst&);

}  // namespace rz
