// Random instructions: encode a row, decode the bytes, then solve the registers so that the memory operand lands in the
// scratch pages. See generate.h.
#include "generate.h"

#include <cpuid.h>

#include <cstring>

#include "decode/disassemble.h"
#include "encode.h"
#include "isa/features.h"
#include "isa/list.h"
#include "values.h"

namespace rz::diff {
namespace {

u64 host_xcr0() {
  u32 low = 7, high = 0;
  if (host_has(static_cast<u8>(Feature::Xsave))) asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<u64>(high) << 32 | low;
}

// State images: user-mode, but not part of user_computation() because they show host pointers unless helped.
bool state_image(const Row& row) {
  if (row.attrs & kCpl0) return false;
  switch (row.helper) {
    case Helper::k_fnstenv:
    case Helper::k_fldenv:
    case Helper::k_fnsave:
    case Helper::k_frstor:
    case Helper::k_fxsave:
    case Helper::k_fxrstor:
    case Helper::k_xgetbv: return host_xcr0() == 7;
    case Helper::k_xsave:
    case Helper::k_xsaveopt:
    case Helper::k_xsavec:
    case Helper::k_xrstor: return true;
    default: return false;
  }
}

bool memory_at_register(const Row& row) {
  return row.sem == Sem::kHelper && row.helper >= Helper::k_movs && row.helper <= Helper::k_cmps;
}

// Where in the scratch pages an access of `bytes` should land.
u64 target_address(Rng& rng, unsigned bytes, bool aligned) {
  const u64 mask = aligned ? ~static_cast<u64>(bytes - 1) : ~0ull;
  const unsigned kind = rng() % 32;
  if (kind == 0)
    return (kScratchAt + 0x2000 - 40 + rng() % 80) & (aligned ? mask : ~0ull);  // around the read-only page
  if (kind == 1) return (kScratchAt + 0x3000 - 40 + rng() % 80) & (aligned ? mask : ~0ull);  // around the end
  if (kind < 5) return (kScratchAt + 0x1000 - 40 + rng() % 80) & mask;                       // around a page boundary
  return (kScratchAt + 0x200 + rng() % 0xc00) & (rng() % 2 ? ~15ull : mask);
}

struct Solver {
  Rng& rng;
  TestCase& test;
  std::vector<u8>& code;  // bytes of this instruction
  Inst& inst;
  u64 rip;  // where it stands

  void patch_disp(u64 value, unsigned bytes) {
    const size_t at = inst.length - inst.imm_bytes - bytes;
    for (unsigned i = 0; i < bytes; i++) code[at + i] = static_cast<u8>(value >> (8 * i));
  }

  u64 data() const { return data_base(test.size); }

  // 16-bit addressing: the low halves of two registers at most.
  bool solve_memory16(u64 offset) {
    u64* g = test.start.gpr;
    auto low = [&](u8 n, u64 value) { g[n] = (g[n] & ~0xffffull) | (value & 0xffff); };
    if (inst.base == kNoReg) {
      patch_disp(offset, 2);
      return true;
    }
    const u64 index = inst.index == kNoReg ? 0 : g[inst.index];
    low(inst.base, offset - static_cast<u64>(static_cast<i64>(inst.disp)) - index);
    return true;
  }

  // The registers have their values: only the displacement can give.
  bool solve_displacement(u64 target, bool keep_aligned) {
    const u64 index = inst.index == kNoReg ? 0 : test.start.gpr[inst.index] << inst.scale;
    const u64 disp = target - data() - test.start.gpr[inst.base] - index;
    const unsigned bytes = inst.mod == 1 ? 1 : inst.address_bytes == 2 ? 2 : 4;
    if (inst.mod == 1 && keep_aligned && (inst.disp & 15)) return false;
    if (inst.mod != 1) patch_disp(disp, bytes);
    return true;
  }

