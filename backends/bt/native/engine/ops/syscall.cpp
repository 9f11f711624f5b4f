// Fast system calls: SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS. They load flat segments without reading descriptors.
// Source: SDM instruction reference and APM, "SYSCALL and SYSRET".
#include "../cpu/cpuid.h"
#include "../cpu/segments.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

// Attributes: present, S, type; AVL, L, D/B, G in the upper nibble.
constexpr u16 kCode64 = 0xa9b, kCode32 = 0xc9b, kData = 0xc93;

void flat(Vcpu& v, u8 seg, u16 selector, u16 attributes, unsigned dpl) {
  Segment& s = v.seg[seg];
  s.selector = selector;
  s.base = 0;
  s.limit = 0xffffffff;
  s.attributes = static_cast<u16>(attributes | dpl << 5);
  refresh_segment(v, seg);
}

}  // namespace

OpResult op_syscall(Vcpu& v, const Inst& inst) {
  if (!(v.msr.efer & kEferSCE) || !v.protected_mode()) return fault(v, kUD);
  const bool intel = v.machine->cpuid->intel;
  if (intel && !v.code64()) return fault(v, kUD);
  const u16 cs = static_cast<u16>(v.msr.star >> 32 & 0xfffc);
  if (v.rflags & kFlagTF) v.trap_rule = TrapRule::kNewFlag;
  v.regs[kRcx] = next_instruction(v, inst);
  if (v.long_mode()) {
    v.regs[11] = v.rflags & ~kFlagRF;
    v.rip = v.code64() ? v.msr.lstar : v.msr.cstar;
    v.rflags = (v.rflags & ~(v.msr.sfmask | kFlagRF)) | 2;
    flat(v, kCS, cs, kCode64, 0);
  } else {
    v.rip = static_cast<u32>(v.msr.star);
    v.rflags &= ~(kFlagVM | kFlagIF | kFlagRF);
    flat(v, kCS, cs, kCode32, 0);
  }
  flat(v, kSS, static_cast<u16>(cs + 8), kData, 0);
  v.cpl = 0;
  refresh_mode(v);
  return OpResult::kJump;
}

OpResult op_sysret(Vcpu& v, const Inst& inst) {
  const bool intel = v.machine->cpuid->intel;
  if (!(v.msr.efer & kEferSCE) || !v.protected_mode() || (intel && !v.code64())) return fault(v, kUD);
  if (v.cpl != 0) return fault(v, kGP, 0);
  const u16 star = static_cast<u16>(v.msr.star >> 48);
  const bool to_64 = v.long_mode() && inst.rex_w;
  const u64 rip = to_64 ? v.regs[kRcx] : static_cast<u32>(v.regs[kRcx]);
  if (intel && to_64 && !canonical(v, rip)) return fault(v, kGP, 0);  // AMD faults at the fetch, at CPL 3
  if (v.long_mode()) {
    // RF and VM are cleared, reserved bits keep their fixed values.
    constexpr u64 kSettable =
        kArithFlags | kFlagTF | kFlagIF | kFlagDF | kFlagIOPL | kFlagNT | kFlagAC | kFlagVIF | kFlagVIP | kFlagID;
    v.rflags = (v.regs[11] & kSettable) | 2;
  } else {
    v.rflags |= kFlagIF;
  }
  v.trap_rule = v.rflags & kFlagTF ? TrapRule::kNewFlag : TrapRule::kNormal;
  v.rip = rip;
  flat(v, kCS, static_cast<u16>((to_64 ? star + 16 : star) | 3), to_64 ? kCode64 : kCode32, 3);
  flat(v, kSS, static_cast<u16>((star + 8) | 3), kData, 3);
  v.cpl = 3;
  refresh_mode(v);
  return OpResult::kJump;
}

OpResult op_sysenter(Vcpu& v, const Inst&) {
  if (!v.protected_mode()) return fault(v, kGP, 0);
  if (!v.machine->cpuid->intel && v.long_mode()) return fault(v, kUD);  // AMD: legacy mode only
  if (null_selector(static_cast<u16>(v.msr.sysenter_cs))) return fault(v, kGP, 0);
  const u16 cs = static_cast<u16>(v.msr.sysenter_cs & 0xfffc);
  v.rflags &= ~(kFlagVM | kFlagIF | kFlagRF);
  v.rip = v.long_mode() ? v.msr.sysenter_eip : static_cast<u32>(v.msr.sysenter_eip);
  v.regs[kRsp] = v.long_mode() ? v.msr.sysenter_esp : static_cast<u32>(v.msr.sysenter_esp);
  v.cpl = 0;
  flat(v, kCS, cs, v.long_mode() ? kCode64 : kCode32, 0);
  flat(v, kSS, static_cast<u16>(cs + 8), kData, 0);
  refresh_mode(v);
  return OpResult::kJump;
}

OpResult op_sysexit(Vcpu& v, const Inst& inst) {
  if (!v.protected_mode() || v.cpl != 0) return fault(v, kGP, 0);
  if (!v.machine->cpuid->intel && v.long_mode()) return fault(v, kUD);
  if (null_selector(static_cast<u16>(v.msr.sysenter_cs))) return fault(v, kGP, 0);
  const u16 base = static_cast<u16>(v.msr.sysenter_cs & 0xfffc);
  const bool to_64 = v.code64() && inst.rex_w;
  if (to_64 && (!canonical(v, v.regs[kRdx]) || !canonical(v, v.regs[kRcx]))) return fault(v, kGP, 0);
  v.rip = to_64 ? v.regs[kRdx] : static_cast<u32>(v.regs[kRdx]);
  v.regs[kRsp] = to_64 ? v.regs[kRcx] : static_cast<u32>(v.regs[kRcx]);
  flat(v, kCS, static_cast<u16>((base + (to_64 ? 32 : 16)) | 3), to_64 ? kCode64 : kCode32, 3);
  flat(v, kSS, static_cast<u16>((base + (to_64 ? 40 : 24)) | 3), kData, 3);
  v.cpl = 3;
  refresh_mode(v);
  return OpResult::kJump;
}

OpResult op_swapgs(Vcpu& v, const Inst&) {
  const u64 base = v.seg[kGS].base;
  v.seg[kGS].base = v.msr.kernel_gs_base;
  v.msr.kernel_gs_base = base;
  return OpResult::kNext;
}

}  // namespace rz
