// Re-encoding: the guest instruction itself, with guest registers renamed to host registers and the memory
// operand replaced by [T0]. The great majority of the instruction set goes through emit_identity().
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

bool uses_operand_size(const Row& row) {
  auto v = [](const Field& f) { return f.width == Width::kV || f.width == Width::kZ || f.width == Width::kStack; };
  return v(row.reg) || v(row.rm);
}

unsigned gpr_bytes(const Field& f, const Inst& inst) {
  switch (f.width) {
    case Width::k1: return 1;
    case Width::k2: return 2;
    case Width::k4: return 4;
    case Width::k8: return 8;
    case Width::kY: return inst.rex_w ? 8 : 4;
    default: return inst.operand_bytes;
  }
}

bool op_reads(const Field& f) { return (static_cast<u8>(f.use) & 1) != 0; }
bool op_writes(const Field& f) { return (static_cast<u8>(f.use) & 2) != 0; }

Access access_of(const Field& f) {
  if (f.use == Operand::kWrites) return Access::kWrite;
  return f.use == Operand::kReadsWrites ? Access::kReadWrite : Access::kRead;
}

/// A byte register that means AH, CH, DH or BH.
bool high_byte(const Field& f, const Inst& inst, u8 number) {
  return f.cls == RegClass::kGpr && f.width == Width::k1 && inst.rex == 0 && inst.row->encoding == Encoding::kLegacy &&
         number >= 4 && number <= 7;
}

/// A register less itself, or XOR itself: what it was does not matter.
bool clears(const Inst& inst) {
  const bool makes_zero = (inst.opcode & 0xfd) == 0x31 || (inst.opcode & 0xfd) == 0x29;
  return makes_zero && inst.row->encoding == Encoding::kLegacy && inst.row->map == Map::kOne && !inst.has_memory &&
         inst.reg == inst.rm && inst.operand_bytes >= 4;
}

constexpr u8 kMapBytes[] = {0, 1, 2, 3};  // VEX mmmmm

}  // namespace

Host Translator::read_reg(u8 guest, Host temp) {
  if (kRegMap[guest] != hNone) return kRegMap[guest];
  load_home(temp, guest);
  return temp;
}

void Translator::write_reg(u8 guest, Host from, unsigned bytes) {
  const Host to = kRegMap[guest];
  if (bytes == 8 || bytes == 4) {
    if (to == hNone) {
      if (bytes == 4) a_.mov32(from, from);
      store_home(guest, from);
    } else if (bytes == 8) {
      a_.mov(to, from);
    } else {
      a_.mov32(to, from);
    }
    return;
  }
  // Two bytes merge (one-byte writes go through emit_identity).
  if (to == hNone)
    a_.gs_store16(from, home(guest)), t1_home_ = kNoReg;
  else
    a_.mov16(to, from);
}

