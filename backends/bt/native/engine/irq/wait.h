// Sleep and wake-up of a halted vCPU on the futex word `Vcpu::attention`.
// Whoever sets attention bits that a sleeping vCPU must see calls notify(): Vcpu::request() alone does not wake.
// The pair (attention, sleeping) is a Dekker handshake: each side writes its own word, then reads the other's, both
// sequentially consistent, and the kernel re-checks `attention` under its own lock, so no wake-up is lost.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

/// Sleep until an attention bit is set or CLOCK_MONOTONIC reaches `deadline_ns` (~0: no deadline). Returns at once
/// when a bit is set already: clear the bits that were handled first. Only on the vCPU's own thread.
void wait_for_attention(Vcpu& vcpu, u64 deadline_ns);

/// Wake the vCPU's thread if it sleeps; a load and no system call otherwise. Any thread. Does not set any bit:
/// without one the sleeper goes back to sleep.
void wake(Vcpu& vcpu);

/// Set attention bits and wake the vCPU's thread if it sleeps. Any thread, and signal handlers.
void notify(Vcpu& vcpu, u32 attention_bits);

}  // namespace rz
