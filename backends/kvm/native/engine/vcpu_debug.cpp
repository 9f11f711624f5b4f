// A vCPU under a debugger. A breakpoint stops the guest before its instruction, and would do so for ever: KVM takes the
// guest there again, and not every KVM looks at EFLAGS.RF. So the instruction at which a stop was reported is passed by
// a single step of our own.
#include "vcpu.h"

namespace rz::kvm {

using shared::ExitKind;

namespace {

bool has_breakpoint(const kvm_guest_debug& debug, u64 linear) {
  if ((debug.control & KVM_GUESTDBG_USE_HW_BP) == 0) return false;
  for (u32 i = 0; i < 4; ++i) {
    if ((debug.arch.debugreg[7] >> (2 * i) & 3) != 0 && debug.arch.debugreg[i] == linear) return true;
  }
  return false;
}

}  // namespace

Outcome Vcpu::set_debug(const kvm_guest_debug& wanted) {
  kvm_guest_debug copy = wanted;
  if (Outcome set = call(fd(), kSetGuestDebug, &copy); !set.ok()) return set;
  debug_ = wanted;
  stepping_over_ = false;
  return {};
}

/// Before the guest goes on: if it stands where it was stopped, the breakpoint there makes way for one step.
Outcome Vcpu::step_over_breakpoint() {
  const u64 at = stopped_at_;
  stopped_at_ = kNowhere;
  if (!has_breakpoint(debug_, at)) return {};
  kvm_regs regs = {};
  kvm_sregs sregs = {};
  if (Outcome got = call(fd(), kGetRegs, &regs); !got.ok()) return got;
  if (Outcome got = call(fd(), kGetSregs, &sregs); !got.ok()) return got;
  if (regs.rip + sregs.cs.base != at) return {};  // the host has set other registers
  kvm_guest_debug step = {};
  step.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | (machine_.host().guest_debug & KVM_GUESTDBG_BLOCKIRQ);
  const Outcome set = call(fd(), kSetGuestDebug, &step);
  stepping_over_ = set.ok();
  return set;
}

bool Vcpu::debug_exit(std::string& why, Stop& stop) {
  if (stepping_over_) {
    stepping_over_ = false;
    kvm_guest_debug wanted = debug_;
    if (Outcome set = call(fd(), kSetGuestDebug, &wanted); !set.ok()) {
      why = describe(set);
      stop = Stop::kBroken;
      return false;
    }
    if ((debug_.control & KVM_GUESTDBG_SINGLESTEP) == 0) return true;
  }
  stopped_at_ = fd_.run().debug.arch.pc;
  peer_.exit(index_, ExitKind::kDebug, stopped_at_, 0, 0);
  return true;
}

}  // namespace rz::kvm
