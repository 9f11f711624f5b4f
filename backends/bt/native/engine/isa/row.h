// One row per opcode line of the manual's opcode maps: what the bytes are, which operands they
// name, which flags they touch, and which meaning the translator gives them. The tables in
// isa/*.inc are the only place that names an opcode; decoder, disassembler, translator, coverage
// list and random tests all read them.
#pragma once

#include "../cpu/types.h"

namespace rz {

/// Opcode map: legacy one-byte, 0F, 0F38, 0F3A; VEX and EVEX rows say so in `encoding`.
enum class Map : u8 { kOne, k0F, k0F38, k0F3A };

/// Mandatory prefix that selects the row; kAny: 66/F2/F3 keep their ordinary meaning.
/// kNoRep: 66 keeps its ordinary meaning, F2 and F3 select other rows.
enum class Mandatory : u8 { kAny, kNone, k66, kF3, kF2, kNoRep };

enum class Encoding : u8 { kLegacy, kVex, kEvex };

/// Constraint on ModRM.mod.
enum class Mod : u8 { kAny, kMemory, kRegister };

/// Which register file a ModRM.reg, ModRM.rm or vvvv field names.
enum class RegClass : u8 { kNone, kGpr, kVector, kMmx, kX87, kSegment, kControl, kDebug, kMask };

/// Width of an operand. kV: operand size (2/4/8); kZ: like kV but an immediate of at most 4 bytes;
/// kY: 4, or 8 with REX.W/VEX.W; kVec: 16/32/64 by VEX.L; kHalfVec, kQuarterVec: parts of that;
/// kStack: operand size with the 64-bit default of stack operations.
enum class Width : u8 {
  kNone,
  k1,
  k2,
  k4,
  k8,
  k10,
  k16,
  k32,
  k64,
  kV,
  kZ,
  kY,
  kVec,
  kHalfVec,
  kQuarterVec,
  kEighthVec,
  kStack,
  kFar,         // 16:16, 16:32 or 16:64 pointer in memory
  kBound,       // two operand-size values
  kDescriptor,  // 2+4 or 2+8 bytes (LGDT and friends)
  kX87Env,
  kX87State,
  kFxState,
  kXState,  // 14/28, 94/108, 512, XSAVE area
};

enum class Operand : u8 { kUnused = 0, kReads = 1, kWrites = 2, kReadsWrites = 3 };

/// What one encoded field of an instruction is.
struct Field {
  RegClass cls = RegClass::kNone;
  Operand use = Operand::kUnused;
  Width width = Width::kNone;
};

/// Arithmetic flags as the bits of a liveness mask (not the EFLAGS positions).
enum Flag : u8 { kCF = 1, kPF = 2, kAF = 4, kZF = 8, kSF = 16, kOF = 32, kAllFlags = 63 };

struct Flags {
  u8 read = 0;       // read before anything is written
  u8 written = 0;    // always overwritten, with a defined value
  u8 undefined = 0;  // always overwritten, with a value the manual does not define
  u8 maybe = 0;      // overwritten only sometimes (shift by a zero count): the old value may survive
};

/// How the translator realises a row. Everything that the host can do itself is kIdentity.
enum class Sem : u16 {
  kUndefined = 0,  // #UD
  kIdentity,       // re-encode: same opcode, mapped registers, memory operand -> host operand
  kNop,            // NOP, PAUSE, PREFETCH*, ENDBR, multi-byte NOP: no effect, no memory access
  kIncDecShort,    // 40..4F outside 64-bit mode: the host needs FE/FF form
  kMovOffs,        // A0..A3: accumulator <-> moffs
  kLea,
  kMovImm,   // B0..BF, C6/C7: move immediate
  kBitTest,  // BT/BTS/BTR/BTC r/m, reg: a memory operand is addressed by the bit offset
  kPushReg,
  kPushImm,
  kPushRm,
  kPopReg,
  kPopRm,
  kLeave,
  kCallRel,
  kCallRm,
  kJmpRel,
  kJmpRm,
  kJcc,
  kLoop,
  kLoope,
  kLoopne,
  kJcxz,
  kRet,
  kRetImm,
  kPushf,
  kClc,
  kStc,
  kCmc,
  kCld,
  kStd,
  kLahf,
  kSahf,         // kClc/kStc/kCmc/kLahf/kSahf run natively
  kX87Identity,  // x87 whose state image is not written to memory
  kHelper,       // calls the C++ function of `helper`; goes on with the next instruction
  kHelperEnds,   // as kHelper, and the block ends (mode, mapping or control may have changed)
};

// clang-format off
// X-list of the C++ helpers (ops/ops.h declares each as `OpResult op_NAME(Vcpu&, const Inst&)`).
#define RZ_HELPERS(X)                                                                              \
  X(none)                                                                                          \
  /* string instructions, with and without REP, all sizes */                                       \
  X(movs) X(stos) X(lods) X(scas) X(cmps) X(ins) X(outs)                                           \
  /* port I/O, processor control */                                                                \
  X(in) X(out) X(hlt) X(cli) X(sti) X(cpuid) X(rdtsc) X(rdtscp) X(rdpmc) X(rdmsr) X(wrmsr)         \
  X(mov_from_cr) X(mov_to_cr) X(mov_from_dr) X(mov_to_dr) X(clts) X(lmsw) X(smsw)                  \
  X(lgdt) X(lidt) X(sgdt) X(sidt) X(lldt) X(sldt) X(ltr) X(str) X(lar) X(lsl) X(verr) X(verw)      \
  X(invd) X(wbinvd) X(invlpg) X(invpcid) X(swapgs) X(rdfsbase) X(wrfsbase) X(xgetbv) X(xsetbv)     \
  X(clac) X(stac) X(rdpkru) X(wrpkru) X(monitor) X(mwait) X(vmcall) X(rdpid) X(arpl)               \
  X(rdrand) X(rdseed) X(pause)                                                                     \
  /* control transfer */                                                                           \
  X(int_imm) X(int3) X(int1) X(into) X(iret) X(syscall) X(sysret) X(sysenter) X(sysexit)           \
  X(call_far) X(jmp_far) X(ret_far) X(ud) X(rsm)                                                   \
  /* segment registers and stack */                                                                \
  X(mov_from_seg) X(mov_to_seg) X(push_seg) X(pop_seg) X(load_far_ptr) X(pushf) X(popf) X(pusha) X(popa)    \
  X(enter) X(bound)                                                                                \
  /* not in 64-bit mode */                                                                         \
  X(daa) X(das) X(aaa) X(aas) X(aam) X(aad) X(xlat) X(salc)                                        \
  /* state images whose layout or pointers must not leak the host's */                             \
  X(fnstenv) X(fldenv) X(fnsave) X(frstor) X(fxsave) X(fxrstor)                                    \
  X(xsave) X(xsaveopt) X(xsavec) X(xrstor) X(ldmxcsr) X(fwait)                                     \
  /* vector memory operands that are not one range */                                              \
  X(maskmov) X(gather) X(vmaskmov)
// clang-format on

enum class Helper : u8 {
#define RZ_HELPER_ENUM(name) k_##name,
  RZ_HELPERS(RZ_HELPER_ENUM)
#undef RZ_HELPER_ENUM
};

/// Row attributes, as bits.
enum Attr : u32 {
  kAttrNone = 0,
  kNo64 = 1u << 0,          // #UD in 64-bit mode
  kOnly64 = 1u << 1,        // exists in 64-bit mode only (elsewhere the bytes mean another row)
  kDefault64 = 1u << 2,     // operand size defaults to 64 in 64-bit mode (push, pop, near branches)
  kForce64 = 1u << 3,       // operand size is 64 in 64-bit mode, 66 ignored (near branches)
  kLockable = 1u << 4,      // LOCK is allowed when the destination is memory
  kCpl0 = 1u << 5,          // #GP(0) unless CPL = 0 (checked before anything else)
  kFaultsOnHost = 1u << 6,  // may raise SIGFPE/SIGSEGV when run natively (DIV, aligned SSE, x87, SIMD exceptions)
  kNeedsFpu = 1u << 7,      // #NM when CR0.EM or CR0.TS (x87)
  kNeedsMmx = 1u << 8,      // #UD when CR0.EM, #NM when CR0.TS
  kNeedsSse = 1u << 9,      // #UD when CR0.EM or !CR4.OSFXSR, #NM when CR0.TS
  kNeedsAvx = 1u << 10,     // #UD when !CR4.OSXSAVE or XCR0 lacks AVX, #NM when CR0.TS
  kNeedsAvx512 = 1u << 11,
  kAligned = 1u << 12,    // memory operand must be aligned to its width (#GP)
  kVexWGpr = 1u << 13,    // VEX.W selects 64-bit general registers (BMI)
  kVvvvUsed = 1u << 14,   // VEX.vvvv names an operand (else it must be 1111b)
  kOpcodeReg = 1u << 16,  // low three opcode bits (+REX.B) name a register; described by `rm`
  kVsib = 1u << 17,
  kElsePlain = 1u << 21,  // without its feature the row's mandatory prefix is ignored (LZCNT is BSR then)
  kWide64 = 1u << 20,     // operand size is 8 in 64-bit mode, else 4, whatever the prefixes say
  kByteForm = 1u << 19,   // the operand size is one byte whatever the prefixes say
};

/// Immediate operand: its width in the encoding. kImm8s is sign-extended to the operand size.
enum class Imm : u8 { kNone, k8, k8s, k16, kZ, kV, kRel8, kRelZ, kMoffs, kFar, k16_8, kIs4 };

struct Row {
  const char* mnemonic = nullptr;
  Map map = Map::kOne;
  u8 opcode = 0;  // first opcode of the row
  u8 count = 1;   // consecutive opcodes with the same row (8 for +r, 16 for Jcc)
  Mandatory prefix = Mandatory::kAny;
  Encoding encoding = Encoding::kLegacy;
  i8 ext = -1;     // ModRM.reg that selects the row, or -1
  i16 modrm = -1;  // whole ModRM byte that selects the row (0F 01 C0 ...), or -1
  Mod mod = Mod::kAny;
  i8 vex_w = -1;  // required VEX.W/EVEX.W (or REX.W for legacy), or -1
  i8 vex_l = -1;  // required VEX.L, or -1
  Field reg;      // ModRM.reg
  Field rm;       // ModRM.rm, memory or register; or the opcode register
  Field vvvv;     // VEX.vvvv
  Imm imm = Imm::kNone;
  Flags flags;
  Sem sem = Sem::kUndefined;
  Helper helper = Helper::k_none;
  u32 attrs = kAttrNone;
  u8 feature = 0;  // isa/features.h: CPUID bit without which the row is #UD; 0: always there
  bool has_modrm = false;
  i8 rex_b = -1;              // required REX.B, or -1 (90 is NOP only without it)
  const char* operands = "";  // the manual's operand codes in Intel order; notation in isa/build.h
};

}  // namespace rz
