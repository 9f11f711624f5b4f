// One machine in its process: vCPU threads that run and stop together, and the control thread that serves the host's
// commands. The vCPU threads own their Vcpu while they run; the control thread touches them only while all are parked.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "exit_bus.h"
#include "fake_run.h"
#include "mmu/dirty_log.h"
#include "mmu/phys_memory.h"
#include "native_devices.h"
#include "options.h"
#include "peer/engine_peer.h"
#include "run/machine.h"
#include "shared/page_runs.h"

namespace rz {

class Engine {
 public:
  explicit Engine(peer::EnginePeer& peer) : peer_(peer) {}
  /// Build the machine. False with a reason for the crash report.
  bool build(const HostOptions& options, int control_fd, std::string& error);
  /// Start the vCPU threads (parked) and serve commands for ever. Main thread.
  [[noreturn]] void serve();

 private:
  struct Thread {
    Vcpu* vcpu = nullptr;
    bool running = false;    // inside run()
    bool shut_down = false;  // triple fault: stays parked until a reset
    std::thread thread;
  };

  bool share_vcpus(int control_fd, std::string& error);
  void vcpu_main(Thread& self);
  void report_shutdown(Thread& self);
  RunExit run_vcpu(Vcpu& vcpu);

  // Control thread; commands.cpp.
  void serve_command();
  void finish_pause();
  bool parked();
  void start_running();
  bool stop_running();
  void begin_pause();
  shared::CommandStatus execute(shared::Command op, u32 vcpu, u32 bytes, u32& reply_bytes);
  bool quiesce(shared::Command op, u32 bytes);
  void finish_quiesced();
  shared::CommandStatus track_dirty(u32 bytes);
  shared::CommandStatus take_dirty(u32 part, u32& reply_bytes);
  shared::CommandStatus debug(Vcpu& vcpu, u32 bytes);
  void restart_dirty_log();
  shared::CommandStatus reset();
  u32 counters(u8* into) const;
  shared::CommandStatus listing(u32 bytes, u32& reply_bytes);
  shared::CommandStatus save_state(u32& reply_bytes);
  shared::CommandStatus load_state(u32 bytes, u32& reply_bytes);
  static void serve_host(void* context, Machine& machine);  // vCPU threads; host_work.cpp

  peer::EnginePeer& peer_;
  Machine machine_;
  PhysMemory memory_;
  std::unique_ptr<NativeDevices> devices_;
  std::unique_ptr<ExitBus> bus_;
  std::unique_ptr<FakeRun> fake_;
  bool test_commands_ = false;
  std::mutex lock_;                  // guards run_wanted_ and the flags of threads_
  std::condition_variable changed_;  // run_wanted_ became true
  bool run_wanted_ = false;
  std::unique_ptr<DirtyLog> dirty_;
  shared::PagesToTell written_;  // taken from dirty_, and the host was not told yet
  struct {
    shared::Command op = shared::Command::kNone;  // a command that waits until no vCPU runs; they go on after it
    u32 bytes = 0;
  } quiesced_;                  // control thread only
  bool pause_pending_ = false;  // control thread only: a pause command waits for its answer
  std::vector<std::unique_ptr<Thread>> threads_;
  std::mutex invalidation_lock_;  // one consumer of the invalidation ring at a time
};

}  // namespace rz
