// Instructions that C++ carries out, exceptions known at translation time, and the few system instructions
// that are short enough to be inline.
#include "../cpu/cpuid.h"
#include "../ops/op_result.h"
#include "../run/machine.h"
#include "mode.h"
#include "translator.h"

namespace rz {

// Short runs of string instructions need no C++ in plain circumstances: emit/string_thunks.cpp.
u32 Translator::helper_thunk(const Inst& inst) const {
  const bool movs = inst.row->helper == Helper::k_movs;
  if (!(movs || inst.row->helper == Helper::k_stos) || !(inst.rep || inst.repne)) return g_thunks_layout.helper;
  const bool plain = code64() && inst.address_bytes == 8 && !(mode_ & kModeAlign) &&
                     !(movs && inst.seg_override != kNoReg && !is_flat(inst.seg_override));
  if (!plain || single() || vcpu_.machine->options.no_opt) return g_thunks_layout.helper;
  return g_thunks_layout.string[(movs ? 0 : 4) + __builtin_ctz(inst.operand_bytes)];
}

void Translator::emit_helper(const Inst& inst) {
  const bool ends = inst.row->sem == Sem::kHelperEnds;
  if (!parked_ && (live_ || ends || inst.row->flags.read)) park();
  const Inst* kept = code_.keep(inst);
  a_.mov_imm(kT0, reinterpret_cast<u64>(kept));
  a_.gs_store(kT0, offsetof(Vcpu, scratch) + 16);
  a_.mov_imm(kT0, inst_rip_);
  leave_for(helper_thunk(inst));
  parked_ = true;  // C++ leaves the flags parked
  if (ends) {
    exit_next(wrap_rip(next_rip()));
    ended_ = true;
  }
}

void Translator::emit_raise(u8 vector, bool has_error, u16 error) {
  const bool was = parked_;
  if (!parked_) park();
  a_.mov_imm(kT0, inst_rip_);
  a_.mov_imm(kT1, vector | (has_error ? 0x100u : 0u) | static_cast<u32>(error) << 16);
  a_.jmp_to(code_.rw(g_thunks_layout.raise));
  parked_ = was;
}

int Translator::unavailable(const Inst& inst) const {
  const u32 attrs = inst.row->attrs;
  constexpr u32 kConditions = kNeedsAvx512 | kNeedsAvx | kNeedsSse | kNeedsMmx | kNeedsFpu | kCpl0;
  if (!inst.row->feature && !(attrs & kConditions) && inst.row->encoding == Encoding::kLegacy &&
      inst.row->sem != Sem::kHelper && inst.row->sem != Sem::kHelperEnds)
    return -1;
  int vector = -1;
  const bool ts = (mode_ & kModeFpuTrap) != 0, em = (mode_ & kModeFpuEm) != 0;
  if (!profile_has(*vcpu_.machine->cpuid, inst.row->feature) && inst.row->sem != Sem::kNop)
    vector = kUD;
  else if (inst.row->encoding != Encoding::kLegacy && (!(mode_ & kModeProtected) || (mode_ & kModeV86)))
    vector = kUD;
  else if ((attrs & kNeedsAvx512) && !((mode_ & kModeOsxsave) && (mode_ & kModeAvx512)))
    vector = kUD;
  else if ((attrs & kNeedsAvx) && !((mode_ & kModeOsxsave) && (mode_ & kModeAvx)))
    vector = kUD;
  else if ((attrs & kNeedsSse) && (em || !(mode_ & kModeOsfxsr)))
    vector = kUD;
  else if ((attrs & kNeedsMmx) && em)
    vector = kUD;
  else if ((attrs & (kNeedsSse | kNeedsAvx | kNeedsAvx512 | kNeedsMmx | kNeedsFpu)) && ts)
    vector = kNM;
  return vector;
}

bool Translator::emit_availability_check(const Inst& inst) {
  if (inst.row == nullptr) {
    emit_raise(inst.length > kMaxInstBytes ? kGP : kUD, inst.length > kMaxInstBytes);
    return true;
  }
  const u32 attrs = inst.row->attrs;
  const int vector = unavailable(inst);
  if (vector >= 0) {
    emit_raise(static_cast<u8>(vector));
    return true;
  }
  // Control and debug registers that do not exist are #UD at any privilege.
  const Helper helper = inst.row->helper;
  const bool control = helper == Helper::k_mov_from_cr || helper == Helper::k_mov_to_cr;
  const bool debug = helper == Helper::k_mov_from_dr || helper == Helper::k_mov_to_dr;
  if ((control && !(0x11d >> inst.reg & 1)) || (debug && inst.reg >= 8)) {
    emit_raise(kUD);
    return true;
  }
  if ((attrs & kCpl0) && !(mode_ & kModeCpl0)) {
    emit_raise(kGP, true, 0);
    return true;
  }
  return false;
}

// CLI at CPL 0 needs no privilege check and can only hold interrupts off: clear the bit and go on.
void Translator::emit_cli(const Inst& inst) {
  if (!(mode_ & kModeCpl0)) {
    emit_helper(inst);
    return;
  }
  may_clobber_flags();
  a_.b(0x65);
  a_.b(0x81);
  a_.gs_mem(4, offsetof(Vcpu, rflags));
  a_.d(~static_cast<u32>(kFlagIF));
}

// STAC and CLAC: the flag, and the table of the privilege class that goes with it. Nothing that was checked before one
// of them may be taken for checked behind it.
void Translator::emit_ac(bool set) {
  if (!(mode_ & kModeCpl0)) {
    emit_raise(kUD);
    ended_ = true;
    return;
  }
  may_clobber_flags();
  a_.b(0x65);
  a_.b(0x81);
  a_.gs_mem(set ? 1 : 4, offsetof(Vcpu, rflags));
  a_.d(set ? static_cast<u32>(kFlagAC) : ~static_cast<u32>(kFlagAC));
  a_.gs_load(kT0, static_cast<u32>(offsetof(Vcpu, tlb_by_ac) + (set ? sizeof(TlbTable*) : 0)));
  a_.gs_store(kT0, offsetof(Vcpu, tlb));
}

void Translator::emit_pause(const Inst& inst) {
  if (vcpu_.machine->oversubscribed) return emit_helper(inst);
  if (!vcpu_.machine->smp()) return;  // there is nobody to wait for
  a_.b(0xf3);
  a_.b(0x90);
}

void Translator::emit_swapgs() {
  const u32 base = static_cast<u32>(offsetof(Vcpu, seg) + sizeof(Segment) * kGS + offsetof(Segment, base));
  const u32 kernel = static_cast<u32>(offsetof(Vcpu, msr) + offsetof(Msrs, kernel_gs_base));
  a_.gs_load(kT0, base);
  a_.gs_load(kT1, kernel);
  a_.gs_store(kT1, base);
  a_.gs_store(kT0, kernel);
}

}  // namespace rz
