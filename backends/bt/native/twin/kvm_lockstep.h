// The translator in lockstep with the host's KVM: after every instruction the registers are compared, and the memory
// that it could have written. What must stay true: everything that is not compared is counted by its reason, so that a
// comparison of nothing cannot pass for one. The translator leads: KVM has no interrupt controllers, no clock and no
// devices. Where an instruction's result is not a matter of the instruction (time, CPUID, MSRs), where an exception or
// an interrupt is delivered, and where this KVM does not know the instruction, it takes the translator's state over.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "debug/lockstep.h"
#include "kvm_twin.h"
#include "recording_bus.h"

namespace rz {

class KvmLockstep {
 public:
  /// `machine` has one vCPU, and was made with time's clock and hz; its blocks get one instruction.
  KvmLockstep(Machine& machine, VirtualTime& time);
  ~KvmLockstep();
  KvmLockstep(const KvmLockstep&) = delete;
  KvmLockstep& operator=(const KvmLockstep&) = delete;
  /// When the machine stands at its first instruction. False with a sentence that begins with what is missing.
  bool begin(std::string& error);

  StepEnd run(u64 instructions);
  u64 retired() const { return compared_ + taken_; }
  u64 compared() const { return compared_; }
  /// Why instructions were not compared, and how many: lines to be shown.
  std::string not_compared() const;
  /// Behind kLacking: what.
  const std::string& lacking() const { return difference_; }
  /// Behind kDifferent and kBroken.
  std::string report() const;
  /// Address of the first byte of RAM that differs, but for accessed and dirty bits, which a processor may set earlier;
  /// ~0 when none does.
  u64 first_ram_difference();

 private:
  static constexpr u64 kMostRounds = 4096;  // of a repeated instruction that are stepped one by one
  /// A piece of guest memory that an instruction could have written.
  struct Window {
    u64 linear;
    u32 below, above;  // bytes in front of it and from it on
  };
  /// A byte of KVM's memory that is HLT for the length of one step.
  struct HaltSpot {
    u8* byte = nullptr;  // null: none
    u64 rip = 0;         // of it
  };
  static bool at_boundary(void*, Vcpu&) { return false; }
  StepEnd one();
  bool beyond_kvm();
  void find_windows();
  const char* why_not(u64 flags_before) const;
  bool follow(const char* reason);
  StepEnd compare();
  HaltSpot halt_spot();
  const char* take_trap_back(const HaltSpot& spot, const kvm_sregs& before);
  bool read_twin(u64 linear, void* into, unsigned bytes);
  bool windows_differ();
  void copy_linear(u64 linear, u64 bytes);
  void copy_tables();

  Vcpu& a_;
  VirtualTime& time_;
  RecordingBus bus_;
  KvmTwin twin_;
  std::unique_ptr<Vcpu> image_;  // KVM's state, to be compared
  Inst inst_ = {};
  bool decoded_ = false;
  u64 start_rip_ = 0, start_rcx_ = 0;
  u64 start_tr_ = 0;  // base of the current TSS
  u8 start_cpl_ = 0;
  u64 compared_ = 0, taken_ = 0;
  Window windows_[4] = {};
  unsigned window_count_ = 0;
  std::map<std::string, u64> reasons_;
  std::string difference_;
  u64 last_[16] = {};  // where the last instructions were
  u64 steps_ = 0;
};

}  // namespace rz
