// One machine on KVM as its host holds it: vCPU threads that run and stop together, and a control thread that makes the
// machine, serves the host's commands and takes everything down. All in the embedder's process: the kernel is the wall.
// What a guest or the kernel does wrong ends this machine with a reason, never the process.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "host/engine_handle.h"
#include "host/engine_link.h"
#include "huge_pages.h"
#include "kernel_doorbells.h"
#include "shared/page_runs.h"
#include "vcpu.h"

namespace rz::kvm {

class Engine final : public host::EngineHandle {
 public:
  /// @param link     outlives the engine
  /// @param on_exit  called once by the control thread when everything has ended
  static std::shared_ptr<Engine> start(host::EngineLink& link, std::function<void()> on_exit);
  ~Engine() override;

  void kill() override;
  bool exited(host::EngineEnd& end) const override;
  void finish() override;
  int pid() const override { return 0; }

 private:
  struct Thread {
    std::unique_ptr<Vcpu> vcpu;
    bool running = false;    // inside Vcpu::run
    bool shut_down = false;  // triple fault: stays parked until a reset
    std::thread thread;
  };

  Engine() = default;
  void control_main();
  Outcome build();
  void take_down();
  void vcpu_main(Thread& self);
  void place_doorbell(u32 slot, u64 key, u64 value);
  void broken(const std::string& why);  // any thread

  // Control thread; commands.cpp.
  void serve_command();
  shared::CommandStatus execute(shared::Command op, u32 vcpu, u32 bytes, u32& reply_bytes);
  shared::CommandStatus refuse(const std::string& why, shared::CommandStatus status, u32& reply_bytes);
  void begin_pause();
  void finish_pause();
  bool parked();
  void start_running();
  std::vector<bool> shut_downs();
  Outcome reset();
  Outcome debug(Vcpu& vcpu, const u8* from);
  Outcome note_dirty();

  peer::EnginePeer peer_;
  std::unique_ptr<Machine> machine_;
  std::unique_ptr<Devices> devices_;
  std::unique_ptr<KernelDoorbells> doorbells_;  // null: this KVM has none, or they are switched off
  Fd ram_fd_;                                   // until it is huge_pages_'s
  std::unique_ptr<HugePages> huge_pages_;       // null: not wanted
  std::vector<std::unique_ptr<Thread>> threads_;
  std::atomic<bool> ready_{false};     // devices_ and doorbells_ may be used by the host's thread
  std::atomic<bool> stopping_{false};  // kill() was called, or something broke
  std::function<void()> on_exit_;
  std::thread control_;
  bool pause_pending_ = false;  // control thread only: a pause command waits for its answer
  shared::PagesToTell dirty_;   // likewise: written pages that the host was not told of

  mutable std::mutex lock_;          // guards what follows, and the flags of threads_
  std::condition_variable changed_;  // run_wanted_ or quit_ became true
  bool run_wanted_ = false;
  bool quit_ = false;
  bool ended_ = false;
  std::string reason_;  // the first thing that broke
};

}  // namespace rz::kvm
