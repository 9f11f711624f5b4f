// Check merging: which memory accesses of a block can share one check of the soft TLB. Accesses through the same base
// and index whose values differ by known constants only (a stack frame, the fields of an object, an unrolled loop) form
// a group. Its first access checks the whole range that the group touches and keeps what must be added to a linear
// address, in T0 and, once T0 is wanted for something else, in the vCPU (memory_operand.cpp); the others need no check
// and leave the flags alone. When the check fails, the block is left for a "careful" one that starts at the same
// instruction and checks each access, so faults, page crossings, MMIO and stores onto code never meet a merged access.
//
// Nothing that runs between the check and the last access of a group can take the mapping away: helpers end all groups,
// and pages are unmapped or become code pages in helpers and between blocks only.
#include "../decode/registers.h"
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

constexpr i64 kMaxSpanBytes = 512;       // wider ranges cross a page too often
constexpr i64 kMaxDistance = 1ll << 30;  // coordinates stay in reach of a displacement

/// An upper bound of what mergeable() finds, without a closer look.
unsigned may_merge(const Inst& inst) {
  switch (inst.row->sem) {
    case Sem::kPushRm:
    case Sem::kCallRm: return 2;
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kCallRel:
    case Sem::kLeave:
    case Sem::kPopReg:
    case Sem::kRet:
    case Sem::kRetImm: return 1;
    default: return inst.has_memory;
  }
}

}  // namespace

/// Registers that change by a known amount: `reg` by `delta`. False: none does.
bool Translator::known_step(const Inst& inst, u8& reg, i32& delta) {
  const i32 bytes = inst.operand_bytes;
  switch (inst.row->sem) {
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPushRm:
    case Sem::kPushf:
    case Sem::kCallRel:
      reg = 4;
      delta = -bytes;
      return true;
    case Sem::kPopReg:
      if (inst.rm == 4) return false;
      reg = 4;
      delta = bytes;
      return true;
    case Sem::kLea:
      if (inst.operand_bytes != 8 || inst.address_bytes != 8 || inst.rip_relative || inst.index != kNoReg ||
          inst.base != inst.reg)
        return false;
      reg = inst.reg;
      delta = inst.disp;
      return true;
    case Sem::kIdentity: {
      if (inst.has_memory || inst.operand_bytes != 8 || inst.row->map != Map::kOne ||
          inst.row->encoding != Encoding::kLegacy)
        return false;
      reg = inst.rm;
      const u8 ext = inst.reg & 7;
      if ((inst.opcode == 0x81 || inst.opcode == 0x83) && (ext == 0 || ext == 5)) {
        delta = static_cast<i32>(inst.imm);
        if (ext == 5) delta = static_cast<i32>(-static_cast<u32>(delta));
        return delta > -kMaxSpanBytes * 64 && delta < kMaxSpanBytes * 64;
      }
      if (inst.opcode == 0xff && ext < 2) {
        delta = ext == 0 ? 1 : -1;
        return true;
      }
      return false;
    }
    default: return false;
  }
}

/// The accesses of an instruction that may be merged: its ModRM operand, then its implicit stack access.
unsigned Translator::mergeable(const Inst& inst, MergeAccess (&out)[2]) const {
  unsigned n = 0;
  const Sem sem = inst.row->sem;
  const Operand use = inst.row->rm.use;
  const bool operand = inst.has_memory && inst.address_bytes == 8 && is_flat(inst.seg);
  switch (sem) {
    case Sem::kIdentity:
    case Sem::kX87Identity:
    case Sem::kMovImm:
      if (operand && inst.memory_bytes) out[n++] = {0, inst.memory_bytes, (static_cast<u8>(use) & 2) != 0, false};
      break;
    case Sem::kPushRm:
    case Sem::kCallRm:
    case Sem::kJmpRm:
      if (operand) out[n++] = {0, inst.operand_bytes, false, false};
      break;
    default: break;
  }
  for (unsigned i = 0; i < n; i++) {
    out[i].base = inst.base;
    out[i].index = inst.index;
    out[i].scale = inst.scale;
    out[i].at = inst.disp;
    // A constant address is cheaply checked by itself, and knows its page.
    if (inst.rip_relative || (inst.base == kNoReg && inst.index == kNoReg)) n = 0;
  }
  MergeAccess stack{0, inst.operand_bytes, false, true, 4, kNoReg, 0};
  switch (sem) {
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPushRm:
    case Sem::kCallRel:
    case Sem::kCallRm:
      stack.at = -static_cast<i32>(inst.operand_bytes);
      stack.write = true;
      out[n++] = stack;
      break;
    case Sem::kLeave: stack.base = 5; [[fallthrough]];
    case Sem::kPopReg:
    case Sem::kRet:
    case Sem::kRetImm: out[n++] = stack; break;
    default: break;
  }
  return n;
}

