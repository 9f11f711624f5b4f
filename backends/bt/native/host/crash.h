// What happens when the engine itself breaks: the flight recorder gets a report, then the signal does its default.
// Handlers run on an alternate stack of each thread and touch only memory that is mapped from the start.
#pragma once

#include "peer/engine_peer.h"

namespace rz {

class Machine;

/// Install handlers for SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS. The engine's
/// run loop puts its own handlers for faults of translated code before these and chains to them. Once, before threads
/// start.
void install_crash_handlers(peer::EnginePeer& peer);

/// The vCPUs of this machine go into the report from now on.
void report_on_crash(const Machine& machine);

/// Give the calling thread its alternate signal stack and a name for the report (a string literal).
void enter_thread(const char* label);

/// Report a broken invariant and abort. `text` is one line without a newline.
[[noreturn]] void broken(const char* text);

}  // namespace rz
