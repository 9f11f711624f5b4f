// Gives back the memory of translated code when the guest has gone idle: most of it ran once, while the guest booted.
// What is still needed is translated again, in a few milliseconds. Owned by the run loop of one vCPU, on its thread.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

class IdleTrim {
 public:
  /// As wait_for_attention (irq/wait.h), but when the guest has been idle and the code cache is large, ask for a flush
  /// instead. May return early.
  void sleep(Vcpu& vcpu, u64 deadline_ns);

 private:
  bool due(const Vcpu& vcpu);

  u64 limit_bytes_ = 8u << 20;  // of code; doubles with each trim, so that a guest that needs it all soon keeps it
  bool watching_ = false;       // there is enough code to make it worth while: measure idleness
  u64 window_ns_ = 0;           // CLOCK_MONOTONIC at the start of the measured window
  u64 slept_ns_ = 0;            // of it
};

}  // namespace rz
