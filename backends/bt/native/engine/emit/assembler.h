// Encoder for the few dozen host instructions that the translator itself needs (guest instructions are
// re-encoded by translate/identity.cpp). Writes through the writable alias of the code cache; every
// branch is relative, so nothing here knows where the executable alias is mapped.
#pragma once

#include "../cpu/types.h"

namespace rz {

/// Host general registers by their hardware number.
enum Host : u8 {
  hRax,
  hRcx,
  hRdx,
  hRbx,
  hRsp,
  hRbp,
  hRsi,
  hRdi,
  hR8,
  hR9,
  hR10,
  hR11,
  hR12,
  hR13,
  hR14,
  hR15,
  hNone = 0xff
};

/// Condition codes as in Jcc/SETcc.
enum Cond : u8 { cO, cNO, cB, cAE, cE, cNE, cBE, cA, cS, cNS, cP, cNP, cL, cGE, cLE, cG };

/// A host memory operand: [base + index << scale + disp]; base or index may be hNone. No defaults: the translator has
/// arrays of them, of which it uses a few.
struct Mem {
  Host base, index;
  u8 scale;
  i32 disp;
};
inline constexpr Mem kNoMem{hNone, hNone, 0, 0};

class Assembler {
 public:
  explicit Assembler(u8* at) : p_(at) {}
  u8* at() const { return p_; }
  void set(u8* at) { p_ = at; }

  void b(u8 v) { *p_++ = v; }
  void w(u16 v) { put(v); }
  void d(u32 v) { put(v); }
  void q(u64 v) { put(v); }
  void imm(u64 v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) b(static_cast<u8>(v >> (8 * i)));
  }

  // ---- registers ------------------------------------------------------------------------------
  void mov(Host dst, Host src) {
    if (dst != src) rr(true, 0x8b, dst, src);
  }
  void mov32(Host dst, Host src) { rr(false, 0x8b, dst, src); }
  void mov16(Host dst, Host src) {
    b(0x66);
    rr(false, 0x8b, dst, src);
  }
  void movzx16(Host dst, Host src) {
    rex(false, dst, hNone, src);
    b(0x0f);
    b(0xb7);
    modrm(3, dst, src);
  }
  /// Shortest encoding of a 64-bit constant.
  void mov_imm(Host dst, u64 v) {
    if (v <= 0xffffffffu) {
      rex(false, hRax, hNone, dst);
      b(static_cast<u8>(0xb8 | (dst & 7)));
      d(static_cast<u32>(v));
    } else if (static_cast<i64>(v) == static_cast<i32>(v)) {
      rex(true, hRax, hNone, dst);
      b(0xc7);
      modrm(3, 0, dst);
      d(static_cast<u32>(v));
    } else {
      rex(true, hRax, hNone, dst);
      b(static_cast<u8>(0xb8 | (dst & 7)));
      q(v);
    }
  }
  void op_imm(bool w64, u8 ext, Host r, i32 v) {  // 81/83 group: 0 add, 1 or, 4 and, 5 sub, 6 xor, 7 cmp
    rex(w64, hRax, hNone, r);
    if (v == static_cast<i8>(v)) {
      b(0x83);
      modrm(3, ext, r);
      b(static_cast<u8>(v));
    } else {
      b(0x81);
      modrm(3, ext, r);
      d(static_cast<u32>(v));
    }
  }
  void shift(bool w64, u8 ext, Host r, u8 n) {
    rex(w64, hRax, hNone, r);
    b(0xc1);
    modrm(3, ext, r);
    b(n);
  }                                                // 4 shl, 5 shr, 7 sar
  void rorx(bool w64, Host dst, Host src, u8 n) {  // BMI2
    b(0xc4);
    b(static_cast<u8>((dst < 8 ? 0x80 : 0) | 0x40 | (src < 8 ? 0x20 : 0) | 3));
    b(w64 ? 0xfb : 0x7b);
    b(0xf0);
    modrm(3, dst, src);
    b(n);
  }
  void rr(bool w64, u8 opcode, Host reg, Host rm) {
    rex(w64, reg, hNone, rm);
    b(opcode);
    modrm(3, reg, rm);
  }
  void test(bool w64, Host a, Host c) { rr(w64, 0x85, a, c); }
  void movsxd(Host dst, Host src) { rr(true, 0x63, dst, src); }

