// Starts the engine program of one machine, and holds it as the addon's engine.
#include "binding/start_engine.h"

#include <errno.h>

#include "host/engine_process.h"
#include "shared/clock_look.h"

namespace rz::binding {

namespace {

class ProcessHandle final : public host::EngineHandle {
 public:
  explicit ProcessHandle(std::shared_ptr<host::EngineProcess> process) : process_(std::move(process)) {}
  void kill() override { process_->kill(); }
  bool exited(host::EngineEnd& end) const override {
    host::ExitStatus status;
    if (!process_->exited(&status)) return false;
    end.signal = status.signal;
    end.code = status.known ? status.code : -1;
    return true;
  }
  void finish() override {}  // it has mappings of its own
  int pid() const override { return process_->pid(); }

 private:
  std::shared_ptr<host::EngineProcess> process_;
};

}  // namespace

host::Outcome start_engine(const Options& options, host::EngineLink& link, std::function<void()> on_exit,
                           std::shared_ptr<host::EngineHandle>& out) {
  host::EngineProcess::Launch launch;
  launch.path = options.text("enginePath");
  launch.args = options.texts("args");
  const shared::ClockLook look = shared::look_at_clocks();  // the engine looks again when it needs to know their rate
  launch.args.insert(launch.args.end(), {"--looked", std::to_string(look.ns), std::to_string(look.tsc)});
  launch.fds = {link.ram()->fd(), link.control_region().fd()};
  launch.on_exit = std::move(on_exit);
  if (!options.good()) return host::Outcome::failed("engine options", EINVAL);
  std::shared_ptr<host::EngineProcess> process;
  const host::Outcome made = host::EngineProcess::start(std::move(launch), process);
  if (!made.ok()) return made;
  link.control_region().close_fd();  // that of RAM stays: the machine may move
  out = std::make_shared<ProcessHandle>(std::move(process));
  return {};
}

}  // namespace rz::binding
