// Two machines that must do the same, run block by block against each other: the first as it would run, the second one
// instruction at a time. They stop at the first difference. Time is the number of instructions retired, interrupts and
// timers come only between the first one's blocks, randomness is seeded: nothing depends on the host.
// For tests (engine_step_test) and `ringzero step`; see Machine::boundary. Against KVM: twin/kvm_lockstep.h.
#pragma once

#include <string>

#include "../irq/clock.h"
#include "../run/machine.h"

namespace rz {

/// The clock of both machines: one nanosecond, and one tick of the TSC, an instruction.
struct VirtualTime {
  u64 now = 1;
  Clock clock() {
    return {[](void* t) -> u64 { return static_cast<VirtualTime*>(t)->now; },
            [](void* t) -> u64 { return static_cast<VirtualTime*>(t)->now; }, this};
  }
  static constexpr u64 kHz = 1'000'000'000;
};

enum class StepEnd : u8 {
  kLimit,      // as many instructions as asked for, and no difference
  kStopped,    // both were asked to stop (Machine's bus did)
  kShutdown,   // both triple-faulted
  kAsleep,     // both are halted and nothing will wake them
  kDifferent,  // see the report
  kBroken,     // a run loop failed by itself
  kLacking,    // the second, KVM, does not have what the guest turned on
};

/// Decode the instruction at `rip` of the vCPU's current code. False: absent, not RAM, on two pages, or undefined.
bool inst_at(const Vcpu& v, u64 rip, Inst& inst);

class Lockstep {
 public:
  /// Machines with one vCPU each, in the same state, made with time's clock and hz. Their options stay as they are, but
  /// that the second's blocks have one instruction.
  Lockstep(Machine& first, Machine& second, VirtualTime& time);
  ~Lockstep();
  Lockstep(const Lockstep&) = delete;
  Lockstep& operator=(const Lockstep&) = delete;

  /// Go on for `instructions` guest instructions, or until something else happens.
  StepEnd run(u64 instructions);
  u64 retired() const { return retired_; }
  u64 blocks() const { return blocks_; }
  /// Flags that nothing reads differed where a block was left in the middle: frames in RAM may hold them.
  bool stale_flags_seen() const { return stale_seen_ != 0; }
  /// Behind kDifferent: both states, the instructions of the block, the blocks before, and the host code.
  std::string report() const;

 private:
  static bool first_boundary(void*, Vcpu&) { return false; }
  static bool second_boundary(void* self, Vcpu& vcpu) { return static_cast<Lockstep*>(self)->second_step(vcpu); }
  bool second_step(Vcpu& vcpu);

  Vcpu &a_, &b_;
  VirtualTime& time_;
  u64 retired_ = 0, blocks_ = 0;
  u64 start_rip_ = 0;                         // where the current block began
  u64 stale_ = 0, stale_seen_ = 0;            // arithmetic flags that differ, and are dead; that ever were
  unsigned steps_ = 0;                        // instructions of the second in it
  bool met_ = false;                          // the second came where the first is, with the same state
  std::string candidate_, candidate_states_;  // differences where only the RIPs met, and both states there
  u64 path_[128] = {};                        // RIPs of the second in the current block
  u64 last_[16] = {};                         // beginnings of the last blocks
};

}  // namespace rz
