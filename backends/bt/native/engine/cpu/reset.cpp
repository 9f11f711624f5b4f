// Power-on, INIT and start-up state of a virtual processor, and where its memory comes from.
#include "reset.h"

#include <new>

#include <sys/mman.h>

#include "../mmu/mmu.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "bytes.h"
#include "cpuid.h"
#include "debug.h"
#include "segments.h"
#include "tsc.h"

namespace rz {
namespace {

constexpr u64 page_round(u64 bytes) { return (bytes + kPageBytes - 1) & kPageMask; }

void* map(u64 bytes) {
  void* at = mmap(nullptr, page_round(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at == MAP_FAILED ? nullptr : at;
}

// What RESET and INIT have in common.
void init_core(Vcpu& v) {
  fill_bytes(v.regs, 0, sizeof v.regs);
  v.regs[2] = v.machine->cpuid->signature();  // EDX: family, model, stepping
  v.rip = 0xfff0;
  v.rflags = 2;
  v.cr0 = (v.cr0 & (kCr0CD | kCr0NW)) | kCr0ET;
  v.cr2 = v.cr3 = v.cr4 = v.cr8 = 0;
  for (unsigned i = 0; i < 4; ++i) v.dr[i] = 0;
  v.dr[6] = 0xffff0ff0;
  v.dr[7] = 0x400;
  v.msr.efer = 0;
  v.cpl = 0;
  for (u8 seg = 0; seg < kSegCount; ++seg) {
    Segment& s = v.seg[seg];
    s = Segment{};
    s.limit = 0xffff;
    s.attributes = 0x93;
  }
  v.seg[kCS].selector = 0xf000;
  v.seg[kCS].base = 0xffff0000;
  v.seg[kCS].attributes = 0x9b;
  refresh_segments(v);
  v.gdtr = {0, 0xffff};
  v.idtr = {0, 0xffff};
  v.ldtr = Segment{};
  v.ldtr.limit = 0xffff;
  v.ldtr.attributes = 0x82;
  v.tr = Segment{};
  v.tr.limit = 0xffff;
  v.tr.attributes = 0x8b;
  v.halted = false;
  v.wait_for_sipi = false;
  v.nmi_blocked = false;
  v.shadow_rip = ~0ull;
  v.exception = PendingException{};
  v.debug_pending = 0;
  v.host_debug.due = v.host_debug.hold = false;
  v.host_debug.reported = HostDebug::kNowhere;
  v.trap_rule = TrapRule::kNormal;
  v.shutdown = false;
  fill_bytes(v.pdpte, 0, sizeof v.pdpte);
  tlb_flush_all(v);
  debug_refresh(v);
}

}  // namespace

Vcpu* vcpu_create(Machine& machine, u32 index) {
  void* memory = map(sizeof(Vcpu));
  if (!memory) return nullptr;
  void* contexts = map(sizeof(Context) * kContexts);
  if (!contexts) {
    munmap(memory, page_round(sizeof(Vcpu)));
    return nullptr;
  }
  // Most of the tables is never touched; where the host gives huge pages unasked, touching a little would cost all.
  madvise(contexts, page_round(sizeof(Context) * kContexts), MADV_NOHUGEPAGE);
  Vcpu* v = new (memory) Vcpu;  // the mapping is zero-filled
  v->machine = &machine;
  v->index = index;
  v->contexts = static_cast<Context*>(contexts);
  tlb_init(*v);
  vcpu_reset(*v);
  return v;
}

void vcpu_destroy(Vcpu* vcpu) {
  if (!vcpu) return;
  munmap(vcpu->contexts, page_round(sizeof(Context) * kContexts));
  munmap(vcpu, page_round(sizeof(Vcpu)));
}

void vcpu_reset(Vcpu& v) {
  v.cr0 = kCr0CD | kCr0NW;
  v.xcr0 = 1;
  fill_bytes(&v.msr, 0, sizeof v.msr);
  v.msr.pat = 0x0007040600070406;
  v.msr.apic_base = 0xfee00000 | 1u << 11 | (v.index == 0 ? 1u << 8 : 0);
  v.msr.misc_enable = 1;  // fast strings
  v.msr.mcg_ctl = ~0ull;
  fill_bytes(v.msr.mce_ctl, 0xff, sizeof v.msr.mce_ctl);
  // Time-stamp counters of one machine start together, whenever its later vCPUs are made or reset.
  const bool first = v.machine->vcpus.empty() || v.machine->vcpus[0] == &v;
  v.boot_tsc = first ? host_tsc() : v.machine->vcpus[0]->boot_tsc;
  v.msr.tsc_offset = 0 - v.boot_tsc;
  v.msr.de_cfg = 2;  // LFENCE is serialising
  // x87, SSE image: FCW 37Fh would be FNINIT; RESET leaves 40h and all tags empty-but-zero.
  fill_bytes(v.xsave, 0, sizeof v.xsave);
  store_bytes(v.xsave + 0, 0x0040, 2);
  store_bytes(v.xsave + 24, 0x1f80, 4);
  v.xsave[4] = 0xff;                 // abridged tag word: all valid (FTW = 5555h)
  store_bytes(v.xsave + 512, 3, 8);  // header: x87 and SSE present
  v.fpu_live = false;
  init_core(v);
  v.wait_for_sipi = v.index != 0;
}

void vcpu_init(Vcpu& v) { init_core(v); }

void vcpu_sipi(Vcpu& v, u8 vector) {
  v.seg[kCS].selector = static_cast<u16>(vector << 8);
  v.seg[kCS].base = static_cast<u64>(vector) << 12;
  refresh_segments(v);
  v.rip = 0;
  v.halted = false;
  refresh_mode(v);
}

}  // namespace rz
