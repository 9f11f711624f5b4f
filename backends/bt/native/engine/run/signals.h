// Host signals that stand for guest exceptions: SIGFPE, SIGILL, SIGSEGV and SIGBUS raised by a guest
// instruction that runs natively in translated code.
#pragma once

#include <csignal>

#include "../cpu/vcpu.h"

namespace rz {

/// Turn a synchronous signal in translated code into a guest exception and divert to the exit thunk.
/// @returns false when the signal does not come from translated code: the caller chains to its own handling.
bool handle_host_signal(int signal, siginfo_t* info, void* context);

/// Install handlers for the four signals (once per process; the previous handlers are chained).
void install_signal_handlers();

}  // namespace rz
