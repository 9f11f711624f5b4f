// Short loops that run on without checks. A loop all of whose accesses go through registers that stay, or move by a
// known step a turn, checks at its head that one turn's accesses lie in pages that are in a row in the host, and keeps
// how far these reach in the direction of each step (Vcpu::merged, from the end). As long as the next few turns stay
// within, which one compare for each register tells, they run as if natively, with a poll in between. Near the end of
// the pages it goes turn by turn, and where one turn lies across it, a careful block does that turn.
//
//   head:   check one turn, for each group of accesses; keep addends and limits
//           do the next turns stay within the limits? else one turn alone (out of line), and to the head
//   again:  the turns, without checks
//           poll; do the next turns stay within the limits? else to the head
//           again
//
// Between checks nothing takes the mapping away (merge.cpp): there are no helpers in such loops, and polls are as near
// to each other as in any block. Merged accesses never fault, so flags, which are dead at the head, need no care.
#include "../decode/flags.h"
#include "../decode/registers.h"
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

constexpr unsigned kMostTurns = 4;
constexpr unsigned kMostInsts = 40;    // of all turns
constexpr i64 kMaxSpanBytes = 512;     // of one turn, as in merge.cpp
constexpr i64 kMaxStepBytes = 512;     // a turn
constexpr i64 kMaxDistance = 1 << 20;  // from a register

bool mapped(u8 reg) { return reg == kNoReg || kRegMap[reg] != hNone; }
Host host_of(u8 reg) { return reg == kNoReg ? hNone : kRegMap[reg]; }

/// Leaves the scratch registers alone, whatever else it does: no demoted registers, and none of AH to BH.
bool leaves_scratch(const Inst& inst) {
  const Row& row = *inst.row;
  const auto plain = [&](const Field& f, u8 number) {
    if (f.cls != RegClass::kGpr) return true;
    if (f.width == Width::k1 && inst.rex == 0 && row.encoding == Encoding::kLegacy && number >= 4) return false;
    return mapped(number);
  };
  if (row.ext < 0 && !plain(row.reg, inst.reg)) return false;
  if (!inst.has_memory && !plain(row.rm, inst.rm)) return false;
  if (row.encoding == Encoding::kVex && !plain(row.vvvv, inst.vvvv)) return false;
  return !inst.has_memory || (!inst.rip_relative && inst.address_bytes == 8 && mapped(inst.base) && mapped(inst.index));
}

constexpr u32 addend_slot(unsigned group) { return static_cast<u32>(offsetof(Vcpu, merged) + 8u * group); }
constexpr u32 limit_slot(unsigned group) {
  return static_cast<u32>(offsetof(Vcpu, merged) + sizeof(Vcpu::merged) - 8u * (group + 1));
}

}  // namespace

/// May an instruction stand in such a loop? Of those with memory only what mergeable() knows.
bool Translator::runs_on(const Inst& inst) const {
  if (unavailable(inst) >= 0 || inst.lock || !leaves_scratch(inst)) return false;
  switch (inst.row->sem) {
    case Sem::kLea: return inst.has_memory && inst.operand_bytes >= 4;
    case Sem::kMovImm: return inst.has_memory;
    case Sem::kIdentity: return (inst.row->attrs & (kVsib | kCpl0)) == 0;
    default: return false;
  }
}

