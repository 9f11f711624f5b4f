// Looking at the host's KVM.
#include "host_kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cpuid.h"

namespace rz::kvm {

namespace {

struct Need {
  int capability;
  const char* name;
};

constexpr Need kNeeds[] = {
    {KVM_CAP_IRQCHIP, "capability KVM_CAP_IRQCHIP"},
    {KVM_CAP_PIT2, "capability KVM_CAP_PIT2"},
    {KVM_CAP_PIT_STATE2, "capability KVM_CAP_PIT_STATE2"},
    {KVM_CAP_IRQ_ROUTING, "capability KVM_CAP_IRQ_ROUTING"},
    {KVM_CAP_SIGNAL_MSI, "capability KVM_CAP_SIGNAL_MSI"},
    {KVM_CAP_IMMEDIATE_EXIT, "capability KVM_CAP_IMMEDIATE_EXIT"},
    {KVM_CAP_READONLY_MEM, "capability KVM_CAP_READONLY_MEM"},
    {KVM_CAP_XSAVE, "capability KVM_CAP_XSAVE"},
    {KVM_CAP_XCRS, "capability KVM_CAP_XCRS"},
    {KVM_CAP_VCPU_EVENTS, "capability KVM_CAP_VCPU_EVENTS"},
    {KVM_CAP_DEBUGREGS, "capability KVM_CAP_DEBUGREGS"},
    {KVM_CAP_MP_STATE, "capability KVM_CAP_MP_STATE"},
    {KVM_CAP_MCE, "capability KVM_CAP_MCE"},
    {KVM_CAP_ADJUST_CLOCK, "capability KVM_CAP_ADJUST_CLOCK"},
};

int extension(int kvm, int capability) {
  int value = 0;
  return call(kvm, kCheckExtension, static_cast<u64>(capability), &value).ok() ? value : 0;
}

}  // namespace

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.fd_;
    other.fd_ = -1;
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

Outcome open_kvm(Fd& out, HostKvm& about) {
  Fd fd(open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (fd.get() < 0) return Outcome::failed("open(/dev/kvm)", errno);
  int value = 0;
  if (Outcome asked = call(fd.get(), kGetApiVersion, u64{0}, &value); !asked.ok()) return asked;
  if (value != KVM_API_VERSION) return Outcome::failed("KVM_GET_API_VERSION", ENOSYS);
  for (const Need& need : kNeeds) {
    if (extension(fd.get(), need.capability) <= 0) return Outcome::failed(need.name, ENOSYS);
  }
  about.max_vcpus = static_cast<u32>(extension(fd.get(), KVM_CAP_MAX_VCPUS));
  if (about.max_vcpus == 0) about.max_vcpus = static_cast<u32>(extension(fd.get(), KVM_CAP_NR_VCPUS));
  if (const int bytes = extension(fd.get(), KVM_CAP_XSAVE2); bytes > 0) {
    about.xsave2 = true;
    about.xsave_bytes = static_cast<u32>(bytes);
  }
  about.guest_debug = static_cast<u32>(extension(fd.get(), KVM_CAP_SET_GUEST_DEBUG2));
  about.ioeventfd = extension(fd.get(), KVM_CAP_IOEVENTFD) > 0;
  about.sregs2 = extension(fd.get(), KVM_CAP_SREGS2) > 0;
  if (Outcome asked = call(fd.get(), kGetVcpuMmapSize, u64{0}, &value); !asked.ok()) return asked;
  about.run_bytes = static_cast<u32>(value);
  out = std::move(fd);
  return {};
}

Outcome probe_kvm(HostKvm& about) {
  Fd kvm;
  if (Outcome opened = open_kvm(kvm, about); !opened.ok()) return opened;
  int vm = -1;
  if (Outcome made = call(kvm.get(), kCreateVm, u64{0}, &vm); !made.ok()) return made;
  Fd closed(vm);
  for (size_t i = 0; i < std::size(kNamedProfiles); ++i) about.lacks[i] = lacks(kvm.get(), kNamedProfiles[i]);
  return {};
}

}  // namespace rz::kvm
