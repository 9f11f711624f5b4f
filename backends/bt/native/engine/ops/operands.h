// Operand access shared by the helpers: general registers of any width, ModRM operands, the stack.
// Nothing here changes a register before the memory access that belongs to it succeeded.
#pragma once

#include "../cpu/vcpu.h"
#include "../decode/inst.h"
#include "../mmu/mmu.h"
#include "op_result.h"

namespace rz {

inline constexpr u8 kRax = 0, kRcx = 1, kRdx = 2, kRbx = 3, kRsp = 4, kRbp = 5, kRsi = 6, kRdi = 7;

inline OpResult fault(Vcpu& v, u8 vector) {
  v.raise(vector);
  return OpResult::kFault;
}
inline OpResult fault(Vcpu& v, u8 vector, u32 error) {
  v.raise(vector, error);
  return OpResult::kFault;
}

constexpr u64 low_mask(unsigned bytes) { return bytes >= 8 ? ~0ull : (1ull << (bytes * 8)) - 1; }

/// Replace the low bytes of a register the way the architecture does (32-bit writes zero the upper half).
inline void merge_reg(u64& reg, u64 value, unsigned bytes) {
  if (bytes == 8)
    reg = value;
  else if (bytes == 4)
    reg = static_cast<u32>(value);
  else
    reg = (reg & ~low_mask(bytes)) | (value & low_mask(bytes));
}

/// Register `number` at a width; byte registers 4..7 without REX are AH, CH, DH, BH.
inline u64 read_reg(const Vcpu& v, const Inst& inst, unsigned number, unsigned bytes) {
  if (bytes == 1 && !inst.rex && number >= 4 && number < 8) return v.regs[number - 4] >> 8 & 0xff;
  return v.regs[number & 15] & low_mask(bytes);
}
inline void write_reg(Vcpu& v, const Inst& inst, unsigned number, unsigned bytes, u64 value) {
  if (bytes == 1 && !inst.rex && number >= 4 && number < 8) {
    v.regs[number - 4] = (v.regs[number - 4] & ~0xff00ull) | (value & 0xff) << 8;
    return;
  }
  merge_reg(v.regs[number & 15], value, bytes);
}

[[nodiscard]] inline bool read_rm(Vcpu& v, const Inst& inst, unsigned bytes, u64& value) {
  if (inst.has_memory) return mem_read(v, inst.seg, effective_offset(v, inst), bytes, value);
  value = read_reg(v, inst, inst.rm, bytes);
  return true;
}

/// Effective address advanced by `by`, wrapped to the address size.
inline u64 memory_offset(const Vcpu& v, const Inst& inst, u64 by) {
  return (effective_offset(v, inst) + by) & low_mask(inst.address_bytes);
}

/// Width in bytes of the stack pointer: 8 in 64-bit mode, else by SS.B.
inline unsigned stack_bytes(const Vcpu& v) { return v.code64() ? 8 : v.seg[kSS].big() ? 4 : 2; }
/// A stack pointer value with its low part replaced.
inline u64 with_stack_pointer(const Vcpu& v, u64 rsp, u64 value) {
  const unsigned bytes = stack_bytes(v);
  if (bytes == 8) return value;
  if (bytes == 4) return static_cast<u32>(value);
  return (rsp & ~0xffffull) | (value & 0xffff);
}

/// Pops without committing RSP: read in order, then commit().
class Popper {
 public:
  Popper(Vcpu& v, unsigned item_bytes) : v_(v), item_(item_bytes), sp_(v.regs[kRsp]) {}
  [[nodiscard]] bool pop(u64& value) {
    if (!mem_read(v_, kSS, sp_ & low_mask(stack_bytes(v_)), item_, value)) return false;
    skip(item_);
    return true;
  }
  void skip(u64 bytes) { sp_ = with_stack_pointer(v_, sp_, sp_ + bytes); }
  u64 sp() const { return sp_; }
  void commit() { v_.regs[kRsp] = sp_; }

 private:
  Vcpu& v_;
  unsigned item_;
  u64 sp_;
};

/// Push one value; RSP moves only when the store succeeded.
[[nodiscard]] inline bool push_value(Vcpu& v, unsigned bytes, u64 value) {
  const u64 sp = with_stack_pointer(v, v.regs[kRsp], v.regs[kRsp] - bytes);
  if (!mem_write(v, kSS, sp & low_mask(stack_bytes(v)), bytes, value)) return false;
  v.regs[kRsp] = sp;
  return true;
}

/// Address of the next instruction. 16-bit code that runs on meets the limit of CS at 64 KiB and does not wrap.
inline u64 next_instruction(const Vcpu& v, const Inst& inst) {
  const u64 next = v.rip + inst.length;
  return v.code64() ? next : static_cast<u32>(next);
}

inline unsigned iopl(const Vcpu& v) { return static_cast<unsigned>(v.rflags >> 12) & 3; }

inline void set_flag(Vcpu& v, u64 flag, bool on) { v.rflags = on ? v.rflags | flag : v.rflags & ~flag; }

/// Flags of a result: SF, ZF, PF at a width.
inline void set_szp(Vcpu& v, u64 result, unsigned bytes) {
  result &= low_mask(bytes);
  set_flag(v, kFlagSF, (result >> (bytes * 8 - 1) & 1) != 0);
  set_flag(v, kFlagZF, result == 0);
  set_flag(v, kFlagPF, (__builtin_popcount(static_cast<u8>(result)) & 1) == 0);
}

/// Arithmetic flags of a - b at a width (CMP).
inline void set_compare_flags(Vcpu& v, u64 a, u64 b, unsigned bytes) {
  const u64 mask = low_mask(bytes), sign = 1ull << (bytes * 8 - 1);
  a &= mask, b &= mask;
  const u64 r = (a - b) & mask;
  set_szp(v, r, bytes);
  set_flag(v, kFlagCF, a < b);
  set_flag(v, kFlagAF, ((a ^ b ^ r) & 16) != 0);
  set_flag(v, kFlagOF, ((a ^ b) & (a ^ r) & sign) != 0);
}

/// Port access allowed: CPL <= IOPL, or the TSS's bitmap (always consulted in V8086). False: #GP(0) pending.
[[nodiscard]] bool port_allowed(Vcpu& v, u16 port, unsigned bytes);

}  // namespace rz
