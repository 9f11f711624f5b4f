// See bench_machine.h.
#include "bench_machine.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cpu/reset.h"
#include "cpu/tsc.h"
#include "irq/platform.h"
#include "mmu/mmu.h"
#include "translate/mode.h"
#include "translate/translator.h"

namespace rz::verify_test {
namespace {
constexpr u64 kRamBytes = 0x20000;
}

BenchMachine::BenchMachine() {
  ram_ = static_cast<u8*>(mmap(nullptr, kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  machine_.memory = &memory_;
  machine_.tsc_hz = tsc_hz();
  machine_.cpuid = &profile_;
  machine_.options.code_cache_bytes = 4 << 20;
  const bool good = ram_ != MAP_FAILED && memory_.add({0, kRamBytes, ram_, false}) &&
                    cpuid_profile("host", 1, machine_.tsc_hz, profile_);
  vcpu_ = vcpu_create(machine_, 0);
  machine_.vcpus.push_back(vcpu_);
  if (!good || !code.init(machine_, machine_.options.code_cache_bytes, kRamBytes)) {
    std::fprintf(stderr, "cannot make a machine\n");
    std::exit(2);
  }
  machine_.code = &code;
  emit_thunks(code);
  irq_ = std::make_unique<IrqPlatform>(machine_);
  machine_.irq = irq_.get();
  vcpu_reset(*vcpu_);
  jump_flush_all(*vcpu_);
}

BenchMachine::~BenchMachine() {
  vcpu_destroy(vcpu_);
  code.destroy();
  munmap(ram_, kRamBytes);
}

u32 BenchMachine::translate_with(Translator& translator, const std::vector<u8>& bytes, unsigned offset, u64 mode,
                                 const EngineOptions& options) {
  machine_.options = options;
  machine_.options.verify = false;  // the test asks the verifier itself
  std::memcpy(ram_ + kCodeAt + offset, bytes.data(), bytes.size());
  vcpu_->mode = mode & 0xffffffff;
  const u64 at = kCodeAt + offset;
  const u32 index = translator.translate(at, at, at, mode);
  vcpu_->exception = {};
  return index;
}

EmittedCode BenchMachine::translate(const std::vector<u8>& bytes, unsigned offset, u64 mode,
                                    const EngineOptions& options, bool wandering) {
  code.flush();
  Translator translator(*vcpu_, code);
  u32 index = translate_with(translator, bytes, offset, mode, options);
  if (!index) return {};
  if (wandering) {
    for (unsigned i = 0; i < translator.insts(); i++)
      code.note_wanderer(index, static_cast<unsigned>(translator.rip_of(i) - kCodeAt));
    Translator again(*vcpu_, code);
    index = translate_with(again, bytes, offset, mode, options);
  }
  const Block& b = code.block(index);
  return {b.code_indirect, b.code_end, {b.code_indirect, b.code_polled, b.code_direct, b.code_body}, index};
}

Listing BenchMachine::list(const std::vector<u8>& bytes, unsigned offset, u64 mode, const EngineOptions& options) {
  code.flush();
  Translator translator(*vcpu_, code);
  const u32 index = translate_with(translator, bytes, offset, mode, options);
  return index ? list_translation(translator, code, index) : Listing{};
}

}  // namespace rz::verify_test
