// Starts the threads of one machine on KVM.
#include "binding/start_engine.h"

#include "engine/engine.h"

namespace rz::binding {

host::Outcome start_engine(const Options&, host::EngineLink& link, std::function<void()> on_exit,
                           std::shared_ptr<host::EngineHandle>& out) {
  out = kvm::Engine::start(link, std::move(on_exit));
  return {};
}

}  // namespace rz::binding
