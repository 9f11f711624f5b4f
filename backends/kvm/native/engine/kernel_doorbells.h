// Doorbells that the kernel serves (KVM_IOEVENTFD): the guest's write signals an eventfd without leaving KVM_RUN, and a
// thread of its own rings for it. What KVM does not take, because the host lacks it or something is there already, is
// left to the vCPU's exit (peer::EnginePeer::ring_doorbell): both look at the same table and ring in the same way.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>

#include "host_kvm.h"
#include "peer/engine_peer.h"

namespace rz::kvm {

class KernelDoorbells {
 public:
  /// @param vm  outlives this
  KernelDoorbells(int vm, peer::EnginePeer& peer) : vm_(vm), peer_(peer) {}
  ~KernelDoorbells();
  KernelDoorbells(const KernelDoorbells&) = delete;
  KernelDoorbells& operator=(const KernelDoorbells&) = delete;

  /// The host's thread: a slot of the table has another key and value (DoorbellEntry); 0: none.
  void set(u32 slot, u64 key, u64 value);
  /// Ring for every write so far. Any thread; while no vCPU runs, nothing is under way afterwards.
  void drain();
  /// Guest writes that rang without an exit. Any thread.
  u64 writes() const { return writes_.load(std::memory_order_relaxed); }

 private:
  struct Bell {
    Fd event;  // signalled by the kernel
    kvm_ioeventfd match = {};
  };
  bool start();
  void serve();
  void ring(u32 slot);         // lock_ held
  void take_away(Bell& bell);  // lock_ held; it is assigned

  const int vm_;
  peer::EnginePeer& peer_;
  std::atomic<u64> writes_{0};
  std::mutex lock_;  // guards bells_
  Bell bells_[shared::kMaxDoorbells];
  Fd poll_, stop_;
  std::thread thread_;  // from the first bell on
};

}  // namespace rz::kvm
