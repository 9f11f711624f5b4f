// Layout of the saved state: container, chunk headers and the payloads that are not declared elsewhere.
// Little endian, no implicit padding. docs/state-format.md describes every field; a change needs a new chunk version.
#pragma once

#include "../shared/types.h"

namespace rz {

constexpr u32 four_cc(const char (&name)[5]) {
  return static_cast<u32>(static_cast<u8>(name[0])) | static_cast<u32>(static_cast<u8>(name[1])) << 8 |
         static_cast<u32>(static_cast<u8>(name[2])) << 16 | static_cast<u32>(static_cast<u8>(name[3])) << 24;
}

inline constexpr u32 kStateMagic = four_cc("RZMS");
inline constexpr u32 kStateVersion = 1;

struct StateHeader {
  u32 magic;        // kStateMagic
  u32 version;      // kStateVersion
  u32 total_bytes;  // of header and chunks
  u32 chunks;
  u32 vcpus;
  u32 uarts;
  u64 tsc_hz;        // rate of the guest's TSC, Hz
  u64 uptime_ticks;  // TSC ticks since machine time zero (kvmclock)
};
static_assert(sizeof(StateHeader) == 40);

/// Followed by `bytes` of payload and zeros up to a multiple of 8.
struct ChunkHeader {
  u32 tag;       // four_cc
  u32 version;   // of the payload, 1
  u32 instance;  // vCPU or UART number
  u32 bytes;     // of the payload
};
static_assert(sizeof(ChunkHeader) == 16);

inline constexpr u32 kChunkRegisters = four_cc("REGS");  // RegistersImage, one for each vCPU
inline constexpr u32 kChunkVcpu = four_cc("VCPU");       // VcpuImage, one for each vCPU
inline constexpr u32 kChunkMsrs = four_cc("MSRS");       // MsrImage[], one chunk for each vCPU
inline constexpr u32 kChunkXsave = four_cc("XSAV");      // XSAVE image in standard format, one for each vCPU
inline constexpr u32 kChunkIrq = four_cc("IRQC");        // IrqStateHeader, ChipsState, LapicState of each vCPU; one
inline constexpr u32 kChunkUart = four_cc("UART");       // UartState, one for each UART

/// What is neither a register by name nor an MSR.
struct VcpuImage {
  static constexpr u8 kShadowSti = 1, kShadowMovSs = 2;
  u64 xcr0;
  u64 dr[8];
  u64 pdpte[4];       // PAE page-directory pointers
  u64 exception_cr2;  // of the pending exception
  u32 exception_error;
  u8 exception_vector;  // FFh: none pending
  u8 exception_has_error;
  u8 exception_software;
  u8 halted;  // 1: by HLT; 2: waits for a SIPI
  u8 nmi_blocked;
  u8 interrupt_shadow;  // kShadow bits: what shields the next instruction; both: a processor that does not say which
  u8 shut_down;         // triple fault, waiting for a reset
  u8 x87_ignored;       // IGNNE#: x87 errors are held off after a write of port F0h; CR0.NE is 0
  u8 pad[4];
};
static_assert(sizeof(VcpuImage) == 8 * 14 + 16);

struct MsrImage {
  u32 index;  // as for RDMSR
  u32 zero;
  u64 value;
};

}  // namespace rz
