// Everything that KVM knows of one vCPU, as its structures: read and written as a whole.
#pragma once

#include <vector>

#include "host_kvm.h"

namespace rz::kvm {

struct VcpuState {
  kvm_regs regs;
  kvm_sregs sregs;
  std::vector<u8> xsave;
  kvm_xcrs xcrs;
  kvm_debugregs debug;
  kvm_vcpu_events events;
  kvm_mp_state mp;
  kvm_lapic_state lapic;
  std::vector<kvm_msr_entry> msrs;  // those of msr_rows(), the TSC and its deadline that this host has
};

/// While the vCPU does not run.
Outcome get_vcpu_state(int vcpu, const HostKvm& host, VcpuState& out);
Outcome set_vcpu_state(int vcpu, const VcpuState& state);

}  // namespace rz::kvm
