// A decoded guest instruction: everything the translator, the helpers and the disassembler need,
// with registers numbered as in the architecture (0 = RAX ... 15 = R15).
#pragma once

#include "../isa/row.h"

namespace rz {

inline constexpr u8 kNoReg = 0xff;
inline constexpr unsigned kMaxInstBytes = 15;

enum Seg : u8 { kES, kCS, kSS, kDS, kFS, kGS, kSegCount };

/// Width of code in the current code segment.
enum class CodeSize : u8 { k16, k32, k64 };

struct Inst {
  const Row* row;     // never null after a successful decode
  u8 length;          // bytes, 1..15
  u8 operand_bytes;   // effective operand size: 1, 2, 4 or 8 (1 for byte forms)
  u8 address_bytes;   // effective address size: 2, 4 or 8
  u8 opcode;          // last opcode byte
  bool has_memory;    // ModRM names memory (moffs and string operands not included)
  bool rip_relative;  // base is the address of the next instruction
  bool lock;
  bool rep;     // F3 (as REP/REPE)
  bool repne;   // F2
  bool has_66;  // operand-size prefix present
  bool has_67;
  u8 rex;  // raw REX byte, 0 when absent; for VEX/EVEX the equivalent W/R/X/B bits with 0x40 set
  bool rex_w;
  u8 modrm;  // raw byte
  u8 mod;
  u8 reg;       // ModRM.reg with R (0..15; 0..31 under EVEX)
  u8 rm;        // ModRM.rm with B, or the opcode register; meaningful when !has_memory
  u8 vvvv;      // VEX.vvvv, un-inverted
  u8 vex_l;     // 0, 1 or 2 (128, 256, 512 bits)
  u8 evex_aaa;  // EVEX opmask register
  bool evex_z, evex_b;
  u8 seg;           // effective segment of the memory operand (override applied, default DS or SS)
  u8 seg_override;  // the override prefix's segment, or kNoReg
  u8 base;          // base register or kNoReg
  u8 index;         // index register or kNoReg (vector register under VSIB)
  u8 scale;         // shift count 0..3
  i32 disp;         // sign-extended displacement
  u64 imm;          // immediate, sign-extended where the row says so; the offset of a far pointer
  u16 imm2;         // selector of a far pointer; nesting level of ENTER
  u8 imm_bytes;     // bytes of the immediate in the encoding
  u8 memory_bytes;  // bytes the memory operand covers; 0 when there is none or the width varies
};

enum class DecodeStatus : u8 {
  kOk,
  kNeedMoreBytes,  // the instruction goes on past `available`
  kInvalid,        // #UD
  kTooLong,        // more than 15 bytes: #GP(0)
};

/// Decode one instruction.
/// @param bytes      the code; only the first `available` bytes may be read
/// @param available  1..15
/// @param size       code size of the segment
DecodeStatus decode(const u8* bytes, unsigned available, CodeSize size, Inst& out);

/// Decode again, as processors do that do not know the row of `out` and ignore its REP prefix (kElsePlain). `bytes` are
/// those that `out` was decoded from.
void decode_plain(const u8* bytes, CodeSize size, Inst& out);

}  // namespace rz
