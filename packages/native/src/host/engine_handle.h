// A running engine as its host holds it, be it a process or threads of this program: ended, asked how it ended.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "outcome.h"

namespace rz::host {

/// How an engine ended.
struct EngineEnd {
  std::string reason;  // of an engine that is no process: one sentence; else empty
  int signal = 0;      // 0: none
  int code = -1;       // exit code; -1: unknown, or no process
};

class EngineHandle {
 public:
  virtual ~EngineHandle() = default;
  /// End it, in any state. Any thread; idempotent; does not wait.
  virtual void kill() = 0;
  /// True once it has ended, with how in `end`. Any thread.
  virtual bool exited(EngineEnd& end) const = 0;
  /// After kill(): wait until nothing of it can touch this process's memory any more. Not from its own threads.
  virtual void finish() = 0;
  /// Process id; 0 when it has none of its own.
  virtual int pid() const = 0;
};

}  // namespace rz::host
