// See bare_machine.h.
#include "bare_machine.h"

#include <sys/mman.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "cpu/reset.h"
#include "mmu/mmu.h"
#include "translate/translator.h"

namespace rz {
namespace {

constexpr u64 kPiece = 1 << 20;  // of RAM, compared at a time

bool resident(u8* at, u64 bytes) {
  unsigned char pages[kPiece / 4096];
  if (mincore(at, bytes, pages) != 0) return true;
  for (u64 i = 0; i < bytes / 4096; i++)
    if (pages[i] & 1) return true;
  return false;
}

}  // namespace

BareMachine::~BareMachine() {
  for (Vcpu* v : machine_.vcpus) vcpu_destroy(v);
  code_.destroy();
  if (ram_) munmap(ram_, ram_bytes_);
}

bool BareMachine::load(const BootScript& script, std::string& error) {
  for (const BootScript::Load& l : script.loads) {
    std::ifstream in(l.file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (!in) {
      error = "cannot read " + l.file;
      return false;
    }
    if (l.at > ram_bytes_ || bytes.size() > ram_bytes_ - l.at) {
      error = l.file + " does not fit into memory";
      return false;
    }
    memcpy(ram_ + l.at, bytes.data(), bytes.size());
  }
  return true;
}

bool BareMachine::build(const BootScript& script, const EngineOptions& options, u64 hz, Clock clock,
                        std::string& error) {
  machine_.options = options;
  ram_bytes_ = script.top();
  void* ram = mmap(nullptr, ram_bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (ram == MAP_FAILED) {
    error = "no memory for the guest";
    return false;
  }
  ram_ = static_cast<u8*>(ram);
  u64 ram_top = 0;
  for (const auto& [at, bytes, read_only] : script.ranges) {
    if (!memory_.add({at, bytes, ram_ + at, read_only})) {
      error = "memory ranges overlap or are too many";
      return false;
    }
    if (!read_only) ram_top = at + bytes;
  }
  machine_.memory = &memory_;
  machine_.tsc_hz = hz;
  if (!load(script, error)) return false;
  if (!cpuid_profile(script.cpu.c_str(), 1, hz, profile_)) {
    error = "unknown CPU profile " + script.cpu;
    return false;
  }
  machine_.cpuid = &profile_;
  machine_.vcpus.push_back(vcpu_create(machine_, 0));
  if (!code_.init(machine_, options.code_cache_bytes, ram_bytes_)) {
    error = "no memory for the code cache, or executable memory is forbidden here";
    return false;
  }
  machine_.code = &code_;
  emit_thunks(code_);
  irq_ = std::make_unique<IrqPlatform>(machine_, clock);
  machine_.irq = irq_.get();
  bus_ = std::make_unique<BareBus>(machine_, *irq_, ram_top);
  machine_.bus = bus_.get();
  vcpu_reset(vcpu());
  jump_flush_all(vcpu());
  return set_boot_registers(vcpu(), script, error);
}

u64 BareMachine::first_ram_difference(const BareMachine& other) const {
  for (u64 at = 0; at < ram_bytes_; at += kPiece) {
    const u64 bytes = ram_bytes_ - at < kPiece ? ram_bytes_ - at : kPiece;
    if (!resident(ram_ + at, bytes) && !resident(other.ram_ + at, bytes)) continue;
    if (memcmp(ram_ + at, other.ram_ + at, bytes) == 0) continue;
    u64 i = at;
    while (ram_[i] == other.ram_[i]) i++;
    return i;
  }
  return ~0ull;
}

}  // namespace rz
