// What one machine's addon object shares with its threads: the link, the engine, the waiter. Knows nothing of Node
// except that `on_work` must reach the JavaScript thread. Freed when the last of object, callbacks and views lets go.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host/engine_handle.h"
#include "host/engine_link.h"
#include "host/waiter.h"

namespace rz::binding {

/// The exit being served, as the JavaScript side sees it through a view of these bytes; src/exit-record.ts decodes it.
struct ExitRecord {
  u32 kind;  // shared::ExitKind
  u32 vcpu;
  u32 size;  // 1, 2, 4, 8
  u32 pad;
  u64 address;
  u64 value;
  u64 reply;  // written by JavaScript
};
static_assert(sizeof(ExitRecord) == 40);

/// Starts an engine on a link's memory; `on_exit` is called once, by any thread, when it has ended.
using StartEngine = std::function<host::Outcome(host::EngineLink& link, std::function<void()> on_exit,
                                                std::shared_ptr<host::EngineHandle>& out)>;

class VmCore : public std::enable_shared_from_this<VmCore> {
 public:
  /// Make memory, start the engine and the waiter. `on_work` is called on the waiter's thread.
  static host::Outcome create(const host::LinkConfig& config, const StartEngine& start, std::function<void()> on_work,
                              std::shared_ptr<VmCore>& out);
  ~VmCore();

  host::EngineLink& link() { return *link_; }
  host::EngineHandle& engine() { return *engine_; }
  ExitRecord record = {};

  void rearm();
  /// True once, after the engine ended.
  bool take_death();
  /// End the engine, stop the waiter. JavaScript thread; idempotent. The link stays valid.
  void stop();

 private:
  VmCore() = default;
  std::unique_ptr<host::EngineLink> link_;
  std::shared_ptr<host::EngineHandle> engine_;
  std::mutex waiter_lock_;  // guards waiter_ against the engine's on_exit
  std::unique_ptr<host::Waiter> waiter_;
  std::atomic<bool> died_{false};
};

}  // namespace rz::binding
