// CPUID, TSC, MSR access, random numbers, HLT, MONITOR/MWAIT, hypercalls, cache control, BOUND, ENTER, PUSHA, POPA,
// XLAT, and the helpers that only refuse. Source: SDM instruction reference, the entries of the same names.
#include <sched.h>
#include <sys/syscall.h>

#include "../cpu/cpuid.h"
#include "../cpu/msr.h"
#include "../cpu/tsc.h"
#include "../run/machine.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

void put_edx_eax(Vcpu& v, u64 value) {
  v.regs[kRax] = static_cast<u32>(value);
  v.regs[kRdx] = value >> 32;
}

bool tsc_refused(Vcpu& v) {
  if (!(v.cr4 & kCr4TSD) || v.cpl == 0 || !v.protected_mode()) return false;
  v.raise(kGP, 0);
  return true;
}

// The host's generator through the kernel, by a raw system call: libc's wrapper may use vector registers.
bool random_bytes(void* into, u64 bytes) {
  long result;
  asm volatile("syscall" : "=a"(result) : "a"(SYS_getrandom), "D"(into), "S"(bytes), "d"(0) : "rcx", "r11", "memory");
  return result == static_cast<long>(bytes);
}

OpResult random_value(Vcpu& v, const Inst& inst) {
  u64 value = 0;
  bool ok = true;
  if (u64& state = v.machine->virtual_random) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    value = state;
  } else {
    ok = random_bytes(&value, sizeof value);
  }
  write_reg(v, inst, inst.rm, inst.operand_bytes, ok ? value : 0);
  v.rflags &= ~kArithFlags;
  set_flag(v, kFlagCF, ok);
  return OpResult::kNext;
}

}  // namespace

OpResult op_none(Vcpu& v, const Inst&) { return fault(v, kUD); }
OpResult op_ud(Vcpu& v, const Inst&) { return fault(v, kUD); }
OpResult op_rsm(Vcpu& v, const Inst&) { return fault(v, kUD); }  // system-management mode is never entered

OpResult op_cpuid(Vcpu& v, const Inst&) {
  const CpuidResult r = cpuid_read(v, static_cast<u32>(v.regs[kRax]), static_cast<u32>(v.regs[kRcx]));
  v.regs[kRax] = r.eax;
  v.regs[kRbx] = r.ebx;
  v.regs[kRcx] = r.ecx;
  v.regs[kRdx] = r.edx;
  return OpResult::kNext;
}

OpResult op_rdtsc(Vcpu& v, const Inst&) {
  if (tsc_refused(v)) return OpResult::kFault;
  put_edx_eax(v, guest_tsc(v));
  return OpResult::kNext;
}

OpResult op_rdtscp(Vcpu& v, const Inst&) {
  if (tsc_refused(v)) return OpResult::kFault;
  put_edx_eax(v, guest_tsc(v));
  v.regs[kRcx] = static_cast<u32>(v.msr.tsc_aux);
  return OpResult::kNext;
}

OpResult op_rdpid(Vcpu& v, const Inst& inst) {
  write_reg(v, inst, inst.rm, v.code64() ? 8 : 4, v.msr.tsc_aux);
  return OpResult::kNext;
}

// No performance counters are reported, so every index is out of range.
OpResult op_rdpmc(Vcpu& v, const Inst&) { return fault(v, kGP, 0); }

OpResult op_rdmsr(Vcpu& v, const Inst&) {
  u64 value;
  if (!msr_read(v, static_cast<u32>(v.regs[kRcx]), value)) return fault(v, kGP, 0);
  put_edx_eax(v, value);
  return OpResult::kNext;
}

OpResult op_wrmsr(Vcpu& v, const Inst&) {
  const u64 value = v.regs[kRdx] << 32 | static_cast<u32>(v.regs[kRax]);
  return msr_write(v, static_cast<u32>(v.regs[kRcx]), value) ? OpResult::kNext : fault(v, kGP, 0);
}

OpResult op_rdrand(Vcpu& v, const Inst& inst) { return random_value(v, inst); }
OpResult op_rdseed(Vcpu& v, const Inst& inst) { return random_value(v, inst); }

OpResult op_hlt(Vcpu& v, const Inst&) {
  v.halted = true;
  return OpResult::kLeave;
}

// Only when there are more vCPUs than host cores (emit_pause): the one that this loop waits for may have no core.
OpResult op_pause(Vcpu& v, const Inst&) {
  constexpr u32 kPausesPerYield = 32;
  if (++v.pauses % kPausesPerYield != 0) {
    __builtin_ia32_pause();
    return OpResult::kNext;
  }
  PinnedScope waiting(v);
  sched_yield();
  return OpResult::kNext;
}

