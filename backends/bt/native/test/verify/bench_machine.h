// A machine for translating code that is never run: a page pair of RAM without paging, any translation mode.
#pragma once

#include <memory>
#include <vector>

#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "debug/listing.h"
#include "mmu/phys_memory.h"
#include "run/machine.h"
#include "verify/verify.h"

namespace rz::verify_test {

inline constexpr u64 kCodeAt = 0x10000;

class BenchMachine {
 public:
  BenchMachine();
  ~BenchMachine();
  BenchMachine(const BenchMachine&) = delete;
  BenchMachine& operator=(const BenchMachine&) = delete;

  /// Translate what lies at kCodeAt + `offset` under the mode key `mode`. Everything translated before is dropped
  /// first. Empty `end` (0): nothing was translated, an exception instead.
  /// @param wandering  as when each of its accesses was found to keep changing pages
  EmittedCode translate(const std::vector<u8>& code, unsigned offset, u64 mode, const EngineOptions& options,
                        bool wandering = false);

  /// The same, as text; empty when nothing was translated.
  Listing list(const std::vector<u8>& code, unsigned offset, u64 mode, const EngineOptions& options);

  CodeCache code;

 private:
  u32 translate_with(Translator& translator, const std::vector<u8>& code, unsigned offset, u64 mode,
                     const EngineOptions& options);
  Machine machine_;
  PhysMemory memory_;
  CpuidProfile profile_{};
  std::unique_ptr<InterruptSource> irq_;
  Vcpu* vcpu_ = nullptr;
  u8* ram_ = nullptr;
};

}  // namespace rz::verify_test
