// Doing an ioctl, and the remedies by call and errno.
#include "ioctls.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include <string_view>

namespace rz::kvm {

namespace {

struct Remedy {
  const char* call;  // null: any
  int host_errno;
  const char* text;
};

// The first row that fits counts.
constexpr Remedy kRemedies[] = {
    {"open(/dev/kvm)", ENOENT,
     "load the module kvm_intel or kvm_amd; a virtual machine needs nested virtualization switched on by its host"},
    {"open(/dev/kvm)", ENODEV, "the processor's virtualization is off: switch on VT-x or AMD-V in the firmware"},
    {"open(/dev/kvm)", EACCES, "add this user to the group that owns /dev/kvm (usually kvm) and log in again"},
    {"open(/dev/kvm)", EPERM, "the container or sandbox forbids /dev/kvm: pass the device into it"},
    {"KVM_CREATE_VM", EBUSY, "another hypervisor holds the processor's virtualization: stop it"},
    {"KVM_CREATE_VM", EOPNOTSUPP, "the processor's virtualization is off: switch on VT-x or AMD-V in the firmware"},
    {"KVM_SET_USER_MEMORY_REGION", EEXIST, "memory lies where KVM keeps the local APIC (FEE00000h): move the range"},
    {nullptr, ENOSYS,
     "this kernel's KVM is too old or was built without it: a newer kernel has it, and the translator (backend bt) "
     "needs "
     "none"},
    {nullptr, ENOMEM, "the host has not enough memory, or a limit of this process or container is reached"},
    {nullptr, EMFILE, "raise the limit of open files (ulimit -n)"},
    {nullptr, ENFILE, "the host's limit of open files is reached"},
};

}  // namespace

Outcome call(int fd, const Ioctl& what, u64 argument, int* result) {
  const int returned = ioctl(fd, what.request, argument);
  if (returned < 0) return Outcome::failed(what.name, errno);
  if (result != nullptr) *result = returned;
  return {};
}

std::string describe(const Outcome& failed) {
  char words[128];
  std::string text = std::string(failed.call) + ": " + strerror_r(failed.host_errno, words, sizeof words);
  for (const Remedy& remedy : kRemedies) {
    if (remedy.host_errno != failed.host_errno) continue;
    if (remedy.call != nullptr && std::string_view(remedy.call) != failed.call) continue;
    return text + "; " + remedy.text;
  }
  return text;
}

}  // namespace rz::kvm
