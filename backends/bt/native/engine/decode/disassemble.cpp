// The disassembler; see disassemble.h.
#include "disassemble.h"

namespace rz {
namespace {

constexpr const char* kGpr64[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kGpr8[8] = {"al", "cl", "dl", "bl", "ah", "ch", "dh", "bh"};
constexpr const char* kGpr8Rex[8] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};
constexpr const char* kSegs[8] = {"es", "cs", "ss", "ds", "fs", "gs", "?", "?"};

class Text {
 public:
  Text(char* out, unsigned bytes) : out_(out), bytes_(bytes) {}
  void c(char ch) {
    if (at_ + 1 < bytes_) out_[at_] = ch;
    at_++;
  }
  void s(const char* text) {
    while (*text) c(*text++);
  }
  void hex(u64 v) {
    s("0x");
    unsigned digits = 1;
    while (digits < 16 && v >> (4 * digits)) digits++;
    while (digits-- > 0) c("0123456789abcdef"[(v >> (4 * digits)) & 15]);
  }
  void dec(unsigned v) {
    if (v >= 10) dec(v / 10);
    c(static_cast<char>('0' + v % 10));
  }
  unsigned finish() {
    if (bytes_) out_[at_ < bytes_ ? at_ : bytes_ - 1] = 0;
    return at_;
  }