void Translator::plan_merges() {
  const unsigned first = run_insts();  // those before are planned already
  group_count_ = run_groups_;
  for (unsigned i = first; i < count_; i++) group_of_[i][0] = group_of_[i][1] = kNoGroup;
  if (!code64() || single() || (mode_ & (kModeCareful | kModeAlign)) || vcpu_.machine->options.no_opt) return;
  unsigned accesses = 0;
  for (unsigned i = first; i < count_ && accesses < 2; i++)
    if (insts_[i].row) accesses += may_merge(insts_[i]);
  if (accesses < 2) return;  // nobody to share with
  u8 version[16] = {};
  i32 delta[16] = {};
  u8 epoch = 0;     // helpers seen: groups do not reach across
  u8 branches = 0;  // conditional branches seen
  for (unsigned i = first; i < count_; i++) {
    const Inst& inst = insts_[i];
    if (inst.row == nullptr) return;
    MergeAccess access[2];
    const unsigned n = mergeable(inst, access);
    for (unsigned k = 0; k < n; k++) {
      const MergeAccess& a = access[k];
      const i64 index_moved = a.index == kNoReg ? 0 : static_cast<i64>(delta[a.index]) << a.scale;
      const i64 moved = (a.base == kNoReg ? 0 : static_cast<i64>(delta[a.base])) + index_moved;
      const i64 lo = a.at + moved, hi = lo + a.bytes;
      if (lo < -kMaxDistance || hi > kMaxDistance) continue;
      // merged_operand() adds to T0 what a host operand has no room for.
      const bool base_at_home = a.base != kNoReg && kRegMap[a.base] == hNone;
      const i64 added_moved = base_at_home ? moved : a.base == kNoReg ? 0 : index_moved;
      if (!a.stack) added_moved_[i] = added_moved;
      const u8 base_version = a.base == kNoReg ? 0 : version[a.base];
      const u8 index_version = a.index == kNoReg ? 0 : version[a.index];
      unsigned g = group_count_;
      while (g-- > run_groups_) {
        MergeGroup& m = groups_[g];
        if (m.epoch != epoch || m.base != a.base || m.index != a.index || m.scale != a.scale ||
            m.base_version != base_version || m.index_version != index_version)
          continue;
        const i64 apart = a.at + added_moved - m.added_moved;  // the displacement
        if (apart < -kMaxDistance || apart > kMaxDistance) continue;
        // A store behind a branch must not ask for a writable page on behalf of loads before it.
        if (a.write && !m.write && m.branches != branches) continue;
        const i64 low = lo < m.lo ? lo : m.lo, high = hi > m.hi ? hi : m.hi;
        if (high - low > kMaxSpanBytes) continue;
        m.lo = low;
        m.hi = high;
        m.write |= a.write;
        m.members++;
        m.last = static_cast<u8>(i);
        break;
      }
      if (g == run_groups_ - 1) {
        if (group_count_ == kMaxGroups) continue;
        g = group_count_++;
        groups_[g] = {lo,      hi,       moved,   added_moved,        a.base,
                      a.index, a.scale,  a.write, base_version,       index_version,
                      epoch,   branches, 1,       static_cast<u8>(i), static_cast<u8>(i),
                      false,   false};
      }
      group_of_[i][a.stack] = static_cast<u8>(g);
    }
    u8 reg;
    i32 step;
    u16 written = registers_written(inst);
    if (known_step(inst, reg, step)) {
      const i64 sum = static_cast<i64>(delta[reg]) + step;
      if (sum > -kMaxDistance && sum < kMaxDistance) {
        delta[reg] = static_cast<i32>(sum);
        written = static_cast<u16>(written & ~(1 << reg));
      }
    }
    for (u32 rest = written; rest; rest &= rest - 1) {
      const unsigned r = static_cast<unsigned>(__builtin_ctz(rest));
      version[r]++;
      delta[r] = 0;
    }
    if (inst.row->sem == Sem::kHelper) epoch++;
    if (inst.row->sem == Sem::kJcc) branches++;
  }
}

}  // namespace rz
