// A scripted stand-in for a guest, so that the transport (exits, doorbells, consoles, crashes) is tested without
// the translator. Never used unless the hidden option `fakeRun` asks for it.
#pragma once

#include <string>

#include "run/machine.h"

namespace rz {

/// Statements separated by ';', repeated for ever (numbers as in C):
///   in PORT SIZE | out PORT SIZE VALUE | load ADDRESS SIZE | store ADDRESS SIZE VALUE
///   print COUNT (bytes to the UART at 3F8h) | tick (increment the u64 at guest address 0)
///   echo (the last value read goes out to the last port) | rest MILLISECONDS | once STATEMENT… (first round only)
///   spin | shutdown | segv | abort
class FakeRun {
 public:
  explicit FakeRun(std::string script) : script_(std::move(script)) {}
  /// As rz::run: until kAttnStop, or a shutdown.
  RunExit run(Vcpu& vcpu);

 private:
  std::string script_;
};

}  // namespace rz
