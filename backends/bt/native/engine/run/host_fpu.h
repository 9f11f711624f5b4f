// Guest FPU and vector state stays in the host's registers while a vCPU runs. Whoever calls code that may use
// vector registers (libc, anything not built with -mgeneral-regs-only) from the vCPU's thread opens a
// HostFpuScope first: it saves the guest's state, gives a clean FPU, and restores at the end.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

/// State components kept for the guest: x87, SSE, AVX, AVX-512 as far as the host has them enabled.
u64 fpu_components();
/// Host registers -> vcpu.xsave; the host FPU is left at its defaults.
void save_guest_fpu(Vcpu& vcpu);
/// vcpu.xsave -> host registers.
void load_guest_fpu(Vcpu& vcpu);

/// True when an x87 exception that the guest does not mask waits for the next waiting instruction, which then raises
/// #MF (with CR0.NE clear the run loop makes IRQ 13 of it). Guest state live.
bool x87_error_pending();

class HostFpuScope {
 public:
  explicit HostFpuScope(Vcpu& vcpu) : vcpu_(vcpu), was_live_(vcpu.fpu_live) {
    if (was_live_) save_guest_fpu(vcpu_);
  }
  ~HostFpuScope() {
    if (was_live_) load_guest_fpu(vcpu_);
  }
  HostFpuScope(const HostFpuScope&) = delete;
  HostFpuScope& operator=(const HostFpuScope&) = delete;

 private:
  Vcpu& vcpu_;
  bool was_live_;
};

}  // namespace rz
