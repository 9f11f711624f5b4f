// Reading and writing a vCPU piece by piece, in an order in which each piece is valid when it is set.
#include "vcpu_state.h"

#include "msrs.h"

namespace rz::kvm {

Outcome get_vcpu_state(int vcpu, const HostKvm& host, VcpuState& s) {
  if (Outcome got = call(vcpu, kGetRegs, &s.regs); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetSregs, &s.sregs); !got.ok()) return got;
  s.xsave.assign(host.xsave_bytes, 0);
  if (Outcome got = call(vcpu, host.xsave2 ? kGetXsave2 : kGetXsave, s.xsave.data()); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetXcrs, &s.xcrs); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetDebugregs, &s.debug); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetMpState, &s.mp); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetVcpuEvents, &s.events); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetLapic, &s.lapic); !got.ok()) return got;
  s.msrs.clear();
  const auto note = [&s, vcpu](u32 index) {
    if (u64 value; get_msr(vcpu, index, value)) s.msrs.push_back({index, 0, value});
  };
  note(kMsrTsc);
  for (const MsrRow& row : msr_rows()) note(row.index);
  note(kMsrTscDeadline);
  return {};
}

Outcome set_vcpu_state(int vcpu, const VcpuState& state) {
  VcpuState s = state;
  if (Outcome set = call(vcpu, kSetSregs, &s.sregs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetRegs, &s.regs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetXcrs, &s.xcrs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetXsave, s.xsave.data()); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetDebugregs, &s.debug); !set.ok()) return set;
  for (const kvm_msr_entry& entry : s.msrs) {
    if (entry.index == kMsrTscDeadline) continue;  // behind the APIC, whose mode it needs
    (void)set_msr(vcpu, entry.index, entry.data);  // some can be read, and written only as they are
  }
  if (Outcome set = call(vcpu, kSetLapic, &s.lapic); !set.ok()) return set;
  for (const kvm_msr_entry& entry : s.msrs) {
    if (entry.index == kMsrTscDeadline) (void)set_msr(vcpu, entry.index, entry.data);
  }
  if (Outcome set = call(vcpu, kSetMpState, &s.mp); !set.ok()) return set;
  s.events.flags &= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW;
  s.events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
  return call(vcpu, kSetVcpuEvents, &s.events);
}

}  // namespace rz::kvm