/// The decoded instructions are one turn of a loop: plan its groups. False: it is not one of these.
bool Translator::plan_run() {
  const unsigned each = count_;
  if (each > kMostInsts) return false;
  u8 live = kAllFlags;
  for (unsigned i = each - 1; i-- > 0;) {
    if (!runs_on(insts_[i])) return false;
    const Flags flags = flags_of(insts_[i]);
    live = static_cast<u8>((live & ~(flags.written | flags.undefined)) | flags.read);
  }
  if (live) return false;  // into the loop: a check would have to save them
  run_turns_ = each * 4 <= kMostInsts ? kMostTurns : each * 2 <= kMostInsts ? 2 : 1;
  i32 step[16] = {};
  u32 unknown = 0;
  for (unsigned i = 0; i + 1 < each; i++) {
    u8 reg = 0;
    i32 by = 0;
    u32 written = registers_written(insts_[i]);
    if (known_step(insts_[i], reg, by)) {
      written &= ~(1u << reg);
      step[reg] += by;
      if (step[reg] > kMaxStepBytes || step[reg] < -kMaxStepBytes) return false;
    }
    unknown |= written;
  }
  i32 moved[16] = {};
  group_count_ = 0;
  run_base_moves_ = 0;
  for (unsigned i = 0; i + 1 < each; i++) {
    const Inst& inst = insts_[i];
    group_of_[i][0] = group_of_[i][1] = kNoGroup;
    MergeAccess access[2];
    const unsigned n = mergeable(inst, access);
    if (n != (inst.has_memory && inst.row->sem != Sem::kLea ? 1u : 0u)) return false;
    if (n && !join_run(access[0], i, step, moved, unknown)) return false;
    u8 reg = 0;
    i32 by = 0;
    if (known_step(inst, reg, by)) moved[reg] += by;
  }
  if (group_count_ == 0) return false;
  group_of_[each - 1][0] = group_of_[each - 1][1] = kNoGroup;
  run_groups_ = group_count_;
  run_each_ = each;
  return true;
}

/// Instruction `i` has this access: into the group that it belongs to.
bool Translator::join_run(const MergeAccess& a, unsigned i, const i32* step, const i32* moved, u32 unknown) {
  const auto of = [](const i32* what, u8 reg) { return reg == kNoReg ? 0 : what[reg]; };
  for (u8 reg : {a.base, a.index})
    if (reg != kNoReg && (unknown >> reg & 1)) return false;
  if (of(step, a.base) && of(step, a.index)) return false;
  if (of(moved, a.base) != 0 && of(step, a.base) == 0) return false;  // there and back again
  if (of(moved, a.index) != 0 && of(step, a.index) == 0) return false;
  if (a.base == 4 && a.index != kNoReg) return false;  // RSP cannot be added to an addend by LEA
  const i64 each = of(step, a.base) + (static_cast<i64>(of(step, a.index)) << a.scale);
  const i64 lo = a.at + of(moved, a.base) + (static_cast<i64>(of(moved, a.index)) << a.scale), hi = lo + a.bytes;
  if (each > kMaxStepBytes || each < -kMaxStepBytes || lo < -kMaxDistance || hi > kMaxDistance) return false;
  for (unsigned g = 0; g < group_count_; g++) {
    MergeGroup& m = groups_[g];
    if (m.base != a.base || m.index != a.index || m.scale != a.scale) continue;
    const i64 low = lo < m.lo ? lo : m.lo, high = hi > m.hi ? hi : m.hi;
    if (high - low > kMaxSpanBytes) continue;
    m.lo = low;
    m.hi = high;
    m.write |= a.write;
    m.members++;
    group_of_[i][0] = static_cast<u8>(g);
    return true;
  }
  if (group_count_ == kMaxRunGroups) return false;
  MergeGroup& m = groups_[group_count_];
  m = {};
  m.lo = lo;
  m.hi = hi;
  m.base = a.base;
  m.index = a.index;
  m.scale = a.scale;
  m.write = a.write;
  m.members = 2;  // one is worth it here
  m.first = static_cast<u8>(i);
  m.checked = m.kept = true;
  run_step_[group_count_] = static_cast<i32>(each);
  if (of(step, a.base)) run_base_moves_ |= 1u << group_count_;
  group_of_[i][0] = static_cast<u8>(group_count_++);
  return true;
}

