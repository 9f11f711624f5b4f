// GDTR, IDTR, LDTR, TR, and the instructions that look at descriptors (LAR, LSL, VERR, VERW, ARPL), and the
// instructions that drop TLB entries. Source: SDM instruction reference, the entries of the same names.
#include "../cpu/segments.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

bool protected_only(Vcpu& v) {
  if (v.protected_mode() && !v.v8086()) return true;
  v.raise(kUD);
  return false;
}

bool umip_refuses(Vcpu& v) {
  if (!(v.cr4 & kCr4UMIP) || v.cpl == 0 || !v.protected_mode()) return false;
  v.raise(kGP, 0);
  return true;
}

OpResult load_table(Vcpu& v, const Inst& inst, DescriptorTable& table) {
  u64 limit, base;
  if (!mem_read(v, inst.seg, effective_offset(v, inst), 2, limit)) return OpResult::kFault;
  if (!mem_read(v, inst.seg, memory_offset(v, inst, 2), v.code64() ? 8 : 4, base)) return OpResult::kFault;
  if (v.code64()) {
    if (!canonical_at_most(v, base)) return fault(v, kGP, 0);
  } else if (inst.operand_bytes == 2) {
    base &= 0xffffff;
  }
  table.base = base;
  table.limit = static_cast<u16>(limit);
  return OpResult::kNext;
}

OpResult store_table(Vcpu& v, const Inst& inst, const DescriptorTable& table) {
  if (umip_refuses(v)) return OpResult::kFault;
  u8 image[10];
  const unsigned bytes = v.code64() ? 10 : 6;
  image[0] = static_cast<u8>(table.limit);
  image[1] = static_cast<u8>(table.limit >> 8);
  for (unsigned i = 0; i < 8; ++i) image[2 + i] = static_cast<u8>(table.base >> (8 * i));
  return mem_write_block(v, inst.seg, effective_offset(v, inst), image, bytes) ? OpResult::kNext : OpResult::kFault;
}

OpResult store_selector(Vcpu& v, const Inst& inst, u16 selector) {
  if (inst.has_memory) {
    if (!mem_write(v, inst.seg, effective_offset(v, inst), 2, selector)) return OpResult::kFault;
  } else {
    write_reg(v, inst, inst.rm, inst.operand_bytes, selector);
  }
  return OpResult::kNext;
}

void set_system(Segment& s, u16 selector, const Descriptor& d) {
  s.selector = selector;
  s.base = d.base();
  s.limit = d.limit();
  s.attributes = d.attributes();
}

// Descriptor for LAR, LSL, VERR, VERW: `found` is false (not a fault) when it is outside the table. Returns false
// only when a page fault is pending.
bool probe_descriptor(Vcpu& v, u16 selector, Descriptor& d, bool& found) {
  found = false;
  if (null_selector(selector)) return true;
  if (read_descriptor(v, selector, kGP, 0, d)) {
    found = true;
    return true;
  }
  if (v.exception.vector != kGP) return false;
  v.exception = PendingException{};
  return true;
}

bool visible(const Vcpu& v, u16 selector, const Descriptor& d) {
  return d.conforming() || (d.dpl() >= v.cpl && d.dpl() >= (selector & 3u));
}

// What LAR, LSL, VERR and VERW have in common: the descriptor that the operand selects, if there is one to be seen from
// here. False: a fault is pending.
bool look_at(Vcpu& v, const Inst& inst, Descriptor& d, bool& found) {
  u64 selector;
  if (!protected_only(v) || !read_rm(v, inst, 2, selector)) return false;
  if (!probe_descriptor(v, static_cast<u16>(selector), d, found)) return false;
  found = found && visible(v, static_cast<u16>(selector), d);
  return true;
}

// System segments that LAR and LSL know; gates have attributes, but no limit.
bool known_system(const Vcpu& v, const Descriptor& d, bool gates) {
  switch (d.type()) {
    case kLdt:
    case kTss32:
    case kTss32Busy: return true;
    case kTss16:
    case kTss16Busy: return !v.long_mode();
    case kCallGate32: return gates;
    case kCallGate16:
    case kTaskGate: return gates && !v.long_mode();
    default: return false;
  }
}

}  // namespace

OpResult op_lgdt(Vcpu& v, const Inst& inst) { return load_table(v, inst, v.gdtr); }
OpResult op_lidt(Vcpu& v, const Inst& inst) { return load_table(v, inst, v.idtr); }
OpResult op_sgdt(Vcpu& v, const Inst& inst) { return store_table(v, inst, v.gdtr); }
OpResult op_sidt(Vcpu& v, const Inst& inst) { return store_table(v, inst, v.idtr); }

OpResult op_sldt(Vcpu& v, const Inst& inst) {
  if (!protected_only(v) || umip_refuses(v)) return OpResult::kFault;
  return store_selector(v, inst, v.ldtr.selector);
}

OpResult op_str(Vcpu& v, const Inst& inst) {
  if (!protected_only(v) || umip_refuses(v)) return OpResult::kFault;
  return store_selector(v, inst, v.tr.selector);
}

