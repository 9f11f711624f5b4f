// The state in which guest test programs begin, in terms that any engine can load, and the tables that the runner puts
// into guest RAM for it. include/guest.inc states the same addresses for the programs; a program relies on all of this.
#pragma once

#include <cstdint>

#include "guest_program.h"

namespace guests {

inline constexpr std::uint64_t kRamBytes = 8 << 20;   // guest RAM, from address 0; nothing else is RAM
inline constexpr std::uint64_t kGdtAddress = 0x1000;  // 256 bytes; see start_state.cpp
inline constexpr std::uint64_t kGdtBytes = 256;
inline constexpr std::uint64_t kIdtAddress = 0x2000;   // empty at the start
inline constexpr std::uint64_t kPageTables = 0x70000;  // 4-level identity map of 4 GiB in 2 MiB pages, all user+write
inline constexpr std::uint64_t kStackTop = 0x7c00;
/// Where include/catch*.inc record the last exception: vector, error, rip, cs, rflags, rsp, cr2, eight bytes each.
inline constexpr std::uint64_t kCaughtRecord = 0x6f00;
/// Where include/user64.inc says which check failed, when it ran in ring 3; 0 otherwise.
inline constexpr std::uint64_t kFailedInRing3 = kCaughtRecord + 104;

/// Attributes as in the descriptor: bits 40..47 in 0..7, 52..55 in 8..11 (AVL, L, D/B, G). Limit in bytes.
struct StartSegment {
  std::uint16_t selector, attributes;
  std::uint32_t limit;
  std::uint64_t base;
};

struct StartState {
  std::uint64_t rip, rsp, rflags, cr0, cr3, cr4, efer;
  StartSegment cs, data, ldtr, tr;  // `data` goes to DS, ES, SS, FS and GS
  std::uint64_t gdt_base, idt_base;
  std::uint16_t gdt_limit, idt_limit;
};

/// Put the tables and the program into `ram` (kRamBytes, zeroed) and say how the processor starts.
StartState prepare(const Program& program, std::uint8_t* ram);

/// The runner writes 1 here when it is an oracle that may be wrong where programs say `kvm_differs`.
inline constexpr std::uint64_t kOracleFlag = kCaughtRecord + 0xf0;

}  // namespace guests