/// What each turn but the first is, in the tables that the first one filled.
void Translator::repeat_run() {
  for (unsigned g = 0; g < run_groups_; g++) groups_[g].last = static_cast<u8>(run_insts() - 1);
  for (unsigned i = 0; i < run_insts(); i++)
    for (unsigned k = 0; k < 2; k++) group_of_[i][k] = group_of_[i % run_each_][k];
}

/// The operand of a group's check or limit: its registers, and a displacement.
Mem Translator::run_linear(unsigned group, i64 disp) const {
  const MergeGroup& m = groups_[group];
  return {host_of(m.base), host_of(m.index), m.scale, static_cast<i32>(disp)};
}

/// One turn's accesses of a group: to a careful block unless they lie in one piece of guest RAM. Keeps what turns their
/// linear addresses into host addresses, and the limit for the registers' sum before a batch of turns.
void Translator::check_run(unsigned group) {
  const MergeGroup& m = groups_[group];
  const i64 step = run_step_[group], more = (static_cast<i64>(run_turns_) - 1) * step;
  const unsigned bytes = static_cast<unsigned>(m.hi - m.lo);
  i_ = m.first;
  inst_ = &insts_[i_];
  inst_rip_ = rip_of(i_);
  const Mem linear = run_linear(group, m.lo);
  if (memos(linear, bytes, m.write) == 1) {
    const unsigned cls = last_page_class(bytes), memo = last_page_index(cls, m.write, code_.next_memo());
    u8* from = compare_page(linear, memo, cAE);
    forgotten_[forgotten_count_++] = {from,
                                      a_.at(),
                                      linear,
                                      rip_,
                                      access_meta(kDS, 1, m.write ? Access::kWrite : Access::kRead),
                                      static_cast<u16>(bytes),
                                      static_cast<u16>(memo),
                                      1,
                                      m.write,
                                      true,
                                      false,
                                      false,
                                      true,
                                      kNoReg};
    if (step != 0) {
      a_.gs_load(kT1, memo_field(memo, offsetof(LastPage, base)));
      if (step > 0) a_.gs(true, 0x03, kT1, memo_field(memo, offsetof(LastPage, room)));
      const i64 end = static_cast<i64>(last_page_bytes(memo)) - 1;
      a_.lea(true, kT1, kT1, hNone, 0, static_cast<i32>(step > 0 ? end - (m.hi + more) : -(m.lo + more)));
      a_.gs_store(kT1, limit_slot(group));
    }
    a_.gs_load(kT0, memo_field(memo, offsetof(LastPage, add)));
    a_.gs_store(kT0, addend_slot(group));
    return;
  }
  linear_to_t0(linear);
  careful_[careful_count_++] = {check_tlb(bytes, m.write), rip_, false};
  // T0 is the offset in the page. (The tag is not read again: another vCPU may take it away.)
  if (step != 0) a_.gs_store(kT0, limit_slot(group));
  a_.rm(true, 0x8b, kT0, kT1, m.write ? offsetof(TlbEntry, write_add) : offsetof(TlbEntry, read_add));
  a_.gs_store(kT0, addend_slot(group));
  if (step == 0) return;
  const i64 far = step > 0 ? static_cast<i64>(kPageBytes) - (m.hi + more) : -(m.lo + more);
  a_.lea(kT1, run_linear(group, m.lo + far));
  a_.gs(true, 0x2b, kT1, limit_slot(group));
  a_.gs_store(kT1, limit_slot(group));
}

/// Jumps for the case that the next turns do not all stay within the limits. Clobbers T0.
unsigned Translator::compare_limits(u8* (&beyond)[kMaxRunGroups]) {
  unsigned n = 0;
  for (unsigned g = 0; g < run_groups_; g++) {
    if (run_step_[g] == 0) continue;
    const MergeGroup& m = groups_[g];
    Host sum = host_of(m.base);
    if (m.index != kNoReg) {
      a_.lea(kT0, run_linear(g, 0));
      sum = kT0;
    }
    a_.gs(true, 0x3b, sum, limit_slot(g));
    beyond[n++] = a_.jcc(run_step_[g] > 0 ? cG : cL);
  }
  return n;
}