OpResult op_lldt(Vcpu& v, const Inst& inst) {
  if (!protected_only(v)) return OpResult::kFault;
  if (v.cpl != 0) return fault(v, kGP, 0);
  u64 value;
  if (!read_rm(v, inst, 2, value)) return OpResult::kFault;
  const u16 selector = static_cast<u16>(value);
  if (null_selector(selector)) {
    v.ldtr = Segment{};
    v.ldtr.selector = selector;
    return OpResult::kNext;
  }
  if (selector & 4) return fault(v, kGP, selector & ~3u);
  Descriptor d;
  if (!read_descriptor(v, selector, kGP, 0, d)) return OpResult::kFault;
  if (d.is_code_or_data() || d.type() != kLdt) return fault(v, kGP, selector & ~3u);
  if (!d.present()) return fault(v, kNP, selector & ~3u);
  if (!read_descriptor_high(v, selector, kGP, 0, d)) return OpResult::kFault;
  if (!canonical_at_most(v, d.base())) return fault(v, kGP, selector & ~3u);
  set_system(v.ldtr, selector, d);
  return OpResult::kNext;
}

OpResult op_ltr(Vcpu& v, const Inst& inst) {
  if (!protected_only(v)) return OpResult::kFault;
  if (v.cpl != 0) return fault(v, kGP, 0);
  u64 value;
  if (!read_rm(v, inst, 2, value)) return OpResult::kFault;
  const u16 selector = static_cast<u16>(value);
  if (null_selector(selector)) return fault(v, kGP, 0);
  if (selector & 4) return fault(v, kGP, selector & ~3u);
  Descriptor d;
  if (!read_descriptor(v, selector, kGP, 0, d)) return OpResult::kFault;
  const bool available = d.type() == kTss32 || (d.type() == kTss16 && !v.long_mode());
  if (d.is_code_or_data() || !available) return fault(v, kGP, selector & ~3u);
  if (!d.present()) return fault(v, kNP, selector & ~3u);
  if (!read_descriptor_high(v, selector, kGP, 0, d)) return OpResult::kFault;
  if (!canonical_at_most(v, d.base())) return fault(v, kGP, selector & ~3u);
  d.low |= 2ull << 40;  // busy
  const u8 byte = static_cast<u8>(d.low >> 40);
  if (!linear_write(v, d.linear + 5, &byte, 1, kSupervisor)) return OpResult::kFault;
  set_system(v.tr, selector, d);
  return OpResult::kNext;
}

OpResult op_lar(Vcpu& v, const Inst& inst) {
  Descriptor d;
  bool found;
  if (!look_at(v, inst, d, found)) return OpResult::kFault;
  found = found && (d.is_code_or_data() || known_system(v, d, true));
  set_flag(v, kFlagZF, found);
  if (found)
    write_reg(v, inst, inst.reg, inst.operand_bytes, (d.low >> 32) & (inst.operand_bytes == 2 ? 0xff00u : 0x00ffff00u));
  return OpResult::kNext;
}

OpResult op_lsl(Vcpu& v, const Inst& inst) {
  Descriptor d;
  bool found;
  if (!look_at(v, inst, d, found)) return OpResult::kFault;
  found = found && (d.is_code_or_data() || known_system(v, d, false));
  set_flag(v, kFlagZF, found);
  if (found) write_reg(v, inst, inst.reg, inst.operand_bytes, d.limit());
  return OpResult::kNext;
}

OpResult op_verr(Vcpu& v, const Inst& inst) {
  Descriptor d;
  bool found;
  if (!look_at(v, inst, d, found)) return OpResult::kFault;
  set_flag(v, kFlagZF, found && d.readable());
  return OpResult::kNext;
}

OpResult op_verw(Vcpu& v, const Inst& inst) {
  Descriptor d;
  bool found;
  if (!look_at(v, inst, d, found)) return OpResult::kFault;
  set_flag(v, kFlagZF, found && d.writable_data());
  return OpResult::kNext;
}

OpResult op_arpl(Vcpu& v, const Inst& inst) {
  if (!protected_only(v)) return OpResult::kFault;
  u64 target;
  if (!read_rm(v, inst, 2, target)) return OpResult::kFault;
  const u64 source = read_reg(v, inst, inst.reg, 2);
  const bool raise = (target & 3) < (source & 3);
  if (raise) {
    const u64 value = (target & ~3ull) | (source & 3);
    if (inst.has_memory) {
      if (!mem_write(v, inst.seg, effective_offset(v, inst), 2, value)) return OpResult::kFault;
    } else {
      write_reg(v, inst, inst.rm, 2, value);
    }
  }
  set_flag(v, kFlagZF, raise);
  return OpResult::kNext;
}

OpResult op_invlpg(Vcpu& v, const Inst& inst) {
  const u64 offset = effective_offset(v, inst);
  const bool based = !v.code64() || inst.seg == kFS || inst.seg == kGS;
  u64 linear = offset + (based ? v.seg[inst.seg].base : 0);
  if (!v.code64()) linear = static_cast<u32>(linear);
  if (canonical(v, linear)) tlb_flush_page(v, linear);
  return OpResult::kNext;
}

OpResult op_invpcid(Vcpu& v, const Inst& inst) {
  u64 image[2];
  if (!mem_read_block(v, inst.seg, effective_offset(v, inst), image, sizeof image)) return OpResult::kFault;
  const u64 type = read_reg(v, inst, inst.reg, v.code64() ? 8 : 4);
  const u16 pcid = static_cast<u16>(image[0] & 0xfff);
  const bool pcid_used = type <= 1;
  if (type > 3 || (image[0] & ~0xfffull) || (pcid_used && pcid && !(v.cr4 & kCr4PCIDE))) return fault(v, kGP, 0);
  switch (type) {
    case 0:
      if (!canonical_at_most(v, image[1])) return fault(v, kGP, 0);
      tlb_flush_page_pcid(v, pcid, image[1]);
      break;
    case 1: tlb_flush_pcid(v, pcid); break;
    case 2: tlb_flush_all(v); break;
    default: tlb_flush_all_non_global(v); break;
  }
  return OpResult::kNext;
}

}  // namespace rz
