// The saved processor-side state of a machine between its bytes (docs/state-format.md) and plain structures that know
// no engine. Decoding checks whatever can be checked without one; a backend checks the rest before it changes anything.
#pragma once

#include <vector>

#include "../shared/registers_image.h"
#include "../uart/uart16550.h"
#include "irq_state.h"
#include "state_chunks.h"

namespace rz::state {

struct OneVcpu {
  RegistersImage registers;
  VcpuImage vcpu;
  std::vector<MsrImage> msrs;
  std::vector<u8> xsave;  // standard format, at least 576 bytes
  LapicState lapic;
};

struct MachineImage {
  u64 tsc_hz = 0;
  u64 uptime_ticks = 0;
  ChipsState chips = {};
  std::vector<OneVcpu> vcpus;
  std::vector<UartState> uarts;
};

std::vector<u8> encode(const MachineImage& image);

/// @param out  its numbers of vCPUs and UARTs are those that the state must have
/// @returns null when done, else a static sentence that says what is wrong
const char* decode(const u8* from, size_t bytes, MachineImage& out);

/// Whether the guest's time goes on at the same pace: null, or a static sentence that says no.
/// @param hz  rate of the TSC that guests have here
const char* check_tsc_rate(const MachineImage& image, u64 hz);

}  // namespace rz::state
