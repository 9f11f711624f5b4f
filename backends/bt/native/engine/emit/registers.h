// Where guest registers live while translated code runs. Registers with implicit uses (RAX, RCX, RDX, RBX,
// RSI, RDI) keep their own number, so MUL, shifts by CL, CMPXCHG and the like need no moves. Guest RSP is in host RSP:
// translated code has no stack of its own, thunks take the host's from Vcpu::host_rsp, and signals run on an alternate
// stack. Two host registers are scratch; the two guest registers that compilers use least stay in their homes.
#pragma once

#include "assembler.h"

namespace rz {

inline constexpr Host kT0 = hRbp;  // host address of a memory operand: needs no REX, so AH..BH stay encodable
inline constexpr Host kT1 = hR15;  // address of a TLB entry, return address of a thunk, temporary

/// Guest register -> host register, or hNone when it lives at home (Vcpu::regs).
inline constexpr Host kRegMap[16] = {hRax, hRcx, hRdx, hRbx, hRsp, hR14, hRsi,  hRdi,
                                     hR8,  hR9,  hR10, hR11, hR12, hR13, hNone, hNone};

/// Guest registers whose host register a C++ callee may clobber.
inline constexpr u16 kCallerSaved = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11;

/// Guest arithmetic flags from the host's EFLAGS into memory at `gs_offset` (Vcpu::parked_flags), as LAHF puts them in
/// AH with SETO's result in AL. Guest RAX is in RAX; `temp` is clobbered, flags are not.
inline void emit_park(Assembler& a, Host temp, u32 gs_offset) {
  a.mov(temp, hRax);
  a.lahf();
  a.seto_al();
  a.gs_store16(hRax, gs_offset);
  a.mov(hRax, temp);
}

}  // namespace rz
