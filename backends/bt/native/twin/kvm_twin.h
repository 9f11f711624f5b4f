// A virtual processor of the host's KVM beside one of the translator's, with RAM of its own that began the same: it is
// put into the translator's state, or steps one instruction by itself and tells its own. It has no devices: what an
// access gives is what it gave the translator. Source: the kernel's "The Definitive KVM API Documentation".
#pragma once

#include <linux/kvm.h>

#include <string>
#include <vector>

#include "cpu/vcpu.h"
#include "mmu/phys_memory.h"
#include "recording_bus.h"

namespace rz {

class KvmTwin {
 public:
  KvmTwin() = default;
  ~KvmTwin();
  KvmTwin(const KvmTwin&) = delete;
  KvmTwin& operator=(const KvmTwin&) = delete;

  /// Make it, with a copy of all RAM as it is now. False with a sentence in `error` that begins with what is missing.
  bool open(const PhysMemory& memory, std::string& error);

  /// Everything but RAM becomes as the translator's.
  /// @returns null, or the call that KVM refused
  const char* take_over(const Vcpu& v);
  /// The bytes at `gpa` become as in the translator's RAM; what is not RAM is left out.
  void copy_ram(u64 gpa, u64 bytes);

  enum class Step : u8 {
    kDone,      // one instruction, or one round of a repeated one
    kCannot,    // this KVM does not know the instruction
    kDevices,   // it asked a device for something else than the translator did; see `note`
    kLost,      // it did not come back: it went into a handler, or loops
    kShutdown,  // triple fault
    kRefused,   // an error of the host; see `note`
  };
  /// @param next  how many of the accesses this instruction has had already; 0 at first
  Step step(const RecordingBus& devices, unsigned& next);
  std::string note;  // behind kDevices and kRefused

  const kvm_regs& registers() const { return run_->s.regs.regs; }
  u64 rip() const { return run_->s.regs.regs.rip; }
  u64 rsp() const { return run_->s.regs.regs.rsp; }
  u64 rflags() const { return run_->s.regs.regs.rflags; }
  const kvm_sregs& system() const { return run_->s.regs.sregs; }
  /// Stand elsewhere, with the other registers as they are.
  /// @returns null, or the call that KVM refused
  const char* go_to(const kvm_sregs& system, u64 rip, u64 rflags, u64 rsp);
  u64 rcx() const { return run_->s.regs.regs.rcx; }
  /// General and system registers.
  void state_into(Vcpu& image) const;
  /// x87 and vector registers.
  bool vectors_into(Vcpu& image) const;
  /// A word that PUSHF stored has the TF that steps: take it away. Ring 3 on the processor has the host's IF too.
  void settle_pushed_flags(u64 gpa, bool ring3, u64 rflags);
  /// Ask for the step again: the last instruction loaded EFLAGS.
  void arm();
  /// This one's byte at `gpa`, or null.
  u8* ram(u64 gpa) { return memory_.host(gpa); }
  /// Bits of CR4 that this KVM lets guests set.
  u64 known_cr4() const { return known_cr4_; }
  const PhysMemory& memory() const { return memory_; }

 private:
  bool create_cpu(std::string& error);
  void note_cr4(const kvm_cpuid_entry2& entry);
  bool serve(const RecordingBus& devices, unsigned& next);
  bool answer(const RecordingBus& devices, unsigned& next, const BusAccess& asked, void* data);

  const PhysMemory* first_ = nullptr;  // the translator's
  PhysMemory memory_;
  std::vector<std::pair<u8*, u64>> mappings_;
  int kvm_ = -1, vm_ = -1, cpu_ = -1;
  kvm_run* run_ = nullptr;
  u64 run_bytes_ = 0;
  u64 known_cr4_ = 0;   // bits that it lets guests set
  u64 components_ = 0;  // that the host's XCR0 has
  kvm_sregs reset_ = {};
};

}  // namespace rz
