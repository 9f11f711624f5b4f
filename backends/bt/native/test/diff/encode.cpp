// Builds the bytes of one random instruction from its row; see encode.h. The caller decodes them to see what came out.
#include "encode.h"

#include <cstring>

#include "values.h"

namespace rz::diff {
namespace {

bool sized(const Row& row) {
  if (row.attrs & kByteForm) return false;
  auto v = [](const Field& f) { return f.width == Width::kV || f.width == Width::kZ || f.width == Width::kStack; };
  if (v(row.reg) || v(row.rm)) return true;
  return std::strstr(row.operands, "acc") || std::strstr(row.operands, "Xv") || row.sem == Sem::kPushImm ||
         row.sem == Sem::kPushf || row.sem == Sem::kLeave || row.operands[0] == 0;
}

// The register numbers of a ModRM byte's 16-bit memory forms that name one register.
int rm_of_base16(u8 base) {
  switch (base) {
    case 6: return 4;
    case 7: return 5;
    case 5: return 6;
    default: return 7;
  }
}

void put(std::vector<u8>& out, u64 value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++, value >>= 8) out.push_back(static_cast<u8>(value));
}

}  // namespace

void encode(const Row& row, Rng& rng, const Form& form, CodeSize size, std::vector<u8>& out) {
  const bool is64 = size == CodeSize::k64;
  const bool vex = row.encoding != Encoding::kLegacy;
  const bool gas = rng() % 3 != 0;
  bool memory = row.mod == Mod::kMemory || (row.mod == Mod::kAny && rng() % 2);
  if (row.modrm >= 0) memory = false;
  // 67 makes no sense in 32-bit code here: 16-bit offsets do not reach the scratch pages of a flat segment.
  const bool a67 = form.kind == Form::kAny && size != CodeSize::k32 &&
                   (rng() % 10 == 0 || (size == CodeSize::k16 && (row.attrs & kVsib)));
  const bool address16 = size == CodeSize::k16 && !a67;
  const bool bw = row.vex_w == 1 || (row.vex_w < 0 && (is64 || vex) && rng() % 3 == 0);
  const bool rep_string = row.sem == Sem::kHelper && row.helper >= Helper::k_movs && row.helper <= Helper::k_cmps;
  const bool based = form.kind == Form::kBased && memory;
  const bool indexed = based && !address16 && form.index != kNoReg && rng() % 3 == 0;
  const u8 r = is64 ? rng() % 2 : 0;
  const u8 x = based ? (indexed ? form.index >> 3 : 0) : is64 ? rng() % 2 : 0;
  const u8 b = based ? static_cast<u8>(form.base >> 3) : row.rex_b == 0 || !is64 ? 0 : static_cast<u8>(rng() % 2);
  if (!vex) {
    if (row.prefix == Mandatory::k66)
      out.push_back(0x66);
    else if ((row.prefix == Mandatory::kAny || row.prefix == Mandatory::kNoRep || row.prefix == Mandatory::kF2 ||
              row.prefix == Mandatory::kF3) &&
             sized(row) && rng() % 4 == 0)
      out.push_back(0x66);
    if (row.prefix == Mandatory::kF3) out.push_back(0xf3);
    if (row.prefix == Mandatory::kF2) out.push_back(0xf2);
    if (rep_string && rng() % 3) out.push_back(rng() % 2 ? 0xf3 : 0xf2);
    if ((row.attrs & kLockable) && memory && rng() % 4 == 0) out.push_back(0xf0);
  }
  if (a67) out.push_back(0x67);
  if (rng() % 16 == 0) out.push_back(rng() % 2 ? 0x3e : rng() % 2 ? 0x36 : 0x26);
  const unsigned map = static_cast<unsigned>(row.map);
  if (vex) {
    const unsigned pp = row.prefix == Mandatory::k66   ? 1
                        : row.prefix == Mandatory::kF3 ? 2
                        : row.prefix == Mandatory::kF2 ? 3
                                                       : 0;
    const unsigned v = row.attrs & kVvvvUsed ? (is64 ? rng() & 15 : 8 | (rng() & 7)) : 15;
    const unsigned l = row.vex_l >= 0 ? static_cast<unsigned>(row.vex_l) : rng() & 1;
    if (map == 1 && !bw && !(based && (x || b)) && rng() % 2) {
      out.push_back(0xc5);
      out.push_back(static_cast<u8>((r ^ 1) << 7 | v << 3 | l << 2 | pp));
    } else {
      out.push_back(0xc4);
      out.push_back(static_cast<u8>((r ^ 1) << 7 | (x ^ 1) << 6 | (b ^ 1) << 5 | map));
      out.push_back(static_cast<u8>(bw << 7 | v << 3 | l << 2 | pp));
    }
  } else {
    const u8 rex = static_cast<u8>(0x40 | bw << 3 | r << 2 | x << 1 | b);
    if (is64 && (rex != 0x40 || rng() % 4 == 0)) {
      if (bw || gas || based) out.push_back(rex);
    }
    if (map >= 1) out.push_back(0x0f);
    if (map == 2) out.push_back(0x38);
    if (map == 3) out.push_back(0x3a);
  }
  out.push_back(static_cast<u8>(row.opcode + rng() % row.count));
  if (row.has_modrm) {
    u8 modrm;
    if (row.modrm >= 0) {
      modrm = static_cast<u8>(row.modrm);
    } else {
      modrm = static_cast<u8>(rng());
      if (row.ext >= 0) modrm = static_cast<u8>((modrm & 0xc7) | row.ext << 3);
      if (row.reg.cls == RegClass::kSegment) modrm &= 0xdf;
      if (!memory)
        modrm |= 0xc0;
      else if (form.kind == Form::kRipRelative)
        modrm = static_cast<u8>((modrm & 0x38) | (address16 ? 6 : 5));
      else if (based)
        modrm = static_cast<u8>((modrm & 0x38) | (1 + rng() % 2) << 6 |
                                (address16                         ? rm_of_base16(form.base)
                                 : indexed || (form.base & 7) == 4 ? 4
                                                                   : form.base & 7));
      else if (modrm >= 0xc0)
        modrm &= static_cast<u8>(0x3f | rng() % 3 << 6);
      if (memory && (row.attrs & kVsib)) modrm = static_cast<u8>((modrm & 0xf8) | 4);
    }
    out.push_back(modrm);
    // SIB, displacement: noise now, patched by the solver where it must be.
    if (modrm < 0xc0 && address16) {
      const unsigned mod = modrm >> 6;
      put(out, rng() % 2 ? rng() : static_cast<u64>(static_cast<i64>(rng() % 256) - 128),
          mod == 1                       ? 1
          : mod == 2 || (modrm & 7) == 6 ? 2
                                         : 0);
    } else if (modrm < 0xc0) {
      u8 sib = 0;
      if ((modrm & 7) == 4) {
        sib = static_cast<u8>(rng());
        if (based) sib = static_cast<u8>((sib & 0xc0) | (indexed ? form.index & 7 : 4) << 3 | (form.base & 7));
        out.push_back(sib);
      }
      const unsigned mod = modrm >> 6;
      unsigned disp = mod == 1 ? 1 : mod == 2 ? 4 : 0;
      if (mod == 0 && ((modrm & 7) == 5 || ((modrm & 7) == 4 && (sib & 7) == 5))) disp = 4;
      put(out, rng() % 2 ? rng() : static_cast<u64>(static_cast<i64>(rng() % 256) - 128), disp);
    }
  }
  // Immediate: as many bytes as any form needs; the decoder says how many were used.
  put(out, integer_value(rng), 8);
}

}  // namespace rz::diff
