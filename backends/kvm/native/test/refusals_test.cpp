// kvm_refusals_test: what is said where a host's KVM refuses something: the call, the errno in words, what to do. The
// host is this program's: it is linked with `open` and `ioctl` of its own, so that no /dev/kvm is needed.
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>

#include <set>
#include <string>
#include <utility>

#include "engine/host_kvm.h"

using namespace rz;
using namespace rz::kvm;

namespace {

/// A host that has everything, but for one thing.
struct Host {
  int open_errno = 0;  // of /dev/kvm
  int api_version = KVM_API_VERSION;
  int lacking = -1;           // KVM_CAP_…
  unsigned long refused = 0;  // ioctl
  int refused_errno = 0;
} kvm_host;
std::set<int> asked;  // capabilities

}  // namespace

extern "C" int __real_open(const char* path, int flags, ...);
extern "C" int __wrap_open(const char* path, int flags, ...) {
  if (std::string(path) != "/dev/kvm") return __real_open(path, flags);
  errno = kvm_host.open_errno;
  return kvm_host.open_errno != 0 ? -1 : __real_open("/dev/null", flags);
}

extern "C" int __wrap_ioctl(int, unsigned long request, ...) {
  va_list arguments;
  va_start(arguments, request);
  const auto argument = va_arg(arguments, unsigned long);
  va_end(arguments);
  if (request == kvm_host.refused) {
    errno = kvm_host.refused_errno;
    return -1;
  }
  switch (request) {
    case KVM_GET_API_VERSION: return kvm_host.api_version;
    case KVM_CHECK_EXTENSION:
      asked.insert(static_cast<int>(argument));
      return static_cast<int>(argument) != kvm_host.lacking;
    case KVM_GET_VCPU_MMAP_SIZE: return 4096;
    case KVM_CREATE_VM: return __real_open("/dev/null", O_RDONLY | O_CLOEXEC);
    default: return 0;
  }
}

namespace {

int passed = 0, failed = 0;

void check(bool good, const std::string& what, int line) {
  good ? ++passed : ++failed;
  if (!good) printf("FAILED refusals_test.cpp:%d: %s\n", line, what.c_str());
}

/// What such a host is told to be; empty: it works.
std::string probed(const Host& as) {
  kvm_host = as;
  HostKvm about;
  const Outcome outcome = probe_kvm(about);
  kvm_host = {};
  return outcome.ok() ? "" : describe(outcome);
}

bool begins(const std::string& text, const std::string& with) { return text.rfind(with, 0) == 0; }

/// `text` names the call and the errno, and goes on with a remedy that has `word` in it.
void says(const std::string& text, const std::string& call, const char* word, int line) {
  check(begins(text, call + ": ") && text.find("; ") != std::string::npos && text.find(word) != std::string::npos,
        "\"" + text + "\" names " + call + " and says something of " + word, line);
}
#define SAYS(text, call, word) says((text), (call), (word), __LINE__)

void device() {
  Host as;
  for (const auto& [refusal, word] : {std::pair{ENOENT, "kvm_intel or kvm_amd"},
                                      {ENODEV, "firmware"},
                                      {EACCES, "group"},
                                      {EPERM, "container"},
                                      {EMFILE, "ulimit -n"},
                                      {ENFILE, "open files"}}) {
    as.open_errno = refusal;
    SAYS(probed(as), "open(/dev/kvm)", word);
  }
}

void version() {
  Host as;
  as.api_version = 11;
  SAYS(probed(as), "KVM_GET_API_VERSION", "kernel");
}

/// Each capability without which a machine cannot be made is named when it is missing; no other stops anything.
void capabilities() {
  check(probed({}).empty(), "a host that has everything works", __LINE__);
  unsigned needed = 0;
  for (const int capability : std::set<int>(asked)) {
    Host as;
    as.lacking = capability;
    const std::string text = probed(as);
    if (text.empty()) continue;
    ++needed;
    SAYS(text, text.substr(0, text.find(':')), "kernel");
    check(begins(text, "capability KVM_CAP_"), text, __LINE__);
  }
  check(needed >= 14, "many are needed: " + std::to_string(needed), __LINE__);
}

void machine() {
  Host as;
  as.refused = KVM_CREATE_VM;
  for (const auto& [refusal, word] :
       {std::pair{EBUSY, "another hypervisor"}, {EOPNOTSUPP, "firmware"}, {ENOMEM, "memory"}, {EMFILE, "ulimit -n"}}) {
    as.refused_errno = refusal;
    SAYS(probed(as), "KVM_CREATE_VM", word);
  }
}

/// Whatever fails is named as the KVM API names it, errnos without a remedy too.
void every_ioctl() {
  std::set<unsigned long> requests;
  const auto one = [&requests](const Ioctl& what) {
    check(requests.insert(what.request).second, std::string(what.name) + " has a request of its own", __LINE__);
    kvm_host.refused = what.request;
    kvm_host.refused_errno = EINVAL;
    const std::string text = describe(call(0, what, u64{0}));
    kvm_host = {};
    check(text == std::string(what.name) + ": Invalid argument", text, __LINE__);
    check(call(0, what, u64{0}).ok(), std::string(what.name) + " succeeds", __LINE__);
  };
#define X(id, request, name) one(k##id);
  RZ_KVM_IOCTLS(X)
#undef X
  SAYS(describe(Outcome::failed("KVM_SET_USER_MEMORY_REGION", EEXIST)), "KVM_SET_USER_MEMORY_REGION", "FEE00000h");
}

}  // namespace

int main() {
  device();
  version();
  capabilities();
  machine();
  every_ioctl();
  printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
