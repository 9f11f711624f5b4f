// Compares how a guest test program ended with what its header says, and prints a register dump where they differ.
#pragma once

#include <cstdint>
#include <string>

#include "guest_program.h"
#include "test_devices.h"

namespace guests {

/// The state in which a program left its engine.
struct FinalState {
  enum class Why { kEnd, kShutdown, kTimeout, kEngineError } why = Why::kTimeout;
  End end = End::kNone;        // of kEnd
  std::uint64_t gpr[16] = {};  // RAX RCX RDX RBX RSP RBP RSI RDI R8..R15
  std::uint64_t rip = 0, rflags = 0, cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0, efer = 0;
  std::uint16_t cs = 0, ss = 0;
  std::string note;  // of kEngineError
};

enum class Verdict { kPassed, kFailed, kSkipped };

/// @param ram      guest RAM after the run
/// @param report   on kFailed what differs, one line each, then the registers
Verdict judge(const Program& program, const FinalState& state, const std::uint8_t* ram, std::string& report);

}  // namespace guests