  // ---- memory through a register --------------------------------------------------------------
  /// opcode reg, [base + disp]
  void rm(bool w64, u8 opcode, Host reg, Host base, i32 disp) {
    rex(w64, reg, hNone, base);
    b(opcode);
    mem(reg, base, disp);
  }
  void load(Host dst, Host base, i32 disp, unsigned bytes) {
    switch (bytes) {
      case 1:
        rex(false, dst, hNone, base);
        b(0x0f);
        b(0xb6);
        mem(dst, base, disp);
        break;
      case 2:
        rex(false, dst, hNone, base);
        b(0x0f);
        b(0xb7);
        mem(dst, base, disp);
        break;
      case 4: rm(false, 0x8b, dst, base, disp); break;
      default: rm(true, 0x8b, dst, base, disp); break;
    }
  }
  void store(Host src, Host base, i32 disp, unsigned bytes) {
    switch (bytes) {
      case 1:
        b(static_cast<u8>(0x40 | (src >> 3 << 2) | (base >> 3)));
        b(0x88);
        mem(src, base, disp);
        break;
      case 2:
        b(0x66);
        rm(false, 0x89, src, base, disp);
        break;
      case 4: rm(false, 0x89, src, base, disp); break;
      default: rm(true, 0x89, src, base, disp); break;
    }
  }
  /// opcode reg, [operand]
  void rm(bool w64, u8 opcode, Host reg, const Mem& m) {
    rex(w64, reg, m.index, m.base);
    b(opcode);
    mem(reg, m);
  }
  void load(Host dst, const Mem& m, unsigned bytes) {
    if (bytes >= 4) {
      rm(bytes == 8, 0x8b, dst, m);
      return;
    }
    rex(false, dst, m.index, m.base);
    b(0x0f);
    b(bytes == 1 ? 0xb6 : 0xb7);
    mem(dst, m);
  }
  void store(Host src, const Mem& m, unsigned bytes) {
    if (bytes == 1) {
      b(static_cast<u8>(0x40 | (src >> 3 << 2) | (m.index != hNone ? m.index >> 3 << 1 : 0) |
                        (m.base != hNone ? m.base >> 3 : 0)));
      b(0x88);
      mem(src, m);
      return;
    }
    if (bytes == 2) b(0x66);
    rm(bytes == 8, 0x89, src, m);
  }
  void store_imm32(const Mem& m, i32 v) {  // sign-extended to 64 bits
    rex(true, hRax, m.index, m.base);
    b(0xc7);
    mem(0, m);
    d(static_cast<u32>(v));
  }
  void cmp_imm32(Host base, i32 disp, i32 v) {  // cmp qword [base + disp], v
    rex(true, hRax, hNone, base);
    b(0x81);
    mem(7, base, disp);
    d(static_cast<u32>(v));
  }
  void lea(Host dst, const Mem& m) { lea(true, dst, m.base, m.index, m.scale, m.disp); }
  /// lea dst, [base + index << scale + disp]; base or index may be hNone.
  void lea(bool w64, Host dst, Host base, Host index, u8 scale, i32 disp) {
    if (index == hNone && base != hNone) {
      rm(w64, 0x8d, dst, base, disp);
      return;
    }
    rex(w64, dst, index, base == hNone ? hRax : base);
    b(0x8d);
    sib(dst, base, index, scale, disp);
  }

  // ---- GS: vCPU state -------------------------------------------------------------------------
  /// opcode reg, gs:[offset]
  void gs(bool w64, u8 opcode, u8 reg, u32 offset) {
    b(0x65);
    rex(w64, static_cast<Host>(reg), hNone, hRax);
    b(opcode);
    gs_mem(reg, offset);
  }
  void gs_load(Host dst, u32 offset) { gs(true, 0x8b, dst, offset); }
  void gs_load32(Host dst, u32 offset) { gs(false, 0x8b, dst, offset); }
  void gs_store(Host src, u32 offset) { gs(true, 0x89, src, offset); }
  void gs_store32(Host src, u32 offset) { gs(false, 0x89, src, offset); }
  void gs_store16(Host src, u32 offset) {
    b(0x65);
    b(0x66);
    rex(false, src, hNone, hRax);
    b(0x89);
    gs_mem(src, offset);
  }
  void gs_load8z(Host dst, u32 offset) {
    b(0x65);
    rex(false, dst, hNone, hRax);
    b(0x0f);
    b(0xb6);
    gs_mem(dst, offset);
  }
  void gs_load16z(Host dst, u32 offset) {
    b(0x65);
    rex(false, dst, hNone, hRax);
    b(0x0f);
    b(0xb7);
    gs_mem(dst, offset);
  }
  void gs_store_imm32(u32 offset, u32 v) {
    b(0x65);
    b(0xc7);
    gs_mem(0, offset);
    d(v);
  }
  void gs_cmp_imm8(u32 offset, i8 v) {
    b(0x65);
    b(0x83);
    gs_mem(7, offset);
    b(static_cast<u8>(v));
  }
  void gs_and_imm8(u32 offset, u8 v) {
    b(0x65);
    b(0x48);
    b(0x83);
    gs_mem(4, offset);
    b(v);
  }
  void gs_jmp(u32 offset) {
    b(0x65);
    b(0xff);
    gs_mem(4, offset);
  }
  void gs_call(u32 offset) {
    b(0x65);
    b(0xff);
    gs_mem(2, offset);
  }
  void gs_inc64(u32 offset) {
    b(0x65);
    b(0x48);
    b(0xff);
    gs_mem(0, offset);
  }