/// `to` = the group's addend, with the register added that stays as it is: accesses then need one instruction.
void Translator::load_addend(unsigned group, Host to) {
  const MergeGroup& m = groups_[group];
  a_.gs_load(to, addend_slot(group));
  if (m.base == kNoReg || m.index == kNoReg) return;
  if (folds_index(group))
    a_.lea(true, to, to, kRegMap[m.index], m.scale, 0);
  else
    a_.lea(true, to, to, kRegMap[m.base], 0, 0);
}

/// Of two registers: the index stays, and the base moves.
bool Translator::folds_index(unsigned group) const { return run_base_moves_ >> group & 1; }

/// The operand of an access of a group while its loop runs.
Mem Translator::run_operand(u8 group, i32 disp) {
  const MergeGroup& m = groups_[group];
  Host addend = kT1;
  if (group != run_in_t1()) {
    addend = kT0;
    if (t0_group_ != group) load_addend(group, kT0);
    t0_group_ = group;
  }
  if (m.base != kNoReg && (m.index == kNoReg || folds_index(group))) return {kRegMap[m.base], addend, 0, disp};
  return {addend, kRegMap[m.index], m.scale, disp};
}

/// From the first instruction of a turn to its jump. @returns the jump out of the loop
u8* Translator::emit_turn(unsigned first) {
  const unsigned jump = first + run_each_ - 1;
  for (unsigned i = first; i < jump; i++) {
    note_start(i);
    emit_inst(i);
  }
  note_start(jump);
  flags_to_host();
  return a_.jcc(static_cast<Cond>((insts_[jump].opcode & 15) ^ 1));
}

void Translator::begin_turns() {
  t0_group_ = kNoGroup;
  if (run_groups_ > 1) load_addend(run_in_t1(), kT1);
  load_addend(0, kT0);
  t0_group_ = 0;
}

void Translator::emit_run() {
  u8* beyond[kMaxRunGroups];
  note_start(0);
  const u8* head = a_.at();
  for (unsigned g = 0; g < run_groups_; g++) check_run(g);
  run_alone_count_ = run_turns_ > 1 ? compare_limits(run_alone_) : 0;
  const u8* again = a_.at();
  in_run_ = went_back_ = true;
  begin_turns();
  u8* out[kMostTurns];
  for (unsigned t = 0; t < run_turns_; t++) out[t] = emit_turn(t * run_each_);
  in_run_ = false;
  i_ = run_insts() - 1;
  inst_ = &insts_[i_];
  inst_rip_ = rip_of(i_);
  if (vcpu_.machine->boundary) {  // whoever compares machines block by block wants blocks to end
    exit_direct(rip_, 0);
  } else {
    a_.gs_cmp_imm8(offsetof(Vcpu, attention), 0);
    poll_[poll_count_++] = a_.jcc(cNE);
    const unsigned n = compare_limits(beyond);
    for (unsigned i = 0; i < n; i++) Assembler::patch(beyond[i], head);
    a_.jmp_to(again);
  }
  for (unsigned t = 0; t < run_turns_; t++) a_.bind(out[t]);
  run_behind_ = a_.at();
  parked_ = false;
  t0_group_ = kNoGroup;
}

/// Out of line: a turn near the end of the pages, with the checks of the head.
void Translator::emit_run_alone() {
  if (run_alone_count_ == 0) return;
  for (unsigned i = 0; i < run_alone_count_; i++) a_.bind(run_alone_[i]);
  parked_ = false;
  in_run_ = true;
  begin_turns();
  Assembler::patch(emit_turn(0), run_behind_);
  in_run_ = false;
  a_.jmp_to(code_.rw(code_.block(block_).code_polled));
}

}  // namespace rz
