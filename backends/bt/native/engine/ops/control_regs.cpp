// Control and debug registers, XCR0, and what follows from changing them: mode switches, PDPTE loads, TLB flushes.
// Sources: SDM, "Control Registers", "Debug Registers", "MOV--Move to/from Control Registers", "Mode Switching".
#include "../cpu/bytes.h"
#include "../cpu/cpuid.h"
#include "../cpu/debug.h"
#include "../cpu/segments.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

constexpr u64 kCr0Writable =
    kCr0PE | kCr0MP | kCr0EM | kCr0TS | kCr0ET | kCr0NE | kCr0WP | kCr0AM | kCr0NW | kCr0CD | kCr0PG;
constexpr u64 kCr4FlushAll = kCr4PGE | kCr4PAE | kCr4PSE | kCr4LA57 | kCr4SMEP | kCr4SMAP | kCr4PKE;
constexpr u64 kCr4Pdptes = kCr4PGE | kCr4PAE | kCr4PSE | kCr4SMEP;

bool gp(Vcpu& v) {
  v.raise(kGP, 0);
  return false;
}

bool pae_paging(u64 cr0, u64 cr4, u64 efer) { return (cr0 & kCr0PG) && (cr4 & kCr4PAE) && !(efer & kEferLMA); }

// Read the four page-directory pointers that CR3 names. Reserved bits: #GP(0).
bool load_pdptes(Vcpu& v, u64 cr3) {
  u64 fresh[4] = {};
  if (!phys_read(*v.machine, cr3 & 0xffffffe0, fresh, sizeof fresh)) fill_bytes(fresh, 0, sizeof fresh);
  const u64 reserved = 0x1e6 | ~((1ull << v.machine->cpuid->phys_bits) - 1);
  for (const u64 entry : fresh)
    if ((entry & 1) && (entry & reserved)) return gp(v);
  for (unsigned i = 0; i < 4; ++i) v.pdpte[i] = fresh[i];
  return true;
}

bool write_cr0(Vcpu& v, u64 value) {
  if (value >> 32) return gp(v);
  value = (value & kCr0Writable) | kCr0ET;
  const u64 old = v.cr0;
  const bool pe = value & kCr0PE, pg = value & kCr0PG;
  if ((pg && !pe) || ((value & kCr0NW) && !(value & kCr0CD))) return gp(v);
  if (pg && !(old & kCr0PG)) {
    if (v.msr.efer & kEferLME) {
      const bool tss16 = v.tr.type() == kTss16 || v.tr.type() == kTss16Busy;
      if (!(v.cr4 & kCr4PAE) || v.seg[kCS].long_mode() || tss16) return gp(v);
      v.msr.efer |= kEferLMA;
    } else if ((v.cr4 & kCr4PAE) && !load_pdptes(v, v.cr3)) {
      return false;
    }
  } else if (!pg && (old & kCr0PG)) {
    if (v.code64() || (v.cr4 & kCr4PCIDE)) return gp(v);
    v.msr.efer &= ~kEferLMA;
  } else if (((old ^ value) & (kCr0CD | kCr0NW)) && pae_paging(value, v.cr4, v.msr.efer) && !load_pdptes(v, v.cr3)) {
    return false;
  }
  v.cr0 = value;
  if ((old ^ value) & (kCr0PG | kCr0WP | kCr0PE)) tlb_flush_all(v);
  if ((old ^ value) & kCr0PE) {
    if (!pe) v.cpl = 0;
    refresh_segments(v);
  }
  refresh_mode(v);
  return true;
}

bool write_cr3(Vcpu& v, u64 value) {
  const u64 keep_bit = 1ull << 63;
  const bool pcid = (v.cr4 & kCr4PCIDE) != 0;
  const bool keep = pcid && (value & keep_bit);
  if (pcid) value &= ~keep_bit;
  if (v.long_mode() && (value & ~((1ull << v.machine->cpuid->phys_bits) - 1))) return gp(v);
  if (!v.long_mode()) value = static_cast<u32>(value);
  if (pae_paging(v.cr0, v.cr4, v.msr.efer) && !load_pdptes(v, value)) return false;
  v.cr3 = value;
  tlb_switch_context(v, value, keep);
  return true;
}

