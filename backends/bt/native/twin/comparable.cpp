// See comparable.h.
#include "comparable.h"

#include "decode/flags.h"

namespace rz {
namespace {

/// A set of Flag as bits of EFLAGS.
u64 eflags(u8 flags) {
  constexpr struct {
    u8 flag;
    u64 bit;
  } kAll[] = {{kCF, kFlagCF}, {kPF, kFlagPF}, {kAF, kFlagAF}, {kZF, kFlagZF}, {kSF, kFlagSF}, {kOF, kFlagOF}};
  u64 bits = 0;
  for (const auto& [flag, bit] : kAll)
    if (flags & flag) bits |= bit;
  return bits;
}

}  // namespace

bool names_vectors(const Inst& inst) {
  return (inst.row->attrs & (kNeedsFpu | kNeedsMmx | kNeedsSse | kNeedsAvx)) != 0;
}

u64 open_flags(const Inst& inst) {
  const Flags f = flags_of(inst);
  const bool shift = (inst.row->map == Map::kOne && ((inst.opcode & 0xfe) == 0xc0 || (inst.opcode & 0xfc) == 0xd0)) ||
                     (inst.row->map == Map::k0F && (inst.opcode & 0xf6) == 0xa4);
  return eflags(f.undefined | (shift ? f.maybe & (kOF | kAF) : f.maybe));
}

u64 stack_linear(const Vcpu& v) {
  const u64 mask = v.code64() ? ~0ull : v.seg[kSS].big() ? 0xffffffff : 0xffff;
  return v.seg[kSS].base + (v.regs[4] & mask);
}

const char* beyond_comparison(Helper helper, unsigned ring) {
  switch (helper) {
    case Helper::k_cpuid: return "CPUID";
    case Helper::k_rdtsc:
    case Helper::k_rdtscp:
    case Helper::k_rdpmc: return "clocks and counters";
    case Helper::k_rdrand:
    case Helper::k_rdseed: return "randomness";
    case Helper::k_rdmsr:
    case Helper::k_wrmsr: return "MSRs";
    case Helper::k_hlt:
    case Helper::k_monitor:
    case Helper::k_mwait: return "waiting";
    case Helper::k_vmcall: return "hypercalls";
    case Helper::k_mov_from_dr:
    case Helper::k_mov_to_dr: return "debug registers";
    case Helper::k_xsetbv: return "XSETBV";
    case Helper::k_int_imm:
    case Helper::k_int3:
    case Helper::k_int1:
    case Helper::k_into: return "software interrupts";
    case Helper::k_syscall:
    case Helper::k_sysenter: return "SYSCALL, SYSENTER";
    case Helper::k_mov_from_seg:
    case Helper::k_mov_to_seg:
    case Helper::k_push_seg:
    case Helper::k_pop_seg: return ring == 3 ? "segment registers in ring 3" : nullptr;  // some KVMs show the host's
    case Helper::k_fnstenv:
    case Helper::k_fnsave:
    case Helper::k_fxsave:
    case Helper::k_xsave:
    case Helper::k_xsaveopt:
    case Helper::k_xsavec: return "images of the FPU";
    default: return nullptr;
  }
}

}  // namespace rz
