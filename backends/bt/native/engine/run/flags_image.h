// The parked image of the arithmetic flags (LAHF in bits 8..15, SETO in bit 0) and EFLAGS, one into the other.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

inline void unpark_into_rflags(Vcpu& v) {
  const u32 p = v.parked_flags;
  v.rflags = (v.rflags & ~kArithFlags) | (p >> 8 & 0xd5) | static_cast<u64>(p & 1) << 11 | 2;
}

inline void park_from_rflags(Vcpu& v) {
  v.parked_flags = static_cast<u32>((v.rflags & 0xd5) << 8 | 0x200 | (v.rflags >> 11 & 1));
}

}  // namespace rz
