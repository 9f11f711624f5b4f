// What differs between the states of two vCPUs, and both of them as text: for lockstep. Allocates: not while guest
// vector state is live in the host's registers.
#pragma once

#include <string>

#include "../cpu/vcpu.h"

namespace rz {

/// A line for each general or system register that differs, without `tolerated` flags; empty when all are the same.
std::string general_differences(const Vcpu& first, const Vcpu& second, u64 tolerated);

/// Likewise of x87 and vector registers, both stored in `xsave`. The last x87 instruction's address and opcode are the
/// host's, so they are not compared.
std::string vector_differences(const Vcpu& first, const Vcpu& second);

/// The general and system registers of both side by side, with a mark where they differ.
std::string both_states(const Vcpu& first, const Vcpu& second);

}  // namespace rz
