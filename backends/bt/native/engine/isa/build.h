// The notation in which isa/*.inc writes rows. A line is an opcode, a mnemonic and the manual's operand codes;
// everything the codes imply (fields, widths, mod constraint, immediate, vvvv) is derived here, once.
//
// Operand codes, in Intel order, separated by commas; a leading '=' writes, '+' reads and writes, else reads:
//   E G R B Z   ModRM.rm, .reg, .rm register only, VEX.vvvv, opcode register: general registers
//   V W U H L   the same for vectors (L: bits 7..4 of an immediate)      P Q N  for MMX
//   M           memory only    S C D  segment, control, debug register    F  ST(i) in ModRM.rm
//   I J A O     immediate, branch displacement, far pointer, moffs        X Y  string source, destination
//   lower case  an implicit operand, printed as it is ("acc" is AL/AX/EAX/RAX by operand size)
// Width letters: b w d q dq qq t(10)  v z y (Width::kV, kZ, kY)  x h u e (whole, half, quarter, eighth vector)
//   s stack  p far pointer  a bound pair  g descriptor table  n none  env sav fx xs  state images
#pragma once

#include <array>
#include <utility>

#include "features.h"
#include "row.h"

namespace rz::isa {

// A bad code makes the row non-constant, so the table does not compile.
inline void bad_operand_code() {}

struct Line : Row {
  // ModRM and prefix constraints
  constexpr Line slash(int n) const {
    Line l = *this;
    l.ext = static_cast<i8>(n);
    l.has_modrm = true;
    return l;
  }
  constexpr Line byte(int b) const {
    Line l = *this;
    l.modrm = static_cast<i16>(b);
    l.has_modrm = true;
    l.mod = Mod::kRegister;
    return l;
  }
  constexpr Line np() const { return with(Mandatory::kNone); }
  constexpr Line p66() const { return with(Mandatory::k66); }
  constexpr Line f3() const { return with(Mandatory::kF3); }
  constexpr Line no_rep() const { return with(Mandatory::kNoRep); }
  constexpr Line f2() const { return with(Mandatory::kF2); }
  constexpr Line with(Mandatory m) const {
    Line l = *this;
    l.prefix = m;
    return l;
  }
  constexpr Line mem() const {
    Line l = *this;
    l.mod = Mod::kMemory;
    return l;
  }
  constexpr Line regs() const {
    Line l = *this;
    l.mod = Mod::kRegister;
    return l;
  }
  constexpr Line w(int n) const {
    Line l = *this;
    l.vex_w = static_cast<i8>(n);
    return l;
  }
  constexpr Line l(int n) const {
    Line l = *this;
    l.vex_l = static_cast<i8>(n);
    return l;
  }
  constexpr Line b(int n) const {
    Line l = *this;
    l.rex_b = static_cast<i8>(n);
    return l;
  }
  constexpr Line times(int n) const {
    Line l = *this;
    l.count = static_cast<u8>(n);
    return l;
  }
  // flags
  constexpr Line reads(int f) const {
    Line l = *this;
    l.flags.read = static_cast<u8>(f);
    return l;
  }
  constexpr Line writes(int f) const {
    Line l = *this;
    l.flags.written = static_cast<u8>(f);
    return l;
  }
  constexpr Line undefines(int f) const {
    Line l = *this;
    l.flags.undefined = static_cast<u8>(f);
    return l;
  }
  constexpr Line may_write(int f) const {
    Line l = *this;
    l.flags.maybe = static_cast<u8>(f);
    return l;
  }
  // meaning
  constexpr Line is(Sem s) const {
    Line l = *this;
    l.sem = s;
    return l;
  }
  constexpr Line calls(Helper h) const {
    Line l = *this;
    l.sem = Sem::kHelper;
    l.helper = h;
    return l;
  }
  constexpr Line ends(Helper h) const {
    Line l = *this;
    l.sem = Sem::kHelperEnds;
    l.helper = h;
    return l;
  }
  constexpr Line has(u32 a) const {
    Line l = *this;
    l.attrs |= a;
    return l;
  }
  constexpr Line lacks(u32 a) const {
    Line l = *this;
    l.dropped |= a;
    return l;
  }
  constexpr Line lock() const { return has(kLockable); }
  constexpr Line cpl0() const { return has(kCpl0); }
  constexpr Line traps() const { return has(kFaultsOnHost); }
  constexpr Line aligned() const { return has(kAligned | kFaultsOnHost); }
  constexpr Line cpu(Feature f) const {
    Line l = *this;
    l.feature = static_cast<u8>(f);
    return l;
  }
  u32 dropped = 0;  // attributes that the family default must not add
};

constexpr Width width_of(const char* p, const char* end) {
  const auto n = end - p;
  auto is = [&](const char* text) {
    for (int i = 0; i < n; i++)
      if (text[i] == 0 || text[i] != p[i]) return false;
    return text[n] == 0;
  };
  if (is("b")) return Width::k1;
  if (is("w")) return Width::k2;
  if (is("d")) return Width::k4;
  if (is("q")) return Width::k8;
  if (is("t")) return Width::k10;
  if (is("dq")) return Width::k16;
  if (is("qq")) return Width::k32;
  if (is("v")) return Width::kV;
  if (is("z")) return Width::kZ;
  if (is("y")) return Width::kY;
  if (is("x")) return Width::kVec;
  if (is("h")) return Width::kHalfVec;
  if (is("u")) return Width::kQuarterVec;
  if (is("e")) return Width::kEighthVec;
  if (is("s")) return Width::kStack;
  if (is("p")) return Width::kFar;
  if (is("a")) return Width::kBound;
  if (is("g")) return Width::kDescriptor;
  if (is("n")) return Width::kNone;
  if (is("env")) return Width::kX87Env;
  if (is("sav")) return Width::kX87State;
  if (is("fx")) return Width::kFxState;
  if (is("xs")) return Width::kXState;
  bad_operand_code();
  return Width::kNone;
}

/// Fill in everything that the operand codes say.
constexpr void apply_operands(Line& l) {
  bool byte_seen = false, sized_seen = false;
  const char* p = l.operands;
  while (*p) {
    Operand use = Operand::kReads;
    if (*p == '=') {
      use = Operand::kWrites;
      p++;
    } else if (*p == '+') {
      use = Operand::kReadsWrites;
      p++;
    }
    const char* end = p;
    while (*end && *end != ',') end++;
    const char kind = *p;
    if (kind >= 'A' && kind <= 'Z') {
      const bool immediate = kind == 'I' || kind == 'J' || kind == 'A';
      const Width width = immediate ? Width::kNone : width_of(p + 1, end);
      auto rm = [&](RegClass c) {
        l.rm = {c, use, width};
        l.has_modrm = true;
      };
      auto reg = [&](RegClass c) {
        l.reg = {c, use, width};
        l.has_modrm = true;
      };
      auto vvvv = [&](RegClass c) {
        l.vvvv = {c, use, width};
        l.attrs |= kVvvvUsed;
      };
      switch (kind) {
        case 'E': rm(RegClass::kGpr); break;
        case 'R':
          rm(RegClass::kGpr);
          l.mod = Mod::kRegister;
          break;
        case 'G': reg(RegClass::kGpr); break;
        case 'B': vvvv(RegClass::kGpr); break;
        case 'Z':
          l.rm = {RegClass::kGpr, use, width};
          l.attrs |= kOpcodeReg;
          l.count = 8;
          break;
        case 'M':
          l.rm = {RegClass::kNone, use, width};
          l.has_modrm = true;
          l.mod = Mod::kMemory;
          break;
        case 'V': reg(RegClass::kVector); break;
        case 'W': rm(RegClass::kVector); break;
        case 'U':
          rm(RegClass::kVector);
          l.mod = Mod::kRegister;
          break;
        case 'H': vvvv(RegClass::kVector); break;
        case 'L': l.imm = Imm::kIs4; break;
        case 'P': reg(RegClass::kMmx); break;
        case 'Q': rm(RegClass::kMmx); break;
        case 'N':
          rm(RegClass::kMmx);
          l.mod = Mod::kRegister;
          break;
        case 'F':
          l.rm = {RegClass::kX87, use, width};
          l.has_modrm = true;
          l.mod = Mod::kRegister;
          break;
        case 'S': reg(RegClass::kSegment); break;
        case 'C': reg(RegClass::kControl); break;
        case 'D': reg(RegClass::kDebug); break;
        case 'O': l.imm = Imm::kMoffs; break;
        case 'X':
        case 'Y': break;
        case 'I':
          l.imm = p[1] == 'b'   ? (p + 2 != end && p[2] == 's' ? Imm::k8s : Imm::k8)
                  : p[1] == 'w' ? (p + 2 != end && p[2] == 'b' ? Imm::k16_8 : Imm::k16)
                  : p[1] == 'z' ? Imm::kZ
                                : Imm::kV;
          break;
        case 'J': l.imm = p[1] == 'b' ? Imm::kRel8 : Imm::kRelZ; break;
        case 'A': l.imm = Imm::kFar; break;
        default: bad_operand_code();
      }
      const bool general = kind == 'E' || kind == 'G' || kind == 'R' || kind == 'B' || kind == 'Z' || kind == 'O' ||
                           kind == 'X' || kind == 'Y';
      if (general && width == Width::k1)
        byte_seen = true;
      else if (!immediate && kind != 'L')
        sized_seen = true;
    } else if (kind == 'a' && p[1] == 'l') {
      byte_seen = true;
    } else if (kind == 'a') {
      sized_seen = true;
    }
    p = *end ? end + 1 : end;
  }
  if (byte_seen && !sized_seen) l.attrs |= kByteForm;
}

constexpr Line line(Map map, int opcode, const char* mnemonic, const char* operands) {
  Line l;
  l.mnemonic = mnemonic;
  l.map = map;
  l.opcode = static_cast<u8>(opcode);
  l.sem = Sem::kIdentity;
  l.operands = operands;
  apply_operands(l);
  return l;
}

constexpr Line one(int opcode, const char* m, const char* ops = "") { return line(Map::kOne, opcode, m, ops); }
constexpr Line x0f(int opcode, const char* m, const char* ops = "") { return line(Map::k0F, opcode, m, ops); }
constexpr Line x38(int opcode, const char* m, const char* ops = "") { return line(Map::k0F38, opcode, m, ops); }
constexpr Line x3a(int opcode, const char* m, const char* ops = "") { return line(Map::k0F3A, opcode, m, ops); }

constexpr Line vex(Mandatory p, Map map, int opcode, const char* m, const char* ops) {
  Line l = line(map, opcode, m, ops);
  l.encoding = Encoding::kVex;
  l.prefix = p;
  return l;
}

inline constexpr Mandatory PN = Mandatory::kNone, P66 = Mandatory::k66, PF3 = Mandatory::kF3, PF2 = Mandatory::kF2;
inline constexpr Map M0F = Map::k0F, M38 = Map::k0F38, M3A = Map::k0F3A;

/// Give every line of a family its common attributes and feature (a line's own feature wins).
template <size_t N>
constexpr std::array<Row, N> family(u32 attrs, Feature feature, const Line (&lines)[N]) {
  std::array<Row, N> rows{};
  for (size_t i = 0; i < N; i++) {
    Line l = lines[i];
    l.attrs |= attrs & ~l.dropped;
    if (l.feature == 0) l.feature = static_cast<u8>(feature);
    // Legacy SSE demands alignment of 16-byte memory operands unless the line says otherwise.
    if ((l.attrs & kNeedsSse) && l.encoding == Encoding::kLegacy && l.mod != Mod::kRegister &&
        l.rm.width == Width::k16 && !(l.dropped & kAligned) && l.sem == Sem::kIdentity)
      l.attrs |= kAligned | kFaultsOnHost;
    rows[i] = l;
  }
  return rows;
}

// Shorthands for flag sets and condition codes.
inline constexpr int kOSZAPC = kAllFlags, kOSZPC = kAllFlags & ~kAF, kOSZAP = kAllFlags & ~kCF,
                     kSZAP = kSF | kZF | kAF | kPF, kOC = kOF | kCF;
inline constexpr u8 kConditionReads[16] = {kOF, kOF, kCF, kCF, kZF,       kZF,       kCF | kZF,       kCF | kZF,
                                           kSF, kSF, kPF, kPF, kSF | kOF, kSF | kOF, kZF | kSF | kOF, kZF | kSF | kOF};

// clang-format off
/// Condition-code suffixes in opcode order.
#define RZ_CONDITIONS(X)                                                                                       \
  X(0, "o") X(1, "no") X(2, "b") X(3, "ae") X(4, "e") X(5, "ne") X(6, "be") X(7, "a")                         \
  X(8, "s") X(9, "ns") X(10, "p") X(11, "np") X(12, "l") X(13, "ge") X(14, "le") X(15, "g")
// clang-format on

}  // namespace rz::isa