  // ---- control --------------------------------------------------------------------------------
  /// Emit a branch with a 32-bit displacement; returns the displacement's address for patching.
  /// NOPs so that the displacement of a jump with this many opcode bytes lies in one aligned 8 bytes: the processor
  /// takes such a field as a whole, whoever stores to it meanwhile (APM, "Access Atomicity").
  void place_field(unsigned opcode_bytes) {
    while (((reinterpret_cast<u64>(p_) + opcode_bytes) & 7) > 4) b(0x90);
  }
  u8* jcc(Cond c) {
    b(0x0f);
    b(static_cast<u8>(0x80 | c));
    d(0);
    return p_ - 4;
  }
  u8* jmp() {
    b(0xe9);
    d(0);
    return p_ - 4;
  }
  u8* call() {
    b(0xe8);
    d(0);
    return p_ - 4;
  }
  void jmp_to(const u8* target) { patch(jmp(), target); }
  void jcc_to(Cond c, const u8* target) { patch(jcc(c), target); }
  void call_to(const u8* target) { patch(call(), target); }
  u8* jcc8(Cond c) {
    b(static_cast<u8>(0x70 | c));
    b(0);
    return p_ - 1;
  }
  void bind8(u8* field) { *field = static_cast<u8>(p_ - field - 1); }
  void bind(u8* field) { patch(field, p_); }
  static void patch(u8* field, const u8* target) {
    const i32 rel = static_cast<i32>(target - (field + 4));
    __builtin_memcpy(field, &rel, 4);
  }
  /// lea dst, [rip + rel32]; returns the displacement's address for patching.
  u8* lea_rip(Host dst) {
    rex(true, dst, hNone, hRax);
    b(0x8d);
    modrm(0, dst, 5);
    d(0);
    return p_ - 4;
  }
  void jmp_reg(Host r) {
    rex(false, hRax, hNone, r);
    b(0xff);
    modrm(3, 4, r);
  }
  void jmp_mem(Host base, Host index, u8 scale, i32 disp) {
    if (index == hNone) {
      rex(false, hRax, hNone, base);
      b(0xff);
      mem(4, base, disp);
      return;
    }
    rex(false, hRax, index, base);
    b(0xff);
    sib(4, base, index, scale, disp);
  }
  void ret() { b(0xc3); }
  void push(Host r) {
    rex(false, hRax, hNone, r);
    b(static_cast<u8>(0x50 | (r & 7)));
  }
  void pop(Host r) {
    rex(false, hRax, hNone, r);
    b(static_cast<u8>(0x58 | (r & 7)));
  }
  void lahf() { b(0x9f); }
  void sahf() { b(0x9e); }
  void seto_al() {
    b(0x0f);
    b(0x90);
    b(0xc0);
  }
  void ud2() {
    b(0x0f);
    b(0x0b);
  }

  // ---- pieces that identity.cpp builds on --------------------------------------------------------
  void rex(bool w64, Host reg, Host index, Host rm) {
    u8 r = 0x40;
    if (w64) r |= 8;
    if (reg != hNone && reg >= 8) r |= 4;
    if (index != hNone && index >= 8) r |= 2;
    if (rm != hNone && rm >= 8) r |= 1;
    if (r != 0x40) b(r);
  }
  void modrm(u8 mod, u8 reg, u8 rm) { b(static_cast<u8>(mod << 6 | (reg & 7) << 3 | (rm & 7))); }
  /// ModRM (+SIB, disp) for [base + disp].
  void mem(u8 reg, Host base, i32 disp) {
    const bool need_sib = (base & 7) == 4;
    const u8 mod = disp == 0 && (base & 7) != 5 ? 0 : disp == static_cast<i8>(disp) ? 1 : 2;
    modrm(mod, reg, need_sib ? 4 : base);
    if (need_sib) b(0x24);
    if (mod == 1)
      b(static_cast<u8>(disp));
    else if (mod == 2)
      d(static_cast<u32>(disp));
  }
  void sib(u8 reg, Host base, Host index, u8 scale, i32 disp) {
    const u8 idx = index == hNone ? 4 : index & 7;
    if (base == hNone) {
      modrm(0, reg, 4);
      b(static_cast<u8>(scale << 6 | idx << 3 | 5));
      d(static_cast<u32>(disp));
      return;
    }
    const u8 mod = disp == 0 && (base & 7) != 5 ? 0 : disp == static_cast<i8>(disp) ? 1 : 2;
    modrm(mod, reg, 4);
    b(static_cast<u8>(scale << 6 | idx << 3 | (base & 7)));
    if (mod == 1)
      b(static_cast<u8>(disp));
    else if (mod == 2)
      d(static_cast<u32>(disp));
  }
  void mem(u8 reg, const Mem& m) {
    if (m.index == hNone && m.base != hNone)
      mem(reg, m.base, m.disp);
    else
      sib(reg, m.base, m.index, m.scale, m.disp);
  }
  /// ModRM, SIB and disp32 of an absolute (GS-relative) operand.
  void gs_mem(u8 reg, u32 offset) {
    modrm(0, reg, 4);
    b(0x25);
    d(offset);
  }

 private:
  template <typename T>
  void put(T v) {
    __builtin_memcpy(p_, &v, sizeof v);
    p_ += sizeof v;
  }
  u8* p_;
};

}  // namespace rz
