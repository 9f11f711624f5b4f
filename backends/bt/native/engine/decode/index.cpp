// Builds the opcode index at compile time and proves that it is unambiguous; see index.h.
#include "index.h"

#include "../isa/rows.h"

namespace rz::decode_index {
namespace {

constexpr u32 mask_of(const Row& r) {
  u32 m = 0;
  switch (r.prefix) {
    case Mandatory::kAny: m |= 15; break;
    case Mandatory::kNone: m |= 1; break;
    case Mandatory::k66: m |= 2; break;
    case Mandatory::kF3: m |= 4; break;
    case Mandatory::kF2: m |= 8; break;
    case Mandatory::kNoRep: m |= 3; break;
  }
  m |= (r.ext < 0 ? 0xffu : 1u << r.ext) << kExtShift;
  m |= (r.mod == Mod::kAny ? 3u : r.mod == Mod::kMemory ? 1u : 2u) << kModShift;
  // Outside 64-bit mode VEX.W does not choose between general-register widths: such rows act as W0.
  const bool general = (r.attrs & kVexWGpr) != 0;
  u32 w = r.vex_w < 0 ? 15u : r.vex_w == 0 ? (general ? 13u : 5u) : (general ? 2u : 10u);
  if (r.attrs & kNo64) w &= ~3u;
  if (r.attrs & kOnly64) w &= 3u;
  m |= w << kWModeShift;
  m |= (r.vex_l < 0 ? 3u : 1u << r.vex_l) << kLShift;
  m |= (r.rex_b < 0 ? 3u : 1u << r.rex_b) << kBShift;
  return m;
}

constexpr int bits(u32 v) {
  int n = 0;
  for (; v; v &= v - 1) n++;
  return n;
}

// More specific candidates come first.
constexpr bool before(const Candidate& a, const Candidate& b) {
  if ((a.modrm >= 0) != (b.modrm >= 0)) return a.modrm >= 0;
  return bits(a.mask) < bits(b.mask);
}

constexpr Index build() {
  Index index{};
  for (const Row& r : isa::kRows)
    for (unsigned i = 0; i < r.count; i++)
      index.entry[r.encoding == Encoding::kVex][static_cast<u8>(r.map)][r.opcode + i].count++;
  u16 at = 0;
  for (auto& map : index.entry)
    for (auto& entries : map)
      for (Entry& e : entries) {
        e.first = at;
        at = static_cast<u16>(at + e.count);
        e.count = 0;
      }
  u16 number = 0;
  for (const Row& r : isa::kRows) {
    for (unsigned i = 0; i < r.count; i++) {
      Entry& e = index.entry[r.encoding == Encoding::kVex][static_cast<u8>(r.map)][r.opcode + i];
      const Candidate c{mask_of(r), r.modrm, number};
      unsigned slot = e.count++;
      for (; slot > 0 && before(c, index.candidates[e.first + slot - 1]); slot--)
        index.candidates[e.first + slot] = index.candidates[e.first + slot - 1];
      index.candidates[e.first + slot] = c;
      e.has_modrm |= r.has_modrm;
    }
    number++;
  }
  return index;
}

constexpr Index kBuilt = build();

constexpr bool groups_meet(u32 both) {
  constexpr unsigned kStarts[] = {kPrefixShift, kExtShift, kModShift, kWModeShift, kLShift, kBShift, kMaskBits};
  for (unsigned g = 0; g + 1 < std::size(kStarts); g++)
    if ((both >> kStarts[g] & ((1u << (kStarts[g + 1] - kStarts[g])) - 1)) == 0) return false;
  return true;
}

// Two rows may meet only where one is a special case of the other.
constexpr bool unambiguous() {
  for (const auto& map : kBuilt.entry)
    for (const auto& entries : map)
      for (const Entry& e : entries)
        for (unsigned i = 0; i < e.count; i++)
          for (unsigned j = i + 1; j < e.count; j++) {
            const Candidate &a = kBuilt.candidates[e.first + i], &b = kBuilt.candidates[e.first + j];
            if (a.modrm != b.modrm) continue;
            if (groups_meet(a.mask & b.mask) && (a.mask == b.mask || (a.mask & ~b.mask) != 0)) return false;
          }
  return true;
}

constexpr bool modrm_agrees() {
  for (const Row& r : isa::kRows)
    for (unsigned i = 0; i < r.count; i++)
      if (kBuilt.entry[r.encoding == Encoding::kVex][static_cast<u8>(r.map)][r.opcode + i].has_modrm != r.has_modrm)
        return false;
  return true;
}

static_assert(unambiguous(), "two rows claim the same bytes");
static_assert(modrm_agrees(), "rows of one opcode disagree on having a ModRM byte");

constexpr Inst blank() {
  Inst out{};
  out.seg_override = out.base = out.index = kNoReg;
  out.seg = kDS;
  return out;
}

constexpr int kNoRow = -1;

/// Position in isa::kRows of an opcode that is an instruction by itself, without prefix, ModRM or immediate, or kNoRow.
/// (Not its address: to GCC with UndefinedBehaviorSanitizer, comparing that with null is no constant.)
constexpr int row_alone(bool is64, unsigned byte) {
  if (kPrefixes.kind[byte] != kNotPrefix && (is64 || kPrefixes.kind[byte] != kRexPrefix)) return kNoRow;
  const Entry e = kBuilt.entry[0][0][byte];
  if (e.has_modrm) return kNoRow;
  const u32 query = 1u << kPrefixShift | 1u << kExtShift | 1u << kModShift | 1u << (kWModeShift + (is64 ? 0 : 2)) |
                    1u << kLShift | 1u << kBShift;
  for (unsigned i = 0; i < e.count; i++) {
    const Candidate& c = kBuilt.candidates[e.first + i];
    if ((query & ~c.mask) != 0) continue;
    return isa::kRows[c.row].imm == Imm::kNone ? c.row : kNoRow;
  }
  return kNoRow;
}

constexpr OneByte one_byte() {
  OneByte t{};
  unsigned count = 0;
  t.inst[count++] = blank();
  for (const CodeSize size : {CodeSize::k32, CodeSize::k64}) {
    const bool is64 = size == CodeSize::k64;
    for (unsigned byte = 0; byte < 256; byte++) {
      const int number = row_alone(is64, byte);
      if (number == kNoRow) continue;
      const Row& row = isa::kRows[static_cast<unsigned>(number)];
      Inst& out = t.inst[count];
      out = blank();
      out.row = &row;
      out.opcode = static_cast<u8>(byte);
      out.length = 1;
      out.address_bytes = is64 ? 8 : 4;
      out.operand_bytes = operand_size(row, out, size);
      if (row.attrs & kOpcodeReg) out.rm = byte & 7;
      t.number[is64][byte] = static_cast<u8>(count++);
    }
  }
  return t;
}

}  // namespace

constexpr const Index kIndex = kBuilt;
constexpr const OneByte kOneByte = one_byte();

}  // namespace rz::decode_index
