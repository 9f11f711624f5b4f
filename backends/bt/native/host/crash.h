// What happens when the engine itself breaks: the flight recorder gets a report, then the signal does its default.
// Handlers run on an alternate stack of each thread and touch only memory that is mapped from the start.
#pragma once

#include "peer/engine_peer.h"

namespace rz {

struct Vcpu;

/// Install handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS. The engine's
/// run loop puts its own handlers for faults of translated code before these and chains to them. Once, before threads start.
void install_crash_handlers(peer::EnginePeer& peer);

/// Give the calling thread its alternate signal stack and tell the handler which vCPU it runs (null: none).
/// @param label  a string literal for the report
void enter_thread(const char* label, Vcpu* vcpu);

/// Report a broken invariant and abort. `text` is one line without a newline.
[[noreturn]] void broken(const char* text);

}  // namespace rz
