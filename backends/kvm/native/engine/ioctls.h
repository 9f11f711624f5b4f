// The ioctls of the KVM API that this backend uses, as a table: request, name, and what to do when the host refuses.
// Every failure becomes one Outcome that names the ioctl and the errno; remedy() adds what to do about it.
#pragma once

#include <linux/kvm.h>

#include <string>

#include "host/outcome.h"
#include "shared/types.h"

namespace rz::kvm {

using host::Outcome;

struct Ioctl {
  unsigned long request;
  const char* name;  // as in the KVM API documentation
};

// struct kvm_cpuid2, kvm_msrs, … end in flexible arrays, whose size differs between C and C++: the request numbers take
// the size that C gives.
#define RZ_KVM_IOCTLS(X)                                                                        \
  X(GetApiVersion, KVM_GET_API_VERSION, "KVM_GET_API_VERSION")                                  \
  X(CheckExtension, KVM_CHECK_EXTENSION, "KVM_CHECK_EXTENSION")                                 \
  X(CreateVm, KVM_CREATE_VM, "KVM_CREATE_VM")                                                   \
  X(GetVcpuMmapSize, KVM_GET_VCPU_MMAP_SIZE, "KVM_GET_VCPU_MMAP_SIZE")                          \
  X(GetSupportedCpuid, _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, 8), "KVM_GET_SUPPORTED_CPUID") \
  X(SetTssAddr, KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR")                                           \
  X(SetIdentityMapAddr, KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR")                 \
  X(SetUserMemoryRegion, KVM_SET_USER_MEMORY_REGION, "KVM_SET_USER_MEMORY_REGION")              \
  X(GetDirtyLog, KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG")                                        \
  X(CreateIrqchip, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP")                                    \
  X(CreatePit2, KVM_CREATE_PIT2, "KVM_CREATE_PIT2")                                             \
  X(SetGsiRouting, _IOC(_IOC_WRITE, KVMIO, 0x6a, 8), "KVM_SET_GSI_ROUTING")                     \
  X(IrqLine, KVM_IRQ_LINE, "KVM_IRQ_LINE")                                                      \
  X(SignalMsi, KVM_SIGNAL_MSI, "KVM_SIGNAL_MSI")                                                \
  X(Ioeventfd, KVM_IOEVENTFD, "KVM_IOEVENTFD")                                                  \
  X(GetIrqchip, KVM_GET_IRQCHIP, "KVM_GET_IRQCHIP")                                             \
  X(SetIrqchip, KVM_SET_IRQCHIP, "KVM_SET_IRQCHIP")                                             \
  X(GetPit2, KVM_GET_PIT2, "KVM_GET_PIT2")                                                      \
  X(SetPit2, KVM_SET_PIT2, "KVM_SET_PIT2")                                                      \
  X(SetClock, KVM_SET_CLOCK, "KVM_SET_CLOCK")                                                   \
  X(GetClock, KVM_GET_CLOCK, "KVM_GET_CLOCK")                                                   \
  X(GetTscKhz, KVM_GET_TSC_KHZ, "KVM_GET_TSC_KHZ")                                              \
  X(SetDeviceAttr, KVM_SET_DEVICE_ATTR, "KVM_SET_DEVICE_ATTR")                                  \
  X(GetDeviceAttr, KVM_GET_DEVICE_ATTR, "KVM_GET_DEVICE_ATTR")                                  \
  X(CreateVcpu, KVM_CREATE_VCPU, "KVM_CREATE_VCPU")                                             \
  X(SetCpuid2, _IOC(_IOC_WRITE, KVMIO, 0x90, 8), "KVM_SET_CPUID2")                              \
  X(SetSignalMask, _IOC(_IOC_WRITE, KVMIO, 0x8b, 4), "KVM_SET_SIGNAL_MASK")                     \
  X(Run, KVM_RUN, "KVM_RUN")                                                                    \
  X(GetRegs, KVM_GET_REGS, "KVM_GET_REGS")                                                      \
  X(SetRegs, KVM_SET_REGS, "KVM_SET_REGS")                                                      \
  X(GetSregs, KVM_GET_SREGS, "KVM_GET_SREGS")                                                   \
  X(SetSregs, KVM_SET_SREGS, "KVM_SET_SREGS")                                                   \
  X(GetSregs2, KVM_GET_SREGS2, "KVM_GET_SREGS2")                                                \
  X(SetSregs2, KVM_SET_SREGS2, "KVM_SET_SREGS2")                                                \
  X(GetXsave2, _IOC(_IOC_READ, KVMIO, 0xcf, 4096), "KVM_GET_XSAVE2")                            \
  X(GetXsave, _IOC(_IOC_READ, KVMIO, 0xa4, 4096), "KVM_GET_XSAVE")                              \
  X(SetXsave, _IOC(_IOC_WRITE, KVMIO, 0xa5, 4096), "KVM_SET_XSAVE")                             \
  X(GetXcrs, KVM_GET_XCRS, "KVM_GET_XCRS")                                                      \
  X(SetXcrs, KVM_SET_XCRS, "KVM_SET_XCRS")                                                      \
  X(GetMsrs, _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x88, 8), "KVM_GET_MSRS")                      \
  X(SetMsrs, _IOC(_IOC_WRITE, KVMIO, 0x89, 8), "KVM_SET_MSRS")                                  \
  X(GetLapic, KVM_GET_LAPIC, "KVM_GET_LAPIC")                                                   \
  X(SetLapic, KVM_SET_LAPIC, "KVM_SET_LAPIC")                                                   \
  X(GetDebugregs, KVM_GET_DEBUGREGS, "KVM_GET_DEBUGREGS")                                       \
  X(SetDebugregs, KVM_SET_DEBUGREGS, "KVM_SET_DEBUGREGS")                                       \
  X(GetVcpuEvents, KVM_GET_VCPU_EVENTS, "KVM_GET_VCPU_EVENTS")                                  \
  X(SetVcpuEvents, KVM_SET_VCPU_EVENTS, "KVM_SET_VCPU_EVENTS")                                  \
  X(GetMpState, KVM_GET_MP_STATE, "KVM_GET_MP_STATE")                                           \
  X(SetMpState, KVM_SET_MP_STATE, "KVM_SET_MP_STATE")                                           \
  X(SetupMce, KVM_X86_SETUP_MCE, "KVM_X86_SETUP_MCE")                                           \
  X(SetGuestDebug, KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG")

#define X(id, request, name) inline constexpr Ioctl k##id{request, name};
RZ_KVM_IOCTLS(X)
#undef X

/// One call. @param result  when not null, receives what a successful call returned
Outcome call(int fd, const Ioctl& what, u64 argument, int* result = nullptr);
inline Outcome call(int fd, const Ioctl& what, void* argument, int* result = nullptr) {
  return call(fd, what, reinterpret_cast<u64>(argument), result);
}

/// "KVM_CREATE_VM: Device or resource busy; …": the call, the errno in words, and what to do.
std::string describe(const Outcome& failed);

}  // namespace rz::kvm
