// Between KVM's 8254 and the format's, which stores spans where KVM has times of the host.
//
// Of channel 0, whose edges are the timer interrupt, KVM tells no time and starts it anew whenever it is set. What was
// loaded from a state is known again, with its time, until the guest loads the channel itself; then a period begins
// when the machine is saved, and the next tick comes late by less than one. KVM is given the 8254 so much before the
// guest goes on that the period it was in ends when it should. A one-shot keeps what it has left, because KVM is given
// just that; one that is over interrupts once more, within 55 ms, since KVM has no 8254 that stands.
#pragma once

#include "ioctls.h"
#include "state/irq_state.h"

namespace rz::kvm {

/// @param now_ns  CLOCK_MONOTONIC, which KVM's times are of
void save_pit(const kvm_pit_state2& from, u64 now_ns, PitState& to);
/// @param to  of this machine, as it is
void load_pit(const PitState& from, u64 now_ns, kvm_pit_state2& to);
/// The output of KVM's channel 0 is low but for the moment of a tick, where a chip's is high most of the time. Found
/// high at the inputs of 8259A and IOAPIC, the next tick would be no edge, and KVM, which holds further ticks back
/// until the guest has ended one, would wait for ever.
void lower_timer_line(kvm_pic_state& master, kvm_ioapic_state& ioapic);

/// How long before the guest goes on KVM has to be given the 8254, so that the period that channel 0 is in ends when it
/// should: less than a period, 0 for counts that do not repeat.
u64 pit_lead_ns(const PitState& from);
u64 pit_period_ns(const PitState& from);

}  // namespace rz::kvm
