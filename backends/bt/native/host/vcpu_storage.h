// What the engine library needs before a machine can run: vCPU objects with their address-space tables, a code cache, a CPUID profile,
// and power-on state. The only file of the program that knows how the library is put together.
#pragma once

#include <atomic>
#include <string>

#include "run/machine.h"

namespace rz {

/// A zeroed vCPU with its contexts, or null. Lives as long as the process.
Vcpu* allocate_vcpu(Machine& machine, u32 index);

/// Code cache and CPUID profile. `machine.memory`, `.vcpus` and `.options` are set.
/// @param profile  name of a CPUID profile
/// @param bitmap   a bit for each guest-physical page below `top`, shared with outside writers
bool prepare_engine(Machine& machine, const char* profile, std::atomic<u64>* bitmap, u64 top, std::string& error);

/// Architectural power-on state.
void reset_vcpu_storage(Vcpu& vcpu);

/// The embedder wrote architectural registers of a stopped vCPU: recompute what the engine derives from them.
void registers_replaced(Vcpu& vcpu);
/// CR8 as the local APIC holds it.
u64 read_tpr(Vcpu& vcpu);

/// Forget translations of these guest-physical bytes, or all.
void drop_code(Machine& machine, u64 gpa, u64 bytes);
void drop_all_code(Machine& machine);

}  // namespace rz
