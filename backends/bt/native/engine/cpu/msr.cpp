// RDMSR and WRMSR: the registers that Linux, the BSDs and Windows touch. Names and numbers from SDM,
// "Model-Specific Registers (MSRs)", APM, "Model-Specific Registers", and Linux, "KVM-specific MSRs".
#include "msr.h"

#include "../mmu/mmu.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "cpuid.h"
#include "pvclock.h"
#include "tsc.h"

namespace rz {
namespace {

constexpr unsigned kVariableMtrrs = 8;
constexpr u64 kMtrrCap = kVariableMtrrs | 1u << 8 | 1u << 10;  // fixed ranges, write combining
// RDCL_NO, IBRS_ALL, SKIP_L1DFL, SSB_NO, MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO,
// PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO
constexpr u64 kArchCapabilities = 1u << 0 | 1u << 1 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 13 |
                                  1u << 14 | 1u << 15 | 1u << 20 | 1u << 24 | 1u << 26 | 1u << 27 | 1ull << 62;
constexpr u64 kTscDoesNotFollowPstates = 1u << 24;  // HWCR.TscFreqSel

bool memory_type(u64 type) { return type == 0 || type == 1 || type == 4 || type == 5 || type == 6; }
bool pat_type(u64 type) { return memory_type(type) || type == 7; }

bool all_types(u64 value, bool (*good)(u64)) {
  for (unsigned i = 0; i < 8; ++i)
    if (!good(value >> (8 * i) & 0xff)) return false;
  return true;
}

constexpr u32 kMceFirst = 0x400, kMceLast = kMceFirst + 4 * kMceBanks - 1;

// CTL, STATUS, ADDR and MISC of the machine-check banks: only CTL ever holds anything but 0.
u64 read_mce(const Vcpu& v, u32 index) { return (index & 3) == 0 ? v.msr.mce_ctl[(index - kMceFirst) / 4] : 0; }

bool write_mce(Vcpu& v, u32 index, u64 value) {
  if ((index & 3) != 0) return value == 0;
  // All bits or none; Linux leaves bit 10 of one bank of AMD's out.
  if (value != 0 && (value | 1u << 10) != ~0ull) return false;
  v.msr.mce_ctl[(index - kMceFirst) / 4] = value;
  return true;
}

// Index into mtrr_fixed, or -1.
int fixed_mtrr(u32 index) {
  if (index == 0x250) return 0;
  if (index == 0x258 || index == 0x259) return static_cast<int>(index - 0x258) + 1;
  if (index >= 0x268 && index <= 0x26f) return static_cast<int>(index - 0x268) + 3;
  return -1;
}

bool apic_register(u32 index) { return index == 0x1b || index == 0x6e0 || (index >= 0x800 && index <= 0x8ff); }

// Registers of particular models that read as zero and ignore writes, as on KVM, because systems touch them untested.
bool harmless(u32 index) {
  switch (index) {
    case 0x17:   // platform id
    case 0x2a:   // EBL_CR_POWERON
    case 0x34:   // SMI count
    case 0xcd:   // FSB frequency
    case 0xce:   // platform info
    case 0x140:  // misc features
    case 0x1c9:
    case 0x1da:
    case 0x1db:
    case 0x1dc:
    case 0x1dd:
    case 0x1de:  // last branch records
    case 0x199:
    case 0x198:
    case 0x19a:
    case 0x19b:
    case 0x19c:
    case 0x1a2:  // performance and thermal control
    case 0x186:
    case 0x187:
    case 0xc1:
    case 0xc2:
    case 0x38f:
    case 0x390:
    case 0x345:  // performance counters
    case 0xc001001a:
    case 0xc001001d:  // TOP_MEM, TOP_MEM2
    case 0xc0010016:
    case 0xc0010017:
    case 0xc0010018:
    case 0xc0010019:  // I/O range registers
    case 0xc001001f:
    case 0xc0010055:
    case 0xc0010058:
    case 0xc0010061:
    case 0xc0010062:
    case 0xc0010063:
    case 0xc0010064:
    case 0xc0010071:
    case 0xc0010112:
    case 0xc0010113:
    case 0xc0010114:
    case 0xc0010117:
    case 0xc0011020:
    case 0xc0011021:
    case 0xc0011022:
    case 0xc0011023:
    case 0xc001102a:
    case 0xc001102c: return true;
    default: return (index >= 0xc0010000 && index <= 0xc0010007) || (index >= 0xc0010200 && index <= 0xc001020b);
  }
}

bool write_efer(Vcpu& v, u64 value) {
  const u64 old = v.msr.efer;
  if (value & ~v.machine->cpuid->efer) return false;
  if (v.paging() && ((old ^ value) & kEferLME)) return false;
  v.msr.efer = (value & ~kEferLMA) | (old & kEferLMA);
  if ((old ^ value) & kEferNXE) tlb_flush_all(v);
  refresh_mode(v);
  return true;
}

bool write_mtrr(Vcpu& v, u32 index, u64 value) {
  const u64 phys = (1ull << v.machine->cpuid->phys_bits) - 1;
  if (const int fixed = fixed_mtrr(index); fixed >= 0) {
    if (!all_types(value, memory_type)) return false;
    v.msr.mtrr_fixed[fixed] = value;
    return true;
  }
  if (index == 0x2ff) {
    if ((value & ~0xcffull) || !memory_type(value & 0xff)) return false;
    v.msr.mtrr_def_type = value;
    return true;
  }
  const unsigned n = (index - 0x200) / 2;
  if (index & 1) {
    if (value & ~(phys & ~0x7ffull)) return false;
    v.msr.mtrr_mask[n] = value;
  } else {
    if ((value & ~(phys & ~0xf00ull)) || !memory_type(value & 0xff)) return false;
    v.msr.mtrr_base[n] = value;
  }
  return true;
}

void write_tsc(Vcpu& v, u64 offset) {
  v.msr.tsc_offset = offset;
  pvclock_write_system_time(v, v.msr.kvm_clock);
}

}  // namespace

bool msr_read(Vcpu& v, u32 index, u64& value) {
  const Msrs& m = v.msr;
  const CpuidProfile& cpu = *v.machine->cpuid;
  if (apic_register(index)) return v.machine->irq && v.machine->irq->msr_read(v, index, value);
  if (const int fixed = fixed_mtrr(index); fixed >= 0) {
    value = m.mtrr_fixed[fixed];
    return true;
  }
  if (index >= kMceFirst && index <= kMceLast) {
    value = read_mce(v, index);
    return true;
  }
  if (index >= 0x200 && index < 0x200 + 2 * kVariableMtrrs) {
    value = (index & 1) ? m.mtrr_mask[(index - 0x200) / 2] : m.mtrr_base[(index - 0x200) / 2];
    return true;
  }
  switch (index) {
    case 0x0:
    case 0x1: value = 0; return true;  // P5 machine check
    case 0x10: value = guest_tsc(v); return true;
    case 0x11:
    case 0x4b564d00: value = m.kvm_wall_clock; return true;
    case 0x12:
    case 0x4b564d01: value = m.kvm_clock; return true;
    case 0x3a:
      if (!cpu.intel) return false;
      value = m.feature_control | 1;
      return true;  // locked, no VMX
    case 0x3b: value = m.tsc_adjust; return true;
    case 0x48:
      if (!(cpu.f7_edx >> 26 & 1)) return false;
      value = m.spec_ctrl;
      return true;
    case 0x8b: value = cpu.intel ? 0x100000000ull : 0x01000065; return true;  // microcode revision
    case 0xfe: value = kMtrrCap; return true;
    case 0x10a:
      if (!(cpu.f7_edx >> 29 & 1)) return false;
      value = kArchCapabilities;
      return true;
    case 0x174: value = m.sysenter_cs; return true;
    case 0x175: value = m.sysenter_esp; return true;
    case 0x176: value = m.sysenter_eip; return true;
    case 0x179: value = kMcgCap; return true;
    case 0x17a: value = m.mcg_status; return true;
    case 0x17b: value = m.mcg_ctl; return true;
    case 0x1a0: value = m.misc_enable; return true;
    case 0x1d9: value = m.debugctl; return true;
    case 0x277: value = m.pat; return true;
    case 0x2ff: value = m.mtrr_def_type; return true;
    case 0xc0000080: value = m.efer; return true;
    case 0xc0000081: value = m.star; return true;
    case 0xc0000082: value = m.lstar; return true;
    case 0xc0000083: value = m.cstar; return true;
    case 0xc0000084: value = m.sfmask; return true;
    case 0xc0000100: value = v.seg[kFS].base; return true;
    case 0xc0000101: value = v.seg[kGS].base; return true;
    case 0xc0000102: value = m.kernel_gs_base; return true;
    case 0xc0000103: value = m.tsc_aux; return true;
    case 0xc0010010: value = m.syscfg; return true;
    case 0xc0010015: value = m.hwcr | kTscDoesNotFollowPstates; return true;
    case 0xc0011029: value = m.de_cfg; return true;
    default: break;
  }
  if (harmless(index)) {
    value = 0;
    return true;
  }
  return false;
}

bool msr_write(Vcpu& v, u32 index, u64 value) {
  Msrs& m = v.msr;
  const CpuidProfile& cpu = *v.machine->cpuid;
  if (apic_register(index)) return v.machine->irq && v.machine->irq->msr_write(v, index, value);
  if (fixed_mtrr(index) >= 0 || index == 0x2ff || (index >= 0x200 && index < 0x200 + 2 * kVariableMtrrs))
    return write_mtrr(v, index, value);
  if (index >= kMceFirst && index <= kMceLast) return write_mce(v, index, value);
  switch (index) {
    case 0x0:
    case 0x1: return true;
    case 0x10:
      m.tsc_adjust += value - guest_tsc(v);
      write_tsc(v, value - base_tsc(v));
      return true;
    case 0x3b:
      write_tsc(v, m.tsc_offset + (value - m.tsc_adjust));
      m.tsc_adjust = value;
      return true;
    case 0x11:
    case 0x4b564d00:
      m.kvm_wall_clock = value;
      pvclock_write_wall_clock(v, value);
      return true;
    case 0x12:
    case 0x4b564d01:
      m.kvm_clock = value;
      pvclock_write_system_time(v, value);
      return true;
    case 0x3a: return false;  // locked
    case 0x48:
      if (!(cpu.f7_edx >> 26 & 1) || (value & ~7ull)) return false;
      m.spec_ctrl = value;
      return true;
    case 0x49: return (cpu.f7_edx >> 26 & 1) && !(value & ~1ull);
    case 0x79:
    case 0x8b:
    case 0xc0010020: return true;  // microcode updates are ignored
    case 0x174: m.sysenter_cs = value & 0xffff; return true;
    case 0x175:
    case 0x176:
      if (!canonical_at_most(v, value)) return false;
      (index == 0x175 ? m.sysenter_esp : m.sysenter_eip) = value;
      return true;
    case 0x179: return false;
    case 0x17a:
      if (value) return false;
      m.mcg_status = 0;
      return true;
    case 0x17b:
      if (value != 0 && value != ~0ull) return false;
      m.mcg_ctl = value;
      return true;
    case 0x1a0: m.misc_enable = value; return true;
    case 0x1d9:  // LBR and BTF; on AMD the performance-monitor pin controls too
      if (value & ~(cpu.intel ? 3ull : 0x3full)) return false;
      m.debugctl = value & 3;
      return true;
    case 0x277:
      if (!all_types(value, pat_type)) return false;
      m.pat = value;
      return true;
    case 0xc0000080: return write_efer(v, value);
    case 0xc0000081: m.star = value; return true;
    case 0xc0000082:
      if (!canonical_at_most(v, value)) return false;
      m.lstar = value;
      return true;
    case 0xc0000083:
      if (!canonical_at_most(v, value)) return false;
      m.cstar = value;
      return true;
    case 0xc0000084:
      if (value >> 32) return false;
      m.sfmask = value;
      return true;
    case 0xc0000100:
      if (!canonical_at_most(v, value)) return false;
      v.seg[kFS].base = value;
      return true;
    case 0xc0000101:
      if (!canonical_at_most(v, value)) return false;
      v.seg[kGS].base = value;
      return true;
    case 0xc0000102:
      if (!canonical_at_most(v, value)) return false;
      m.kernel_gs_base = value;
      return true;
    case 0xc0000103:
      if (value >> 32) return false;
      m.tsc_aux = value;
      return true;
    case 0xc0010010: m.syscfg = value; return true;
    case 0xc0010015: m.hwcr = value & (1u << 18 | 0x40 | 0x8 | 0x100); return true;
    case 0xc0011029: m.de_cfg = (value & 2) | 2; return true;
    default: return harmless(index);
  }
}

}  // namespace rz
