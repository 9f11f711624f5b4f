// Birth, reset and death of a virtual processor.
#pragma once

#include "vcpu.h"

namespace rz {

class Machine;

/// Allocate a vCPU with its address-space contexts (anonymous mappings, page-aligned) in power-on state.
/// machine.cpuid must be set; machine.code should exist, else call jump_flush_all() once it does.
/// @param index  0-based number; also the initial APIC id
/// @returns null when the host has no memory
Vcpu* vcpu_create(Machine& machine, u32 index);
void vcpu_destroy(Vcpu* vcpu);

/// Power-on (RESET) state. Source: SDM, "Processor State After Reset".
void vcpu_reset(Vcpu& vcpu);
/// INIT: as reset, but FPU and vector state, CR0.CD/NW, the TSC and most MSRs survive.
void vcpu_init(Vcpu& vcpu);
/// Start-up IPI after INIT: CS = vector << 8, IP = 0.
void vcpu_sipi(Vcpu& vcpu, u8 vector);

}  // namespace rz