  bool solve_memory(u64 target) {
    target -= data();
    if (inst.address_bytes == 2) return solve_memory16(target);
    u64* g = test.start.gpr;
    const bool disp32 = inst.mod == 2 || inst.rip_relative || inst.base == kNoReg;
    const u64 mask = inst.address_bytes == 4 ? 0xffffffff : ~0ull;
    const u64 wide = test.size == CodeSize::k64 ? ~0ull : 0xffffffff;  // what a register holds
    const u64 disp = static_cast<u64>(static_cast<i64>(inst.disp));
    if (inst.rip_relative) {
      patch_disp(target - (rip + inst.length), 4);
      return true;
    }
    if (inst.row->attrs & kVsib) {
      if (inst.base == kNoReg)
        patch_disp(target, 4);
      else
        g[inst.base] = (target - disp) & wide;
      for (unsigned i = 0; i < 8; i++) {  // small indices, as 32 or 64 bits
        const i64 v = static_cast<i64>(rng() % 64) - 32;
        u8* at =
            i < 4 ? test.start.vector.xmm(inst.index) + 4 * i : test.start.vector.ymm_high(inst.index) + 4 * (i - 4);
        const bool qwords = (inst.opcode & 1) != 0;
        const u32 word = qwords && (i & 1) ? static_cast<u32>(0) : static_cast<u32>(v < 0 && qwords ? -v : v);
        std::memcpy(at, &word, 4);
      }
      return true;
    }
    if (inst.index == kNoReg) {
      if (inst.base == kNoReg) {
        patch_disp(target, 4);
        return true;
      }
      g[inst.base] = (target - disp) & (rng() % 2 && mask != ~0ull ? mask : wide);
      return true;
    }
    if (inst.base == kNoReg) {  // index * scale + disp32
      g[inst.index] = rng() % 0x1000;
      patch_disp(target - (g[inst.index] << inst.scale), 4);
      return true;
    }
    if (inst.base == inst.index) {
      if (!disp32) return false;
      g[inst.base] = rng() % 0x4000000;
      patch_disp(target - g[inst.base] - (g[inst.base] << inst.scale), 4);
      return true;
    }
    if (rng() % 2) g[inst.index] = integer_value(rng) & wide;
    g[inst.base] = target - disp - (g[inst.index] << inst.scale);
    if (mask != ~0ull) g[inst.base] &= mask;
    return true;
  }

  // XSAVE family: component mask in EDX:EAX, an aligned area, and for XRSTOR a header that is mostly valid.
  void prepare_image(u64& target) {
    if (inst.row->helper >= Helper::k_fxsave && rng() % 16)
      target &= inst.row->helper <= Helper::k_fxrstor ? ~15ull : ~63ull;
    // Requested components beyond those of guests only where the host has no others either.
    test.start.gpr[0] = (rng() & 7) | (host_xcr0() == 7 && rng() % 3 == 0 ? rng() : 0);
    test.start.gpr[2] = host_xcr0() == 7 && rng() % 3 == 0 ? rng() : 0;
    if (target < kScratchAt || target + 832 > kScratchAt + kScratchBytes) return;
    u8* area = test.start.memory + (target - kScratchAt);
    if (rng() % 8) area[26] = area[27] = 0;  // MXCSR
    if (inst.row->helper != Helper::k_xrstor || rng() % 16 == 0) return;
    std::memset(area + 512, 0, 64);
    area[512] = static_cast<u8>(rng() & 7);
    if (rng() % 3 == 0 && host_has(static_cast<u8>(Feature::Xsavec))) {  // compacted form, mostly of what it holds
      area[527] = 0x80;
      area[520] = static_cast<u8>(area[512] | (rng() & 7));
    }
    // Now and then a header that is refused.
    if (rng() % 6 == 0) area[512 + rng() % 64] ^= static_cast<u8>(1u << rng() % 8);
  }

