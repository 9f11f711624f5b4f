// Reading and writing a vCPU piece by piece, in an order in which each piece is valid when it is set.
#include "vcpu_state.h"

namespace rz::kvm {

namespace {

constexpr u32 kMsrTsc = 0x10;

// What a guest can change and KVM keeps outside its other structures; an index that a host lacks is left out.
constexpr u32 kMsrs[] = {
    kMsrTsc,    0x3a,       0x3b,       0x48,  0x174, 0x175,      0x176,      0x17a,      0x17b,      0x1a0,
    0x1d9,      0x277,      0x2ff,      0x6e0, 0xda0, 0x4b564d00, 0x4b564d01, 0xc0000081, 0xc0000082, 0xc0000083,
    0xc0000084, 0xc0000102, 0xc0000103, 0x250, 0x258, 0x259,      0x268,      0x269,      0x26a,      0x26b,
    0x26c,      0x26d,      0x26e,      0x26f, 0x200, 0x201,      0x202,      0x203,      0x204,      0x205,
    0x206,      0x207,      0x208,      0x209, 0x20a, 0x20b,      0x20c,      0x20d,      0x20e,      0x20f,
};

struct OneMsr {
  u32 count = 1, pad = 0;
  kvm_msr_entry entry = {};
};

}  // namespace

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
  for (u32 index : kMsrs) {
    OneMsr one;
    one.entry.index = index;
    int read = 0;
    if (call(vcpu, kGetMsrs, &one, &read).ok() && read == 1) s.msrs.push_back(one.entry);
  }
  return {};
}

Outcome set_vcpu_state(int vcpu, const VcpuState& state) {
  VcpuState s = state;
  if (Outcome set = call(vcpu, kSetSregs, &s.sregs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetRegs, &s.regs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetXcrs, &s.xcrs); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetXsave, s.xsave.data()); !set.ok()) return set;
  if (Outcome set = call(vcpu, kSetDebugregs, &s.debug); !set.ok()) return set;
  for (kvm_msr_entry& entry : s.msrs) {
    if (entry.index == 0x6e0) continue;  // behind the APIC, whose mode it needs
    OneMsr one;
    one.entry = entry;
    (void)call(vcpu, kSetMsrs, &one).ok();  // some can be read, and written only as they are
  }
  if (Outcome set = call(vcpu, kSetLapic, &s.lapic); !set.ok()) return set;
  for (kvm_msr_entry& entry : s.msrs) {
    if (entry.index != 0x6e0) continue;
    OneMsr one;
    one.entry = entry;
    (void)call(vcpu, kSetMsrs, &one).ok();
  }
  if (Outcome set = call(vcpu, kSetMpState, &s.mp); !set.ok()) return set;
  s.events.flags &= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SIPI_VECTOR | KVM_VCPUEVENT_VALID_SHADOW;
  s.events.flags |= KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
  return call(vcpu, kSetVcpuEvents, &s.events);
}

}  // namespace rz::kvm
