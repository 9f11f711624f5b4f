// Between KVM's 8254 and the format's, which stores spans where KVM has times of the host.
//
// Of channel 0, whose edges are the timer interrupt, KVM tells no time and starts it anew whenever it is set. So its
// period begins when the machine is saved or loaded: a tick comes late by less than a period. A one-shot keeps what it
// has left, because KVM is given just that; one that is over interrupts once more, within 55 ms, since KVM has no 8254
// that stands.
#pragma once

#include "ioctls.h"
#include "state/irq_state.h"

namespace rz::kvm {

/// @param now_ns  CLOCK_MONOTONIC, which KVM's times are of
void save_pit(const kvm_pit_state2& from, u64 now_ns, PitState& to);
/// @param to  of this machine, as it is
void load_pit(const PitState& from, u64 now_ns, kvm_pit_state2& to);

}  // namespace rz::kvm