  // Implicit memory operands and counts. False: cannot be arranged in this case.
  bool solve_implicit(bool sequence) {
    u64* g = test.start.gpr;
    const Row& row = *inst.row;
    const u64 middle = kScratchAt - data() + 0x400 + rng() % 0x800;
    auto anywhere = [&](unsigned bytes) { return target_address(rng, bytes, false) - data(); };
    // With 16-bit addresses the upper halves of pointers and counts are noise.
    auto noisy = [&](u8 n) {
      if (inst.address_bytes == 2) g[n] |= (rng() & 0xffff) << 16;
    };
    switch (row.sem) {
      case Sem::kPushReg:
      case Sem::kPushImm:
      case Sem::kPushRm:
      case Sem::kPopReg:
      case Sem::kPopRm:
      case Sem::kPushf:
      case Sem::kLeave:
        if (sequence) return false;
        if (inst.has_memory && (inst.base == 4 || inst.base == 5)) return false;
        if (inst.has_memory && inst.index == 5) return false;
        g[4] = rng() % 16 ? middle : anywhere(8);
        if (row.sem == Sem::kLeave) g[5] = rng() % 16 ? middle : anywhere(8);
        return true;
      case Sem::kBitTest:
        if (!inst.has_memory) return true;
        if (sequence || inst.reg == inst.base || inst.reg == inst.index || inst.rip_relative) return false;
        g[inst.reg] = static_cast<u64>(static_cast<i64>(rng() % 4096) - 2048);
        if (inst.operand_bytes < 8 && rng() % 2) g[inst.reg] ^= rng() << (8 * inst.operand_bytes);
        return true;
      case Sem::kMovOffs: {
        const u64 target = anywhere(inst.operand_bytes);
        const size_t at = inst.length - inst.imm_bytes;
        for (unsigned i = 0; i < inst.imm_bytes; i++) code[at + i] = static_cast<u8>(target >> (8 * i));
        return true;
      }
      default: break;
    }
    if (memory_at_register(row)) {
      if (sequence) return false;
      g[6] = rng() % 16 ? middle : anywhere(8);
      g[7] = rng() % 16 ? kScratchAt - data() + 0x400 + rng() % 0x800 : anywhere(8);
      g[1] = rng() % 8 ? rng() % 40 : rng() % 200;
      if (test.size == CodeSize::k64 && inst.address_bytes == 4 && rng() % 2) g[1] |= rng() << 32;
      noisy(1), noisy(6), noisy(7);
      if (inst.rep || inst.repne) {
        if (row.helper == Helper::k_scas || row.helper == Helper::k_cmps) {  // make runs of equal elements
          for (unsigned i = 0; i < 0x1000; i++) test.start.memory[i] = rng() % 24 ? 0x55 : 0x56;
          g[0] = rng() % 2 ? 0x5555555555555555 : 0x5656565656565656;
        }
      }
      return true;
    }
    if (row.sem == Sem::kHelper) {
      switch (row.helper) {
        case Helper::k_xgetbv:
          if (sequence) return false;
          g[1] = rng() % 8 ? rng() % 2 : integer_value(rng);
          return true;
        case Helper::k_xlat:
          if (sequence) return false;
          g[3] = middle;
          return true;
        case Helper::k_pusha:
        case Helper::k_popa:
          if (sequence) return false;
          g[4] = rng() % 16 ? middle : anywhere(16);
          return true;
        case Helper::k_enter:
          if (sequence) return false;
          g[4] = kScratchAt - data() + 0x1800;
          g[5] = kScratchAt - data() + 0x1000 + (rng() % 32) * 8;
          code[inst.length - 1] = static_cast<u8>(rng() % 6);
          code[inst.length - 2] = static_cast<u8>(rng() % 16 ? 0 : 3);
          return true;
        case Helper::k_maskmov:
          if (sequence) return false;
          g[7] = anywhere(16);
          return true;
        case Helper::k_ldmxcsr: return true;
        case Helper::k_gather:
        case Helper::k_vmaskmov: return !sequence;
        default: return true;
      }
    }
    return true;
  }
};

// What code of that size cannot have.
void fit_registers(CodeSize size, TestState& s) {
  if (size == CodeSize::k64) return;
  for (unsigned i = 0; i < 16; i++) s.gpr[i] = i < 8 ? static_cast<u32>(s.gpr[i]) : 0;
  if (size == CodeSize::k16) s.gpr[4] &= 0xffff;  // IRET to a 16-bit stack loads no more
}

// General registers that the fields of an instruction write. R8 to R15 are written in no other way.
u16 fields_written(const Inst& inst) {
  u16 written = 0;
  auto add = [&](const Field& f, u8 number, bool is_register) {
    if (!is_register || f.cls != RegClass::kGpr || !(static_cast<u8>(f.use) & 2)) return;
    const bool high = f.width == Width::k1 && inst.rex == 0 && inst.row->encoding == Encoding::kLegacy && number >= 4;
    written |= static_cast<u16>(1u << (high ? number & 3 : number));
  };
  add(inst.row->reg, inst.reg, true);
  add(inst.row->rm, inst.rm, !inst.has_memory);
  add(inst.row->vvvv, inst.vvvv, true);
  if (inst.row->sem == Sem::kIncDecShort) written |= static_cast<u16>(1u << (inst.opcode & 7));
  return written;
}

bool add_instruction(const Row& row, Rng& rng, bool sequence, TestCase& test, const Pinned* pinned = nullptr) {
  for (unsigned attempt = 0; attempt < 20; attempt++) {
    std::vector<u8> bytes;
    Form form{sequence ? Form::kRipRelative : Form::kAny};
    if (pinned && pinned->pointers && rng() % 3) {
      unsigned n = rng() % 16;
      while (!(pinned->pointers >> n & 1)) n = (n + 1) % 16;
      form = {Form::kBased, static_cast<u8>(n), pinned->index};
    }
    encode(row, rng, form, test.size, bytes);
    if (bytes.size() < 15) bytes.resize(15);
    Inst inst;
    if (decode(bytes.data(), 15, test.size, inst) != DecodeStatus::kOk || inst.row != &row) continue;
    bytes.resize(inst.length);
    if (inst.seg_override != kNoReg && inst.seg >= kFS) continue;
    if (pinned && ((fields_written(inst) & pinned->all()) || state_image(row) || (row.attrs & kVsib))) continue;
    const u64 rip = test.code_at - code_base(test.size) + test.code.size();
    u64 untouched[16];
    std::memcpy(untouched, test.start.gpr, sizeof untouched);
    Solver solver{rng, test, bytes, inst, rip};
    if (inst.has_memory && row.rm.width != Width::kNone) {
      unsigned n = inst.memory_bytes ? inst.memory_bytes : 64;
      const bool aligned = (row.attrs & kAligned) && rng() % 8 != 0;
      u64 target = target_address(rng, aligned ? (n == 32 ? 32 : 16) : n, aligned);
      if (inst.lock && rng() % 16) target &= ~15ull;
      if (sequence && (!pinned || rng() % 16))
        target = kScratchAt + (rng() % 0x180) * 16 + (aligned || rng() % 2 ? 0 : rng() % 16);
      if (row.attrs & kVsib) target = kScratchAt + 0x800 + rng() % 0x400;
      if (state_image(row)) {
        if (sequence || inst.base == 0 || inst.base == 2 || inst.index == 0 || inst.index == 2) continue;
        solver.prepare_image(target);
      }
      const bool other = inst.base != form.base || (inst.index != kNoReg && inst.index != form.index);
      if (form.kind == Form::kBased && (other || !solver.solve_displacement(target, aligned))) continue;
      if (form.kind != Form::kBased && !solver.solve_memory(target)) continue;
    } else if (inst.has_memory && row.sem != Sem::kLea && row.sem != Sem::kNop) {
      continue;
    }
    if (!solver.solve_implicit(sequence) || (test.size == CodeSize::k16 && test.start.gpr[4] > 0xffff)) {
      std::memcpy(test.start.gpr, untouched, sizeof untouched);
      continue;
    }
    if (decode(bytes.data(), static_cast<unsigned>(bytes.size()), test.size, inst) != DecodeStatus::kOk ||
        inst.row != &row)
      continue;
    if (row.helper == Helper::k_ldmxcsr && rng() % 4) {  // mostly valid values
      for (u64 i = 0; i + 4 <= kScratchBytes; i += 4) test.start.memory[i + 2] = test.start.memory[i + 3] = 0;
    }
    fit_registers(test.size, test.start);
    test.code.insert(test.code.end(), bytes.begin(), bytes.end());
    test.insts.push_back(inst);
    return true;
  }
  return false;
}

}  // namespace

bool host_has(u8 feature) {
  if (feature == 0) return true;
  const FeatureBit& f = kFeatureBits[feature];
  unsigned r[4] = {};
  if (!__get_cpuid_count(f.leaf, f.subleaf, &r[0], &r[1], &r[2], &r[3])) return false;
  return (r[f.reg] >> f.bit & 1) != 0;
}

bool testable(const Row& row, CodeSize size) {
  return (user_computation(row) || state_image(row)) && !(row.attrs & (size == CodeSize::k64 ? kNo64 : kOnly64)) &&
         host_has(row.feature) &&
         (size == CodeSize::k64 || row.vex_w != 1 || (row.encoding == Encoding::kVex && !(row.attrs & kVexWGpr)));
}

bool generate_single(const Row& row, Rng& rng, TestCase& out) {
  out.code.clear();
  out.insts.clear();
  random_state(rng, out.start);
  out.code_at = kCodeAt;
  out.start.rip = kCodeAt - code_base(out.size);
  fit_registers(out.size, out.start);
  return add_instruction(row, rng, false, out);
}

bool generate_step(const Row& row, Rng& rng, const Pinned& pinned, TestCase& out) {
  return add_instruction(row, rng, true, out, &pinned);
}

bool decimal_adjust(const Row& row) { return row.helper >= Helper::k_daa && row.helper <= Helper::k_aad; }

bool generate_sequence(const std::vector<const Row*>& rows, Rng& rng, TestCase& out) {
  out.code.clear();
  out.insts.clear();
  random_state(rng, out.start);
  out.code_at = kCodeAt;
  out.start.rip = kCodeAt - code_base(out.size);
  fit_registers(out.size, out.start);
  const unsigned count = 2 + rng() % 5;
  for (unsigned i = 0, tries = 0; i < count && tries < 50; tries++)
    if (!out.insts.empty() && decimal_adjust(*out.insts.back().row))
      break;  // its undefined flags would spread
    else if (add_instruction(*rows[rng() % rows.size()], rng, true, out))
      i++;
  return out.insts.size() >= 2;
}

std::string TestCase::text() const {
  std::string s = size == CodeSize::k64 ? "" : size == CodeSize::k32 ? "32-bit: " : "16-bit: ";
  const size_t title = s.size();
  u64 rip = code_at - code_base(size);
  for (const Inst& inst : insts) {
    char line[160];
    disassemble(inst, rip, line, sizeof line);
    s += s.size() == title ? "" : "; ";
    s += line;
    rip += inst.length;
  }
  s += "  [";
  for (u8 b : code) {
    char hex[4];
    std::snprintf(hex, sizeof hex, "%02x ", b);
    s += hex;
  }
  s.back() = ']';
  return s;
}

}  // namespace rz::diff