bool write_cr4(Vcpu& v, u64 value) {
  const u64 old = v.cr4;
  if (value & ~v.machine->cpuid->cr4) return gp(v);
  if (v.long_mode() && (!(value & kCr4PAE) || ((old ^ value) & kCr4LA57))) return gp(v);
  if ((value & kCr4PCIDE) && !(old & kCr4PCIDE) && (!v.long_mode() || (v.cr3 & 0xfff))) return gp(v);
  if (pae_paging(v.cr0, value, v.msr.efer) && ((old ^ value) & kCr4Pdptes) && !load_pdptes(v, v.cr3)) return false;
  v.cr4 = value;
  if ((old ^ value) & kCr4DE) debug_refresh(v);
  if (((old ^ value) & kCr4FlushAll) || ((old & kCr4PCIDE) && !(value & kCr4PCIDE))) tlb_flush_all(v);
  refresh_mode(v);
  return true;
}

// DR4 and DR5 are DR6 and DR7 unless CR4.DE makes them #UD.
bool debug_register(Vcpu& v, unsigned& number) {
  if (number >= 8) {
    v.raise(kUD);
    return false;
  }
  if (number == 4 || number == 5) {
    if (v.cr4 & kCr4DE) {
      v.raise(kUD);
      return false;
    }
    number += 2;
  }
  if (v.dr[7] & (1u << 13)) {  // general detect
    v.dr[6] |= 1u << 13;
    v.raise(kDB);
    return false;
  }
  return true;
}

}  // namespace

OpResult op_mov_from_cr(Vcpu& v, const Inst& inst) {
  u64 value;
  switch (inst.reg) {
    case 0: value = v.cr0; break;
    case 2: value = v.cr2; break;
    case 3: value = v.cr3; break;
    case 4: value = v.cr4; break;
    case 8: value = v.machine->irq ? v.machine->irq->tpr(v) : v.cr8; break;
    default: return fault(v, kUD);
  }
  write_reg(v, inst, inst.rm, v.code64() ? 8 : 4, value);
  return OpResult::kNext;
}

OpResult op_mov_to_cr(Vcpu& v, const Inst& inst) {
  const u64 value = read_reg(v, inst, inst.rm, v.code64() ? 8 : 4);
  switch (inst.reg) {
    case 0: return write_cr0(v, value) ? OpResult::kNext : OpResult::kFault;
    case 2: v.cr2 = value; return OpResult::kNext;
    case 3: return write_cr3(v, value) ? OpResult::kNext : OpResult::kFault;
    case 4: return write_cr4(v, value) ? OpResult::kNext : OpResult::kFault;
    case 8:
      if (value & ~15ull) return fault(v, kGP, 0);
      v.cr8 = value;
      if (v.machine->irq) v.machine->irq->set_tpr(v, static_cast<u8>(value));
      return OpResult::kNext;
    default: return fault(v, kUD);
  }
}

OpResult op_mov_from_dr(Vcpu& v, const Inst& inst) {
  unsigned number = inst.reg;
  if (!debug_register(v, number)) return OpResult::kFault;
  write_reg(v, inst, inst.rm, v.code64() ? 8 : 4, v.dr[number]);
  return OpResult::kNext;
}

OpResult op_mov_to_dr(Vcpu& v, const Inst& inst) {
  unsigned number = inst.reg;
  if (!debug_register(v, number)) return OpResult::kFault;
  const u64 value = read_reg(v, inst, inst.rm, v.code64() ? 8 : 4);
  if (number >= 6) {
    if (value >> 32) return fault(v, kGP, 0);
    v.dr[number] = number == 6 ? (value & 0xe00f) | 0xffff0ff0 : (value & 0xffff27ff) | 0x400;
  } else {
    v.dr[number] = value;
  }
  if (number != 6 && (v.dr[7] & 0xff || v.watch_data | v.watch_code | v.watch_port)) debug_refresh(v);
  return OpResult::kNext;
}

