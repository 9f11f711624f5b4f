// Reading and writing a vCPU piece by piece, in an order in which each piece is valid when it is set.
#include "vcpu_state.h"

#include "msrs.h"

namespace rz::kvm {

namespace {

/// Segments, control registers and the rest, which the two structures have in common.
template <typename To, typename From>
void copy_common(To& to, const From& from) {
  to.cs = from.cs, to.ds = from.ds, to.es = from.es, to.fs = from.fs, to.gs = from.gs, to.ss = from.ss;
  to.tr = from.tr, to.ldt = from.ldt;
  to.gdt = from.gdt, to.idt = from.idt;
  to.cr0 = from.cr0, to.cr2 = from.cr2, to.cr3 = from.cr3, to.cr4 = from.cr4, to.cr8 = from.cr8;
  to.efer = from.efer;
  to.apic_base = from.apic_base;
}

Outcome get_sregs(int vcpu, const HostKvm& host, VcpuState& s) {
  s.has_pdptrs = false;
  if (!host.sregs2) return call(vcpu, kGetSregs, &s.sregs);
  kvm_sregs2 now = {};
  const Outcome got = call(vcpu, kGetSregs2, &now);
  s.sregs = {};
  copy_common(s.sregs, now);
  s.has_pdptrs = (now.flags & KVM_SREGS2_FLAGS_PDPTRS_VALID) != 0;
  for (int i = 0; s.has_pdptrs && i < 4; ++i) s.pdptrs[i] = now.pdptrs[i];
  return got;
}

Outcome set_sregs(int vcpu, const HostKvm& host, VcpuState& s) {
  if (!host.sregs2) return call(vcpu, kSetSregs, &s.sregs);
  kvm_sregs2 wanted = {};
  copy_common(wanted, s.sregs);
  if (s.has_pdptrs) wanted.flags = KVM_SREGS2_FLAGS_PDPTRS_VALID;
  for (int i = 0; s.has_pdptrs && i < 4; ++i) wanted.pdptrs[i] = s.pdptrs[i];
  return call(vcpu, kSetSregs2, &wanted);
}

}  // namespace

Outcome get_vcpu_state(int vcpu, const HostKvm& host, VcpuState& s) {
  // First what makes KVM settle: a start-up that has arrived, the address of a page fault on its way to CR2.
  if (Outcome got = call(vcpu, kGetMpState, &s.mp); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetVcpuEvents, &s.events); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetRegs, &s.regs); !got.ok()) return got;
  if (Outcome got = get_sregs(vcpu, host, s); !got.ok()) return got;
  s.xsave.assign(host.xsave_bytes, 0);
  if (Outcome got = call(vcpu, host.xsave2 ? kGetXsave2 : kGetXsave, s.xsave.data()); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetXcrs, &s.xcrs); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetDebugregs, &s.debug); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetLapic, &s.lapic); !got.ok()) return got;
  s.msrs.clear();
  const auto note = [&s, vcpu](u32 index) {
    if (u64 value; get_msr(vcpu, index, value)) s.msrs.push_back({index, 0, value});
  };
  for (const MsrRow& row : msr_rows()) note(row.index);
  note(kMsrTscDeadline);
  return {};
}

Outcome set_vcpu_state(int vcpu, const HostKvm& host, const VcpuState& state) {
  VcpuState s = state;
  if (Outcome set = set_sregs(vcpu, host, s); !set.ok()) return set;
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
