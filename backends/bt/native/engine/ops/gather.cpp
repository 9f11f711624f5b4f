// Vector memory operands that are not one range: gathers, VMASKMOV/VPMASKMOV, MASKMOVDQU/MASKMOVQ. Faults are taken per
// element, only for enabled elements. Source: SDM instruction reference, "VPGATHERDD", "VMASKMOV", "MASKMOVDQU".
#include "../cpu/bytes.h"
#include "../run/host_fpu.h"
#include "operands.h"
#include "ops.h"
#include "vector_regs.h"

namespace rz {
namespace {

constexpr unsigned kMaxVector = 32;

bool enabled(const u8* mask, unsigned element, unsigned bytes) {
  return (mask[element * bytes + bytes - 1] & 0x80) != 0;
}

// A page fault on the first page reports the operand's first byte, enabled or not, as processors do.
OpResult maskmov_fault(Vcpu& v, u8 seg, u64 offset) {
  const bool based = !v.code64() || seg == kFS || seg == kGS;
  const u64 start = offset + (based ? v.seg[seg].base : 0);
  if (v.exception.vector == kPFx && ((v.exception.cr2 ^ start) & kPageMask) == 0) v.exception.cr2 = start;
  return OpResult::kFault;
}

}  // namespace

// The mask element is cleared as each load completes, so a fault leaves a state from which the instruction restarts.
OpResult op_gather(Vcpu& v, const Inst& inst) {
  if (inst.reg == inst.index || inst.reg == inst.vvvv || inst.index == inst.vvvv) return fault(v, kUD);
  const unsigned vector_bytes = 16u << inst.vex_l;
  const unsigned data = inst.rex_w ? 8 : 4;
  const unsigned index_bytes = (inst.opcode & 1) ? 8 : 4;
  const unsigned count = vector_bytes / (data > index_bytes ? data : index_bytes);
  u8 result[kMaxVector], mask[kMaxVector], index[kMaxVector];
  read_ymm(inst.reg, result);
  read_ymm(inst.vvvv, mask);
  read_ymm(inst.index, index);
  // Every enabled element has all bits of its mask set first, which is also what an early fault leaves.
  const u64 base = static_cast<u64>(static_cast<i64>(inst.disp)) + (inst.base == kNoReg ? 0 : v.regs[inst.base]);
  OpResult outcome = OpResult::kNext;
  for (unsigned i = 0; i < count; ++i) fill_bytes(mask + i * data, enabled(mask, i, data) ? 0xff : 0, data);
  for (unsigned i = 0; i < count; ++i) {
    if (!enabled(mask, i, data)) continue;
    const u64 raw = load_bytes(index + i * index_bytes, index_bytes);
    const i64 wide = index_bytes == 4 ? static_cast<i64>(static_cast<i32>(raw)) : static_cast<i64>(raw);
    const u64 offset = (base + (static_cast<u64>(wide) << inst.scale)) & low_mask(inst.address_bytes);
    u64 value;
    if (!mem_read(v, inst.seg, offset, data, value)) {
      outcome = OpResult::kFault;
      break;
    }
    store_bytes(result + i * data, value, data);
    fill_bytes(mask + i * data, 0, data);
  }
  if (outcome == OpResult::kNext) {
    fill_bytes(mask, 0, sizeof mask);
    fill_bytes(result + count * data, 0, sizeof result - count * data);
  }
  write_ymm(inst.reg, result);
  write_ymm(inst.vvvv, mask);
  return outcome;
}

OpResult op_vmaskmov(Vcpu& v, const Inst& inst) {
  const bool integer = inst.opcode >= 0x80;
  const bool store = integer ? inst.opcode == 0x8e : inst.opcode >= 0x2e;
  const unsigned data = integer ? (inst.rex_w ? 8 : 4) : (inst.opcode & 1) ? 8 : 4;
  const unsigned count = (16u << inst.vex_l) / data;
  u8 mask[kMaxVector], value[kMaxVector] = {};
  read_ymm(inst.vvvv, mask);
  if (store) {
    read_ymm(inst.reg, value);
    for (unsigned i = 0; i < count; ++i)
      if (enabled(mask, i, data) && !mem_probe_write(v, inst.seg, memory_offset(v, inst, i * data), data))
        return OpResult::kFault;
    for (unsigned i = 0; i < count; ++i)
      if (enabled(mask, i, data) &&
          !mem_write(v, inst.seg, memory_offset(v, inst, i * data), data, load_bytes(value + i * data, data)))
        return OpResult::kFault;
    return OpResult::kNext;
  }
  for (unsigned i = 0; i < count; ++i) {
    if (!enabled(mask, i, data)) continue;
    u64 element;
    if (!mem_read(v, inst.seg, memory_offset(v, inst, i * data), data, element)) return OpResult::kFault;
    store_bytes(value + i * data, element, data);
  }
  write_ymm(inst.reg, value);
  return OpResult::kNext;
}

// Stores the bytes of `reg` whose mask byte in `rm` has bit 7 set, at DS:rDI.
OpResult op_maskmov(Vcpu& v, const Inst& inst) {
  const bool mmx = !inst.has_66 && inst.row->encoding == Encoding::kLegacy;
  u8 value[16], mask[16] = {};
  const unsigned count = mmx ? 8 : 16;
  if (mmx) {
    if (x87_error_pending()) return fault(v, kMF);
    store_bytes(value, read_mmx(inst.reg), 8);
    store_bytes(mask, read_mmx(inst.rm), 8);
  } else {
    read_xmm(inst.reg & 15, value);
    read_xmm(inst.rm & 15, mask);
  }
  const u8 seg = inst.seg_override == kNoReg ? static_cast<u8>(kDS) : inst.seg_override;
  const u64 limit = low_mask(inst.address_bytes);
  for (unsigned i = 0; i < count; ++i)
    if ((mask[i] & 0x80) && !mem_probe_write(v, seg, (v.regs[kRdi] + i) & limit, 1))
      return maskmov_fault(v, seg, v.regs[kRdi] & limit);
  for (unsigned i = 0; i < count; ++i)
    if ((mask[i] & 0x80) && !mem_write(v, seg, (v.regs[kRdi] + i) & limit, 1, value[i])) return OpResult::kFault;
  return OpResult::kNext;
}

}  // namespace rz