OpResult op_clts(Vcpu& v, const Inst&) {
  v.cr0 &= ~kCr0TS;
  refresh_mode(v);
  return OpResult::kNext;
}

OpResult op_lmsw(Vcpu& v, const Inst& inst) {
  u64 value;
  if (!read_rm(v, inst, 2, value)) return OpResult::kFault;
  // Only PE, MP, EM and TS; PE can be set but not cleared.
  const u64 next = (v.cr0 & ~(kCr0MP | kCr0EM | kCr0TS)) | (value & (kCr0PE | kCr0MP | kCr0EM | kCr0TS));
  return write_cr0(v, next) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_smsw(Vcpu& v, const Inst& inst) {
  if ((v.cr4 & kCr4UMIP) && v.cpl != 0) return fault(v, kGP, 0);
  if (inst.has_memory) {
    if (!mem_write(v, inst.seg, effective_offset(v, inst), 2, v.cr0)) return OpResult::kFault;
  } else {
    write_reg(v, inst, inst.rm, inst.operand_bytes, v.cr0);
  }
  return OpResult::kNext;
}

OpResult op_xgetbv(Vcpu& v, const Inst&) {
  if (!(v.cr4 & kCr4OSXSAVE)) return fault(v, kUD);
  const u32 index = static_cast<u32>(v.regs[kRcx]);
  u64 value = v.xcr0;
  if (index == 1 && (v.machine->cpuid->xd1_eax & 4)) {
    u32 low, high;  // the guest's state is live, so the host's in-use bits are the guest's
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
    value = v.xcr0 & (static_cast<u64>(high) << 32 | low) & ~kXcr0Pkru;
    if ((v.xcr0 & kXcr0Pkru) && v.msr.pkru) value |= kXcr0Pkru;
  } else if (index != 0) {
    return fault(v, kGP, 0);
  }
  v.regs[kRax] = static_cast<u32>(value);
  v.regs[kRdx] = value >> 32;
  return OpResult::kNext;
}

OpResult op_xsetbv(Vcpu& v, const Inst&) {
  if (!(v.cr4 & kCr4OSXSAVE)) return fault(v, kUD);
  if (v.cpl != 0) return fault(v, kGP, 0);
  const u64 value = static_cast<u64>(static_cast<u32>(v.regs[kRdx])) << 32 | static_cast<u32>(v.regs[kRax]);
  const bool valid = static_cast<u32>(v.regs[kRcx]) == 0 && (value & 1) && !(value & ~v.machine->cpuid->xcr0) &&
                     !((value & 4) && !(value & 2));
  if (!valid) return fault(v, kGP, 0);
  v.xcr0 = value;
  refresh_mode(v);
  return OpResult::kNext;
}

OpResult op_rdpkru(Vcpu& v, const Inst&) {
  if (!(v.cr4 & kCr4PKE)) return fault(v, kUD);
  if (static_cast<u32>(v.regs[kRcx]) != 0) return fault(v, kGP, 0);
  v.regs[kRax] = static_cast<u32>(v.msr.pkru);
  v.regs[kRdx] = 0;
  return OpResult::kNext;
}

OpResult op_wrpkru(Vcpu& v, const Inst&) {
  if (!(v.cr4 & kCr4PKE)) return fault(v, kUD);
  if (static_cast<u32>(v.regs[kRcx]) != 0 || static_cast<u32>(v.regs[kRdx]) != 0) return fault(v, kGP, 0);
  set_pkru(v, static_cast<u32>(v.regs[kRax]));
  return OpResult::kNext;
}

}  // namespace rz
