// A machine of one vCPU in this process, with no Node, no shared memory and no device but bare_bus.h's: for debuggers,
// profilers, sanitizers and lockstep.
#pragma once

#include <memory>
#include <string>

#include "bare_bus.h"
#include "boot_script.h"
#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "irq/platform.h"
#include "mmu/phys_memory.h"
#include "run/machine.h"

namespace rz {

class BareMachine {
 public:
  BareMachine() = default;
  ~BareMachine();
  BareMachine(const BareMachine&) = delete;
  BareMachine& operator=(const BareMachine&) = delete;
  /// Make it from a script, and stand at the first instruction. False with a sentence in `error`.
  /// @param hz  of the guest's TSC
  bool build(const BootScript& script, const EngineOptions& options, u64 hz, Clock clock, std::string& error);

  Vcpu& vcpu() { return *machine_.vcpus[0]; }
  Machine& machine() { return machine_; }
  CodeCache& code() { return code_; }
  IrqPlatform& irq() { return *irq_; }
  BareBus& bus() { return *bus_; }
  /// Address of the first byte of guest RAM that differs from the other's, of the same script; ~0 when none does.
  u64 first_ram_difference(const BareMachine& other) const;

 private:
  bool load(const BootScript& script, std::string& error);

  u8* ram_ = nullptr;
  u64 ram_bytes_ = 0;
  PhysMemory memory_;
  CpuidProfile profile_{};
  CodeCache code_;
  Machine machine_;
  std::unique_ptr<IrqPlatform> irq_;
  std::unique_ptr<BareBus> bus_;
};

}  // namespace rz
