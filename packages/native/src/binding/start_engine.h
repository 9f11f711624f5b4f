// The one function that each addon defines itself: how its engine is started.
#pragma once

#include "arguments.h"
#include "vm_core.h"

namespace rz::binding {

/// JavaScript thread, once for each machine.
/// @param options  what JavaScript gave; options.good() turns false when a member is missing or of the wrong type
/// @param link     outlives the engine
/// @param on_exit  to be called once, on any thread, when the engine has ended
host::Outcome start_engine(const Options& options, host::EngineLink& link, std::function<void()> on_exit,
                           std::shared_ptr<host::EngineHandle>& out);

}  // namespace rz::binding
