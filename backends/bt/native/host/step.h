// `ringzero-engine --step`: one machine twice in lockstep (engine/debug/lockstep.h), or beside the host's KVM
// (twin/kvm_lockstep.h), from a boot script.
#pragma once

namespace rz {

/// @param argv  what follows --step
/// @returns the exit status: 0 no difference, 1 different, 2 wrong arguments or no machine, 3 a run loop failed, 4 no
/// KVM
int step_main(int argc, char** argv);

}  // namespace rz
