// One vCPU's thread: runs the guest in the kernel and serves its exits, natively or through the mailbox to the host.
// Kicks cannot be lost: the kicker sets kvm_run's immediate_exit, which the kernel reads on the way in, and sends a
// signal that is blocked except inside KVM_RUN, where it makes the call return; no handler ever runs, so the embedder's
// signal dispositions do not matter.
#pragma once

#include <pthread.h>

#include <atomic>
#include <string>
#include <thread>

#include "devices.h"
#include "machine.h"
#include "peer/engine_peer.h"

namespace rz::kvm {

/// Why a vCPU stopped running.
enum class Stop { kKicked, kTripleFault, kBroken };

class Vcpu {
 public:
  Vcpu(u32 index, VcpuFd& fd, Machine& machine, Devices& devices, peer::EnginePeer& peer)
      : index_(index), fd_(fd), machine_(machine), devices_(devices), peer_(peer) {}

  /// Own thread, first: block all signals but those of KVM_RUN.
  Outcome prepare_thread();
  /// Own thread: until kicked. In-flight accesses are complete when this returns kKicked.
  /// @param why  for kBroken: a sentence
  Stop run(std::string& why);
  /// Make run() return. Any thread; until forget_kick() every run() returns at once.
  void kick();
  void forget_kick();

  /// Replace the debug settings. While it does not run.
  Outcome set_debug(const kvm_guest_debug& wanted);

  /// How often KVM came back with something to serve. Any thread.
  u64 exits() const { return exits_.load(std::memory_order_relaxed); }

  u32 index() const { return index_; }
  int fd() const { return fd_.fd(); }

 private:
  bool serve(std::string& why, Stop& stop);
  void serve_ports();
  void serve_mmio();
  u64 port_read(u16 port, u32 width);
  void port_write(u16 port, u32 width, u64 value);
  Outcome step_over_breakpoint();
  bool debug_exit(std::string& why, Stop& stop);
  u64 rip();
  std::string about(const char* what);

  const u32 index_;
  VcpuFd& fd_;
  Machine& machine_;
  Devices& devices_;
  peer::EnginePeer& peer_;
  std::atomic<u64> exits_{0};
  static constexpr u64 kNowhere = ~0ull;
  kvm_guest_debug debug_ = {};     // as the host wants it
  bool stepping_over_ = false;     // KVM has a single step of ours instead
  u64 stopped_at_ = kNowhere;      // linear address of a debug exit that was just reported
  std::atomic<int> thread_id_{0};  // for the kick's signal; 0: not started
};

}  // namespace rz::kvm
