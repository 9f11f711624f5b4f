// How native functions that ask the host for something report back. Nothing in this library throws; a binding turns
// a failed Outcome into one RingzeroError that names the call and the errno.
#pragma once

namespace rz::host {

/// `call` is a string literal naming the system call that failed, or null when all went well.
struct [[nodiscard]] Outcome {
  const char* call = nullptr;
  int host_errno = 0;

  bool ok() const { return call == nullptr; }
  static Outcome failed(const char* call, int host_errno) { return {call, host_errno}; }
};

}  // namespace rz::host
