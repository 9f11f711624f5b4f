// Assembly of the engine library for one machine.
#include "vcpu_storage.h"

#include <sys/mman.h>

#include <new>

#include "irq/platform.h"
#include "mmu/phys_memory.h"
#if RINGZERO_ENGINE
#include "cache/code_cache.h"
#include "mmu/mmu.h"
#endif

namespace rz {

namespace {

/// Zeroed pages that are never given back.
void* lasting_pages(size_t bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

}  // namespace

Vcpu* allocate_vcpu(Machine& machine, u32 index) {
  void* at = lasting_pages(sizeof(Vcpu));
  void* contexts = lasting_pages(sizeof(Context) * kContexts);
  if (at == nullptr || contexts == nullptr) return nullptr;
  Vcpu* vcpu = new (at) Vcpu();
  vcpu->machine = &machine;
  vcpu->index = index;
  vcpu->contexts = static_cast<Context*>(contexts);
  vcpu->context = vcpu->contexts;
  return vcpu;
}

u64 read_tpr(Vcpu& vcpu) { return vcpu.machine->irq != nullptr ? vcpu.machine->irq->tpr(vcpu) : vcpu.cr8; }

#if !RINGZERO_ENGINE
// Transport tests only: no translator in this build.
bool prepare_engine(Machine&, const char*, std::atomic<u64>*, u64, std::string&) { return true; }
void reset_vcpu_storage(Vcpu&) {}
void registers_replaced(Vcpu&) {}
void drop_code(Machine&, u64, u64) {}
void drop_all_code(Machine&) {}
#endif

}  // namespace rz
