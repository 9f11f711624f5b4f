// Assembly of the engine library for one machine.
#include "assemble.h"

#include <sched.h>
#include <string.h>

#include <algorithm>

#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "cpu/reset.h"
#include "cpu/segments.h"
#include "cpu/tsc.h"
#include "mmu/mmu.h"
#include "mmu/phys_memory.h"
#include "translate/mode.h"
#include "translate/translator.h"

namespace rz {

namespace {

CpuidProfile cpuid;  // one machine in a process

/// PAE paging holds its four directory pointers in the processor; loading CR3 from outside loads them too.
bool load_directory_pointers(Vcpu& v) {
  const u8* table = v.machine->memory->host(v.cr3 & 0xffffffe0);
  if (table == nullptr) return false;
  memcpy(v.pdpte, table, sizeof v.pdpte);
  return true;
}

}  // namespace

bool assemble(Machine& machine, const char* profile, u32 vcpus, std::atomic<u64>* bitmap, u64 top, std::string& error) {
  static CodeCache code;
  if (!cpuid_profile(profile, vcpus, machine.tsc_hz, cpuid)) {
    error = std::string("unknown CPU profile: ") + profile;
    return false;
  }
  machine.cpuid = &cpuid;
  if (!code.init(machine, machine.options.code_cache_bytes, top)) {
    error = "no memory for the code cache, or executable memory is forbidden here";
    return false;
  }
  static_assert(sizeof(std::atomic<u64>) == sizeof(u64));
  code.set_shared_bitmap(reinterpret_cast<u64*>(bitmap), top >> 12);
  machine.code = &code;
  for (u32 i = 0; i < vcpus; ++i) {
    Vcpu* vcpu = vcpu_create(machine, i);
    if (vcpu == nullptr) {
      error = "no memory for a vCPU";
      return false;
    }
    machine.vcpus.push_back(vcpu);
  }
  cpu_set_t cores;
  machine.oversubscribed =
      vcpus > 1 && sched_getaffinity(0, sizeof cores, &cores) == 0 && vcpus > static_cast<u32>(CPU_COUNT(&cores));
  emit_thunks(code);
  for (Vcpu* vcpu : machine.vcpus) jump_flush_all(*vcpu);
  if (machine.tsc_hz == 0)
    set_tsc_rate(machine, tsc_hz());  // last: measuring it takes a while, since when somebody looked first
  return true;
}

void set_tsc_rate(Machine& machine, u64 hz) {
  machine.tsc_hz = hz;
  cpuid.tsc_hz = hz;
}

void power_on(Machine& machine) {
  for (Vcpu* vcpu : machine.vcpus) vcpu_reset(*vcpu);
  drop_all_code(machine);
}

bool registers_replaced(Vcpu& v) {
  v.cpl = v.protected_mode() ? (v.v8086() ? 3 : v.seg[kCS].selector & 3) : 0;
  refresh_segments(v);
  tlb_flush_all(v);
  tlb_switch_context(v, v.cr3, false);
  refresh_mode(v);
  tlb_select(v);
  v.exception = PendingException{};
  v.shadow_rip = ~0ull;
  const bool pae = v.paging() && (v.cr4 & kCr4PAE) != 0 && (v.msr.efer & kEferLMA) == 0;
  return !pae || load_directory_pointers(v);
}

void drop_code(Machine& machine, u64 gpa, u64 bytes) {
  constexpr u64 kPiece = 1 << 20;
  while (bytes != 0) {
    const u64 piece = std::min(bytes, kPiece);
    code_invalidate(machine, gpa, static_cast<unsigned>(piece));
    gpa += piece;
    bytes -= piece;
  }
}

void drop_all_code(Machine& machine) {
  if (machine.code != nullptr) machine.code->flush();
}

}  // namespace rz
