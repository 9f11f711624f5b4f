// Putting the engine library together for one machine: vCPUs, code cache, CPUID profile, power-on state. The only file
// of the program that knows how the library is built up. Control thread only, while no vCPU runs, except where said.
#pragma once

#include <atomic>
#include <string>

#include "run/machine.h"

namespace rz {

/// Make vCPUs and a code cache. `machine.memory` and `.options` are set; what is made lives as long as the process. The
/// rate of the host's time-stamp counter is found out, unless `machine.tsc_hz` says one.
/// @param profile  name of a CPUID profile
/// @param bitmap   a bit for each guest-physical page below `top`, shared with outside writers of guest memory
bool assemble(Machine& machine, const char* profile, u32 vcpus, std::atomic<u64>* bitmap, u64 top, std::string& error);

/// The rate of the time-stamp counter that the guest is told, Hz: of the machine that it came from, within what two
/// measurements of one clock differ.
void set_tsc_rate(Machine& machine, u64 hz);

/// Architectural power-on state; translations of the old memory contents are dropped.
void power_on(Machine& machine);

/// Architectural registers of a vCPU were written from outside: recompute what the engine derives from them.
/// False when CR3 names no valid PAE directory pointers.
bool registers_replaced(Vcpu& vcpu);

/// Forget translations of these guest-physical bytes, or all. Between blocks; also on a vCPU's thread.
void drop_code(Machine& machine, u64 gpa, u64 bytes);
void drop_all_code(Machine& machine);

}  // namespace rz