void Translator::emit_identity(const Inst& inst) {
  const Row& row = *inst.row;
  const bool vex = row.encoding == Encoding::kVex;
  const u8 touched = row.flags.read | row.flags.written | row.flags.undefined | row.flags.maybe;

  Mem memory = kNoMem;
  if (inst.has_memory) memory = host_operand(inst, inst.memory_bytes, access_of(row.rm));
  if (touched) {
    if (live_)
      flags_to_host();
    else
      parked_ = false;
  }

  // Registers of the three encoded fields. A demoted guest register is loaded into a temporary before and stored back
  // after: T1, or T0 where it does not address memory. Two can be demoted at once; with a memory operand as well, one
  // of them is only written, so it may share T1 with one that is only read, or take T0 (MULX writes both).
  struct Slot {
    const Field* field;
    u8 guest;
    Host host;
    bool demoted;
    bool high;
    bool used;
  };
  const bool reg_is_extension = row.ext >= 0 || row.reg.cls == RegClass::kNone;
  const bool rm_is_register = !inst.has_memory && row.rm.cls != RegClass::kNone;
  Slot reg{&row.reg, inst.reg, static_cast<Host>(inst.reg), false, false, !reg_is_extension};
  Slot rm{&row.rm, inst.rm, static_cast<Host>(inst.rm), false, false, rm_is_register};
  Slot v{&row.vvvv, inst.vvvv, static_cast<Host>(inst.vvvv), false, false, vex};
  Slot* const slots[] = {&reg, &rm, &v};
  u8 home_of[2] = {kNoReg, kNoReg};  // guest registers in T1 and T0
  for (Slot* s : slots) {
    if (!s->used || s->field->cls != RegClass::kGpr) continue;
    if (high_byte(*s->field, inst, s->guest)) {
      s->high = true;
      continue;
    }
    s->host = kRegMap[s->guest];
    if (s->host != hNone) continue;
    s->demoted = true;
    const bool only_written = s->field->use == Operand::kWrites && gpr_bytes(*s->field, inst) >= 4;
    if (home_of[0] == s->guest || home_of[0] == kNoReg) {
      s->host = kT1;
      home_of[0] = s->guest;
    } else if (!inst.has_memory || (only_written && slots[0]->field->use == Operand::kWrites)) {
      keep_t0();
      s->host = kT0;
      home_of[1] = s->guest;
    } else {
      s->host = kT1;
    }  // shares T1: the other one is only written
  }
  for (Slot* s : slots)
    if (s->demoted && !clears(inst) && (op_reads(*s->field) || gpr_bytes(*s->field, inst) < 4))
      load_home(s->host, s->guest);

  // A high-byte source forbids REX, so a destination that needs one is computed in T0 (RBP) first.
  Host final_reg = hNone;
  if (rm.high && !reg_is_extension && row.reg.cls == RegClass::kGpr && !reg.high && (reg.host >= 8)) {
    final_reg = reg.host;
    keep_t0();
    if (op_reads(row.reg) || gpr_bytes(row.reg, inst) < 4) a_.mov(kT0, reg.host);
    reg.host = kT0;
  }

  if ((row.attrs & kFaultsOnHost) || inst.has_memory || inst.lock || row.feature) {
    code_.add_map({code_.offset_of(a_.at()), offsets_[i_], parked_});
  }

  const u8 reg_number = reg_is_extension ? static_cast<u8>(inst.reg) : static_cast<u8>(reg.host);
  const u8 rm_number = static_cast<u8>(rm.host);
  const bool opcode_reg = (row.attrs & kOpcodeReg) != 0;
  const bool r_bit = !opcode_reg && !reg_is_extension && reg_number >= 8;
  const bool x_bit = inst.has_memory && memory.index != hNone && memory.index >= 8;
  const bool b_bit =
      inst.has_memory ? memory.base != hNone && memory.base >= 8 : (rm_is_register || opcode_reg) && rm_number >= 8;

  if (vex) {
    a_.b(0xc4);
    a_.b(static_cast<u8>((r_bit ? 0 : 0x80) | (x_bit ? 0 : 0x40) | (b_bit ? 0 : 0x20) |
                         kMapBytes[static_cast<u8>(row.map)]));
    const u8 pp = row.prefix == Mandatory::k66   ? 1
                  : row.prefix == Mandatory::kF3 ? 2
                  : row.prefix == Mandatory::kF2 ? 3
                                                 : 0;
    a_.b(static_cast<u8>((inst.rex_w ? 0x80 : 0) | (~v.host & 15) << 3 | (inst.vex_l & 1) << 2 | pp));
    a_.b(inst.opcode);
  } else {
    if (inst.lock) a_.b(0xf0);
    if (row.prefix == Mandatory::k66 ||
        (inst.operand_bytes == 2 && (row.prefix == Mandatory::kAny || uses_operand_size(row))))
      a_.b(0x66);
    if (row.prefix == Mandatory::kF3) a_.b(0xf3);
    if (row.prefix == Mandatory::kF2) a_.b(0xf2);
    auto byte_needs_rex = [&](const Slot& s, bool is_register) {
      return is_register && s.field->cls == RegClass::kGpr && s.field->width == Width::k1 && !s.high && s.host >= 4 &&
             s.host <= 7;
    };
    u8 rex = 0;
    if (inst.rex_w) rex |= 0x48;
    if (r_bit) rex |= 0x44;
    if (x_bit) rex |= 0x42;
    if (b_bit) rex |= 0x41;
    if (byte_needs_rex(reg, !reg_is_extension) || byte_needs_rex(rm, rm_is_register || opcode_reg)) rex |= 0x40;
    if (rex) a_.b(rex);
    if (row.map != Map::kOne) a_.b(0x0f);
    if (row.map == Map::k0F38) a_.b(0x38);
    if (row.map == Map::k0F3A) a_.b(0x3a);
    const bool alias82 = row.map == Map::kOne && inst.opcode == 0x82;  // an alias of 80 that 64-bit mode lacks
    a_.b(opcode_reg ? static_cast<u8>((inst.opcode & ~7) | (rm_number & 7)) : alias82 ? 0x80 : inst.opcode);
  }
  if (row.has_modrm) {
    if (inst.has_memory)
      a_.mem(reg_number, memory);
    else if (rm_is_register)
      a_.modrm(3, reg_number, rm_number);
    else
      a_.b(inst.modrm);  // x87 register forms and fixed ModRM bytes
  }
  if (row.imm == Imm::kIs4 || inst.imm_bytes) a_.imm(inst.imm, inst.imm_bytes);

  if (home_of[1] != kNoReg || final_reg != hNone) t0_group_ = kNoGroup;
  if (final_reg != hNone) {
    const unsigned n = gpr_bytes(row.reg, inst);
    if (n == 2)
      a_.mov16(final_reg, kT0);
    else
      a_.mov(final_reg, kT0);
  }
  auto store_back = [&](const Slot& s) {
    if (s.demoted && op_writes(*s.field)) store_home(s.guest, s.host);
  };
  if (!reg_is_extension) store_back(reg);
  if (rm_is_register) store_back(rm);
  if (vex) store_back(v);
  finish_write();
}

