// /dev/kvm of this host: opening it, and what it can do. Nothing is made that outlives the call.
#pragma once

#include <iterator>
#include <string>

#include "ioctls.h"

namespace rz::kvm {

/// A descriptor that is closed with its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { reset(); }
  int get() const { return fd_; }
  void reset();

 private:
  int fd_ = -1;
};

/// The profiles that are the same on every engine, best first. Automatic IBRS makes a guest quick, but few KVMs have
/// it.
inline constexpr const char* kNamedProfiles[] = {"x86-64-v2", "x86-64-v3", "x86-64-v2-aibrs", "x86-64-v3-aibrs",
                                                 "x86-64-v1"};

struct HostKvm {
  u32 max_vcpus = 0;
  u32 xsave_bytes = 4096;  // of KVM_GET_XSAVE2, or 4096
  bool xsave2 = false;
  u32 guest_debug = 0;  // KVM_GUESTDBG bits that it knows beyond the first ones
  bool ioeventfd = false;
  bool sregs2 = false;                           // KVM_GET_SREGS2, which tells PAE page-directory pointers
  std::string lacks[std::size(kNamedProfiles)];  // by probe_kvm: features of each that it lacks; empty: it gives it
  u32 run_bytes = 0;                             // of a vCPU's shared page
};

/// Open /dev/kvm and check that it has what this backend needs; a capability that is missing is reported as a failed
/// call by the capability's name and ENOSYS.
Outcome open_kvm(Fd& fd, HostKvm& about);

/// open_kvm, and whether a machine can be made.
Outcome probe_kvm(HostKvm& about);

}  // namespace rz::kvm
