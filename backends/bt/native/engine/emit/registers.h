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

/// `dst` = `src` >> n in the bits that stay, anything in the n bits above them. Flags are kept only with BMI2.
inline void emit_shifted(Assembler& a, bool w64, Host dst, Host src, u8 n) {
  static const bool bmi2 = __builtin_cpu_supports("bmi2");
  if (bmi2) {
    a.rorx(w64, dst, src, n);
    return;
  }
  if (w64)
    a.mov(dst, src);
  else
    a.mov32(dst, src);
  a.shift(w64, 5, dst, n);
}

/// Jump through the table at `gs:[jump_offset]` (Vcpu::jump) to the RIP in T0: jump_index(). Clobbers T1 and flags.
inline void emit_table_jump(Assembler& a, u32 jump_offset, u32 entries) {
  emit_shifted(a, true, kT1, kT0, 6);
  a.lea(false, kT1, kT1, kT0, 3, 0);
  a.op_imm(false, 4, kT1, static_cast<i32>((entries - 1) * 8));
  a.gs(true, 0x03, kT1, jump_offset);
  a.jmp_mem(kT1, hNone, 0, 0);
}

}  // namespace rz
