// Short loops: a block that ends with a conditional jump to its own beginning goes on there, some times over, so that
// several turns share the checks of their accesses and one poll. Where all accesses move by known steps the loop then
// runs on without checks (run_loop.cpp); else turns share what accesses in a row share (merge.cpp), if there are some
// through registers that stay as they are, or move by known steps.
#include "../decode/registers.h"
#include "mode.h"
#include "translator.h"

namespace rz {
namespace {

constexpr unsigned kMostTurns = 4;
constexpr unsigned kMostInsts = 48;  // of all turns: what is translated for a loop that ends soon has a bound

}  // namespace

/// The last decoded instruction jumps back to the first, and nothing but the instructions between them was decoded.
bool Translator::jumps_to_start(const Inst& inst) {
  if (followed_ || run_each_ || !code64() || single() || (mode_ & (kModeCareful | kModeAlign)) ||
      vcpu_.machine->options.no_opt)
    return false;
  inst_rip_ = rip_of(count_ - 1);
  inst_ = &inst;
  return branch_target(inst) == rip_ && valid_target(next_rip());
}

/// Turns of such a loop have accesses to share.
bool Translator::repeats() const {
  u32 unknown = 0;  // registers that change by who knows what
  for (unsigned i = 0; i < count_; i++) {
    if (insts_[i].row->sem == Sem::kHelper) return false;  // ends all sharing
    u8 reg;
    i32 step;
    u32 written = registers_written(insts_[i]);
    if (known_step(insts_[i], reg, step)) written &= ~(1u << reg);
    unknown |= written;
  }
  for (unsigned i = 0; i < count_; i++) {
    MergeAccess access[2];
    const unsigned n = mergeable(insts_[i], access);
    for (unsigned k = 0; k < n; k++) {
      const auto stays = [&](u8 reg) { return reg == kNoReg || !(unknown >> reg & 1); };
      if (stays(access[k].base) && stays(access[k].index)) return true;
    }
  }
  return false;
}

/// If what was decoded is a loop, copies it behind itself. The jump of each turn but the last is followed.
/// @param inst  the last decoded instruction, a conditional jump
/// @param limit  instructions that the block may have
void Translator::repeat_loop(const Inst& inst, unsigned limit) {
  if (!jumps_to_start(inst)) return;
  const unsigned each = count_;
  unsigned turns = 1;
  if (plan_run()) {
    if (run_turns_ > limit / each) run_turns_ = limit / each;
    turns = run_turns_;
  } else if (repeats()) {
    const unsigned most = limit < kMostInsts ? limit : kMostInsts;
    turns = most / each < kMostTurns ? most / each : kMostTurns;
  }
  for (unsigned turn = 1; turn < turns; turn++) {
    followed_ |= 1ull << (count_ - 1);
    for (unsigned i = 0; i < each; i++) {
      insts_[count_] = insts_[i];
      offsets_[count_++] = offsets_[i];
    }
  }
  if (run_each_) repeat_run();
}

}  // namespace rz