 private:
  char* out_;
  unsigned bytes_, at_ = 0;
};

void gpr(Text& t, unsigned n, unsigned bytes, bool rex) {
  n &= 15;
  if (n >= 8) {
    t.s(kGpr64[n]);
    if (bytes == 4) t.c('d');
    if (bytes == 2) t.c('w');
    if (bytes == 1) t.c('b');
  } else if (bytes == 1) {
    t.s(rex ? kGpr8Rex[n] : kGpr8[n]);
  } else {
    if (bytes == 4) t.c('e');
    if (bytes == 8) t.c('r');
    t.s(kGpr64[n] + 1);
  }
}

unsigned width_bytes(const Inst& inst, Width w) {
  switch (w) {
    case Width::k1: return 1;
    case Width::k2: return 2;
    case Width::k4: return 4;
    case Width::k8: return 8;
    case Width::k16: return 16;
    case Width::k32: return 32;
    case Width::kY: return inst.rex_w ? 8 : 4;
    case Width::kVec: return 16u << inst.vex_l;
    case Width::kHalfVec:
    case Width::kQuarterVec:
    case Width::kEighthVec: return 16;
    default: return inst.operand_bytes;
  }
}

void memory(Text& t, const Inst& inst, u64 rip) {
  switch (inst.memory_bytes) {
    case 1: t.s("byte "); break;
    case 2: t.s("word "); break;
    case 4: t.s("dword "); break;
    case 6: t.s("fword "); break;
    case 8: t.s("qword "); break;
    case 10: t.s("tbyte "); break;
    case 16: t.s("xmmword "); break;
    case 32: t.s("ymmword "); break;
    default: break;
  }
  if (inst.seg_override != kNoReg) {
    t.s(kSegs[inst.seg]);
    t.c(':');
  }
  t.c('[');
  if (inst.rip_relative) {
    t.hex(rip + inst.length + static_cast<u64>(static_cast<i64>(inst.disp)));
    t.c(']');
    return;
  }
  bool first = true;
  if (inst.base != kNoReg) {
    gpr(t, inst.base, inst.address_bytes, true);
    first = false;
  }
  if (inst.index != kNoReg) {
    if (!first) t.c('+');
    if (inst.row->attrs & kVsib) {
      t.s(inst.vex_l ? "ymm" : "xmm");
      t.dec(inst.index);
    } else
      gpr(t, inst.index, inst.address_bytes, true);
    if (inst.scale) {
      t.c('*');
      t.dec(1u << inst.scale);
    }
    first = false;
  }
  const i64 disp = inst.disp;
  if (first) {
    t.hex(inst.address_bytes == 8   ? static_cast<u64>(disp)
          : inst.address_bytes == 4 ? static_cast<u32>(disp)
                                    : static_cast<u16>(disp));
  } else if (disp) {
    t.c(disp < 0 ? '-' : '+');
    t.hex(static_cast<u64>(disp < 0 ? -disp : disp));
  }
  t.c(']');
}

void vector(Text& t, const Inst& inst, unsigned n, Width w) {
  const unsigned bytes = width_bytes(inst, w);
  t.s(bytes == 32 ? "ymm" : bytes == 64 ? "zmm" : "xmm");
  t.dec(n);
}

void string_operand(Text& t, const Inst& inst, char kind) {
  t.s(kind == 'Y' ? "es" : kSegs[inst.seg_override == kNoReg ? +kDS : inst.seg_override]);
  t.s(":[");
  gpr(t, kind == 'Y' ? 7 : 6, inst.address_bytes, true);
  t.c(']');
}

void operand(Text& t, const Inst& inst, u64 rip, const char* p, unsigned n) {
  const Row& row = *inst.row;
  switch (*p) {
    case 'E':
    case 'R':
    case 'W':
    case 'U':
    case 'Q':
    case 'N':
    case 'M':
    case 'F':
    case 'Z':
      if (inst.has_memory) {
        memory(t, inst, rip);
        break;
      }
      switch (row.rm.cls) {
        case RegClass::kGpr: gpr(t, inst.rm, width_bytes(inst, row.rm.width), inst.rex != 0); break;
        case RegClass::kVector: vector(t, inst, inst.rm, row.rm.width); break;
        case RegClass::kMmx:
          t.s("mm");
          t.dec(inst.rm);
          break;
        default:
          t.s("st(");
          t.dec(inst.rm);
          t.c(')');
          break;
      }
      break;
    case 'G': gpr(t, inst.reg, width_bytes(inst, row.reg.width), inst.rex != 0); break;
    case 'B': gpr(t, inst.vvvv, width_bytes(inst, row.vvvv.width), true); break;
    case 'V': vector(t, inst, inst.reg, row.reg.width); break;
    case 'H': vector(t, inst, inst.vvvv, row.vvvv.width); break;
    case 'L': vector(t, inst, static_cast<unsigned>(inst.imm >> 4), Width::kVec); break;
    case 'P':
      t.s("mm");
      t.dec(inst.reg);
      break;
    case 'S': t.s(kSegs[inst.reg & 7]); break;
    case 'C':
      t.s("cr");
      t.dec(inst.reg);
      break;
    case 'D':
      t.s("dr");
      t.dec(inst.reg);
      break;
    case 'X':
    case 'Y': string_operand(t, inst, *p); break;
    case 'O':
      if (inst.seg_override != kNoReg) {
        t.s(kSegs[inst.seg]);
        t.c(':');
      }
      t.c('[');
      t.hex(inst.imm);
      t.c(']');
      break;
    case 'J': {
      const u64 target = rip + inst.length + inst.imm;
      t.hex(inst.operand_bytes == 2   ? static_cast<u16>(target)
            : inst.operand_bytes == 4 ? static_cast<u32>(target)
                                      : target);
      break;
    }
    case 'A':
      t.hex(inst.imm2);
      t.c(':');
      t.hex(inst.imm);
      break;
    case 'I':
      t.hex(row.imm == Imm::k8 || row.imm == Imm::k16 || row.imm == Imm::k16_8 ? inst.imm
            : inst.operand_bytes == 1                                          ? static_cast<u8>(inst.imm)
            : inst.operand_bytes == 2                                          ? static_cast<u16>(inst.imm)
            : inst.operand_bytes == 4                                          ? static_cast<u32>(inst.imm)
                                                                               : inst.imm);
      if (row.imm == Imm::k16_8) {
        t.c(',');
        t.hex(inst.imm2);
      }
      break;
    default:
      if (n == 3 && p[0] == 'a' && p[1] == 'c') {
        gpr(t, 0, inst.operand_bytes, true);
        break;
      }
      for (unsigned i = 0; i < n; i++) t.c(p[i]);
      break;
  }
}

/// Mnemonics that depend on the operand size.
void mnemonic(Text& t, const Inst& inst) {
  const Row& row = *inst.row;
  const unsigned bytes = inst.operand_bytes;
  if (row.map == Map::kOne && row.encoding == Encoding::kLegacy) {
    switch (inst.opcode) {
      case 0x98: t.s(bytes == 2 ? "cbw" : bytes == 4 ? "cwde" : "cdqe"); return;
      case 0x99: t.s(bytes == 2 ? "cwd" : bytes == 4 ? "cdq" : "cqo"); return;
      case 0xe3: t.s(inst.address_bytes == 2 ? "jcxz" : inst.address_bytes == 4 ? "jecxz" : "jrcxz"); return;
      case 0xcf: t.s(bytes == 2 ? "iretw" : bytes == 4 ? "iretd" : "iretq"); return;
      default: break;
    }
  }
  t.s(row.mnemonic);
  const char first = row.operands[0] == '=' ? row.operands[1] : row.operands[0];
  const bool string = row.sem == Sem::kHelper && row.helper >= Helper::k_movs && row.helper <= Helper::k_outs;
  if (string && first) t.c(bytes == 1 ? 'b' : bytes == 2 ? 'w' : bytes == 4 ? 'd' : 'q');
}

}  // namespace

unsigned disassemble(const Inst& inst, u64 rip, char* out, unsigned out_bytes) {
  Text t(out, out_bytes);
  const Row& row = *inst.row;
  if (inst.lock) t.s("lock ");
  if (row.prefix == Mandatory::kAny && row.encoding == Encoding::kLegacy) {
    const bool compares = row.helper == Helper::k_scas || row.helper == Helper::k_cmps;
    if (inst.rep) t.s(compares ? "repe " : "rep ");
    if (inst.repne) t.s("repne ");
  }
  mnemonic(t, inst);
  const char* p = row.operands;
  char separator = ' ';
  while (*p) {
    if (*p == '=' || *p == '+') p++;
    unsigned n = 0;
    while (p[n] && p[n] != ',') n++;
    t.c(separator);
    separator = ',';
    operand(t, inst, rip, p, n);
    p += n;
    if (*p == ',') p++;
  }
  return t.finish();
}

}  // namespace rz