// Guest memory is coherent and device memory uncached: nothing to write back.
OpResult op_invd(Vcpu&, const Inst&) { return OpResult::kNext; }
OpResult op_wbinvd(Vcpu&, const Inst&) { return OpResult::kNext; }

// MWAIT may return at any time, so arming nothing and going on is within the architecture.
OpResult op_monitor(Vcpu&, const Inst&) { return OpResult::kNext; }
OpResult op_mwait(Vcpu&, const Inst&) { return OpResult::kNext; }

// Hypercalls: none is offered; -KVM_ENOSYS.
OpResult op_vmcall(Vcpu& v, const Inst&) {
  if (v.cpl != 0 && v.protected_mode())
    v.regs[kRax] = static_cast<u64>(-1);  // -KVM_EPERM
  else
    v.regs[kRax] = static_cast<u64>(-1000);
  return OpResult::kNext;
}

OpResult op_bound(Vcpu& v, const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  u64 low, high;
  if (!mem_read(v, inst.seg, effective_offset(v, inst), bytes, low)) return OpResult::kFault;
  if (!mem_read(v, inst.seg, memory_offset(v, inst, bytes), bytes, high)) return OpResult::kFault;
  const unsigned shift = 64 - bytes * 8;
  const auto as_signed = [&](u64 x) { return static_cast<i64>(x << shift) >> shift; };
  const i64 index = as_signed(read_reg(v, inst, inst.reg, bytes));
  if (index < as_signed(low) || index > as_signed(high)) return fault(v, kBR);
  return OpResult::kNext;
}

OpResult op_enter(Vcpu& v, const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const unsigned level = inst.imm2 & 31;
  const u64 mask = low_mask(stack_bytes(v));
  const u64 size = inst.imm & 0xffff;
  u64 sp = v.regs[kRsp], bp = v.regs[kRbp];
  const auto push = [&](u64 value) {
    sp = with_stack_pointer(v, sp, sp - bytes);
    return mem_write(v, kSS, sp & mask, bytes, value);
  };
  if (!push(bp & low_mask(bytes))) return OpResult::kFault;
  const u64 frame = sp;
  if (level > 0) {
    for (unsigned i = 1; i < level; ++i) {
      u64 value;
      bp = with_stack_pointer(v, bp, bp - bytes);
      if (!mem_read(v, kSS, bp & mask, bytes, value) || !push(value)) return OpResult::kFault;
    }
    if (!push(frame & low_mask(bytes))) return OpResult::kFault;
  }
  sp = with_stack_pointer(v, sp, sp - size);
  if (!mem_probe_write(v, kSS, sp & mask, bytes)) return OpResult::kFault;
  v.regs[kRsp] = sp;
  merge_reg(v.regs[kRbp], frame, bytes);
  return OpResult::kNext;
}

// All eight registers, probed as one range first so that a fault in the middle writes nothing.
OpResult op_pusha(Vcpu& v, const Inst& inst) {
  const unsigned bytes = inst.operand_bytes;
  const u64 mask = low_mask(stack_bytes(v));
  const u64 bottom = with_stack_pointer(v, v.regs[kRsp], v.regs[kRsp] - 8 * bytes);
  for (unsigned i = 0; i < 8; ++i)
    if (!mem_probe_write(v, kSS, (bottom + i * bytes) & mask, bytes)) return OpResult::kFault;
  for (unsigned i = 0; i < 8; ++i)  // EDI lies lowest
    if (!mem_write(v, kSS, (bottom + i * bytes) & mask, bytes, v.regs[7 - i])) return OpResult::kFault;
  v.regs[kRsp] = bottom;
  return OpResult::kNext;
}

OpResult op_popa(Vcpu& v, const Inst& inst) {
  Popper stack(v, inst.operand_bytes);
  u64 values[8];
  for (unsigned i = 0; i < 8; ++i)
    if (!stack.pop(values[7 - i])) return OpResult::kFault;
  for (unsigned i = 0; i < 8; ++i)
    if (i != kRsp) merge_reg(v.regs[i], values[i], inst.operand_bytes);
  stack.commit();
  return OpResult::kNext;
}

OpResult op_xlat(Vcpu& v, const Inst& inst) {
  const u8 seg = inst.seg_override == kNoReg ? static_cast<u8>(kDS) : inst.seg_override;
  const u64 offset = (v.regs[kRbx] + (v.regs[kRax] & 0xff)) & low_mask(inst.address_bytes);
  u64 value;
  if (!mem_read(v, seg, offset, 1, value)) return OpResult::kFault;
  merge_reg(v.regs[kRax], value, 1);
  return OpResult::kNext;
}

}  // namespace rz
