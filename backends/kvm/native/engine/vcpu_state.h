// Everything that KVM knows of one vCPU, as its structures: read and written as a whole.
#pragma once

#include <vector>

#include "host_kvm.h"

namespace rz::kvm {

struct VcpuState {
  kvm_regs regs;
  kvm_sregs sregs;
  bool has_pdptrs = false;  // the next is there: PAE paging, and a KVM that tells
  u64 pdptrs[4] = {};       // PAE page-directory pointers
  std::vector<u8> xsave;
  kvm_xcrs xcrs;
  kvm_debugregs debug;
  kvm_vcpu_events events;
  kvm_mp_state mp;
  kvm_lapic_state lapic;
  std::vector<kvm_msr_entry> msrs;  // those of msr_rows() and the TSC deadline that this host has
};

/// While the vCPU does not run. Its time-stamp counter is apart, since all are set at one moment (tsc.h).
Outcome get_vcpu_state(int vcpu, const HostKvm& host, VcpuState& out);
Outcome set_vcpu_state(int vcpu, const HostKvm& host, const VcpuState& state);

}  // namespace rz::kvm