void Translator::emit_incdec_short(const Inst& inst) {
  if (live_)
    flags_to_host();
  else
    parked_ = false;
  const u8 guest = inst.opcode & 7;
  const Host r = kRegMap[guest];  // never demoted: no REX outside 64-bit mode
  if (inst.operand_bytes == 2) a_.b(0x66);
  a_.rex(false, hRax, hNone, r);
  a_.b(0xff);
  a_.modrm(3, inst.opcode & 8 ? 1 : 0, r);
}

void Translator::emit_lea(const Inst& inst) {
  const auto at_home = [](u8 reg) { return reg != kNoReg && kRegMap[reg] == hNone; };
  if (inst.address_bytes == 8 && inst.operand_bytes >= 4 && !inst.rip_relative) {
    const bool two = at_home(inst.base) && at_home(inst.index) && inst.base != inst.index;
    if (two) leave_t0();
    const Host base = inst.base == kNoReg ? hNone : read_reg(inst.base, two ? kT0 : kT1);
    const Host index = inst.index == kNoReg ? hNone : read_reg(inst.index, kT1);
    const Host to = at_home(inst.reg) ? kT1 : kRegMap[inst.reg];
    a_.lea(inst.operand_bytes == 8, to, base, index, inst.scale, inst.disp);
    if (to == kT1) store_home(inst.reg, kT1);
    return;
  }
  leave_t0();
  offset_to_t0(inst);
  write_reg(inst.reg, kT0, inst.operand_bytes);
}

void Translator::emit_mov_offs(const Inst& inst) {
  const bool store = (inst.opcode & 2) != 0;
  const unsigned bytes = inst.opcode & 1 ? inst.operand_bytes : 1;
  a_.mov_imm(kT0, inst.address_bytes == 8   ? inst.imm
                  : inst.address_bytes == 4 ? static_cast<u32>(inst.imm)
                                            : static_cast<u16>(inst.imm));
  host_address(inst.seg, bytes, store ? Access::kWrite : Access::kRead);
  if (store) {
    a_.store(hRax, kT0, 0, bytes);
  } else if (bytes >= 4) {
    a_.load(hRax, kT0, 0, bytes);
  } else {  // merge
    if (bytes == 2) {
      a_.b(0x66);
      a_.rm(false, 0x8b, hRax, kT0, 0);
    } else {
      a_.rm(false, 0x8a, hRax, kT0, 0);
    }
  }
  finish_write();
}

// BT/BTS/BTR/BTC with a register offset: the memory operand lies at a signed distance of offset / width.
void Translator::emit_bit_test(const Inst& inst) {
  if (!inst.has_memory) {
    emit_identity(inst);
    return;
  }
  const Row& row = *inst.row;
  const unsigned bytes = inst.operand_bytes;
  const u8 log2_bytes = bytes == 2 ? 1 : bytes == 4 ? 2 : 3;
  may_clobber_flags();
  offset_to_t0(inst);
  const Host bits = read_reg(inst.reg, kT1);
  if (bytes == 8)
    a_.mov(kT1, bits);
  else if (bytes == 4)
    a_.movsxd(kT1, bits);
  else {
    a_.rex(true, kT1, hNone, bits);
    a_.b(0x0f);
    a_.b(0xbf);
    a_.modrm(3, kT1, bits);
  }  // movsx r64, r16
  a_.gs_store(kT1, offsetof(Vcpu, scratch));
  a_.gs_and_imm8(offsetof(Vcpu, scratch), static_cast<u8>(bytes * 8 - 1));
  a_.shift(true, 7, kT1, static_cast<u8>(3 + log2_bytes));
  a_.lea(true, kT0, kT0, kT1, log2_bytes, 0);
  if (inst.address_bytes == 4) a_.mov32(kT0, kT0);
  if (inst.address_bytes == 2) a_.movzx16(kT0, kT0);
  host_address(inst.seg, bytes, op_writes(row.rm) ? Access::kReadWrite : Access::kRead);
  if (live_)
    flags_to_host();
  else
    parked_ = false;
  a_.gs_load(kT1, offsetof(Vcpu, scratch));
  if (inst.lock) a_.b(0xf0);
  if (bytes == 2) a_.b(0x66);
  a_.rex(bytes == 8, kT1, hNone, kT0);
  a_.b(0x0f);
  a_.b(inst.opcode);
  a_.mem(kT1, kT0, 0);
  finish_write();
}

}  // namespace rz
