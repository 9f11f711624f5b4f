// See lockstep.h.
#include "lockstep.h"

#include <cstdio>
#include <cstring>

#include "../cache/code_cache.h"
#include "../decode/disassemble.h"
#include "../mmu/mmu.h"
#include "../mmu/phys_memory.h"
#include "../run/host_fpu.h"
#include "listing.h"
#include "state_diff.h"

namespace rz {
namespace {

constexpr unsigned kMostSteps = 4500;  // more than a block has: a page of padding, interrupted string instructions

/// Whether the first machine left its block in the middle: at a fault, or for one instruction to be run alone. Flags
/// that the rest of the block overwrites unread may be stale there, for the translator does not keep them (decision
/// 0005), and stale in a frame that is pushed there.
bool left_in_the_middle(const Vcpu& first) {
  return first.exception.vector != PendingException::kNone || first.single_block;
}

}  // namespace

bool inst_at(const Vcpu& v, u64 rip, Inst& inst) {
  Translation t;
  u8 bytes[kMaxInstBytes] = {};
  if (!peek_walk(v, v.code64() ? rip : static_cast<u32>(v.seg[kCS].base + rip), t)) return false;
  const u8* host = v.machine->memory->host(t.gpa);
  if (!host) return false;
  const unsigned room = static_cast<unsigned>(kPageBytes - (t.gpa & 4095));
  std::memcpy(bytes, host, room < sizeof bytes ? room : sizeof bytes);
  return decode(bytes, sizeof bytes, v.code_size(), inst) == DecodeStatus::kOk;
}

Lockstep::Lockstep(Machine& first, Machine& second, VirtualTime& time)
    : a_(*first.vcpus[0]), b_(*second.vcpus[0]), time_(time) {
  second.options.max_block_insts = 1;
  first.boundary = first_boundary;
  second.boundary = second_boundary;
  second.boundary_context = this;
  for (Machine* m : {&first, &second}) {
    m->virtual_tsc = &time.now;
    m->virtual_random = 0x9e3779b97f4a7c15ull;
  }
  for (Vcpu* v : {&a_, &b_}) {
    v->boot_tsc = time.now;
    v->msr.tsc_offset = 0;
  }
}

Lockstep::~Lockstep() {
  for (Vcpu* v : {&a_, &b_}) {
    v->machine->boundary = nullptr;
    v->machine->virtual_tsc = nullptr;
    v->machine->virtual_random = 0;
  }
}

bool Lockstep::second_step(Vcpu& vcpu) {
  if (steps_ < std::size(path_)) path_[steps_] = vcpu.rip;
  steps_++;
  if (vcpu.rip == a_.rip) {
    HostFpuScope scope(vcpu);
    const bool middle = left_in_the_middle(a_);
    u64 tolerated = middle ? kArithFlags : stale_;
    Inst last;
    if (steps_ <= std::size(path_) && inst_at(vcpu, steps_ == 1 ? start_rip_ : path_[steps_ - 2], last) &&
        (last.row->helper == Helper::k_iret || last.row->helper == Helper::k_popf))
      tolerated |= stale_seen_;
    std::string d = general_differences(a_, vcpu, tolerated);
    if (d.empty()) d = vector_differences(a_, vcpu);
    if (d.empty()) {
      met_ = true;
      stale_ = (a_.rflags ^ vcpu.rflags) & kArithFlags;
      if (middle) stale_seen_ |= stale_;
      return false;
    }
    // A block may pass where it will end: that is no meeting. What differs there is told when no meeting follows.
    candidate_ = d;
    candidate_states_ = both_states(a_, vcpu);
  }
  return steps_ < kMostSteps;
}

StepEnd Lockstep::run(u64 instructions) {
  const u64 until = retired_ + instructions;
  while (retired_ < until) {
    start_rip_ = a_.rip;
    last_[blocks_++ % std::size(last_)] = a_.rip;
    steps_ = 0;
    met_ = false;
    candidate_.clear();
    const RunExit first = rz::run(a_);
    const RunExit second = rz::run(b_);
    if (first == RunExit::kInternalError || second == RunExit::kInternalError) return StepEnd::kBroken;
    if (first == RunExit::kShutdown && second == RunExit::kShutdown) return StepEnd::kShutdown;
    if (first != second) return StepEnd::kDifferent;
    if (!met_) {
      // No instruction was run: asked to stop, or halted.
      if (steps_ != 0 || !general_differences(a_, b_, stale_).empty()) return StepEnd::kDifferent;
      if (!a_.halted) return StepEnd::kStopped;
      const u64 next = a_.machine->irq->next_deadline_ns(a_);
      if (next == kNever) return StepEnd::kAsleep;
      if (next > time_.now) time_.now = next;
      time_.now++;
      continue;
    }
    retired_ += steps_;
    time_.now += steps_;
  }
  return StepEnd::kLimit;
}

std::string Lockstep::report() const {
  char line[160];
  std::snprintf(line, sizeof line, "after %llu instructions in %llu blocks, in the block at %llx:\n",
                static_cast<unsigned long long>(retired_), static_cast<unsigned long long>(blocks_),
                static_cast<unsigned long long>(start_rip_));
  std::string text = line;
  text += "  differs             first           second\n";
  text += candidate_.empty() ? general_differences(a_, b_, 0) + vector_differences(a_, b_) : candidate_;
  text += candidate_.empty() ? both_states(a_, b_) : candidate_states_;
  text += "the second's way through the block:\n";
  u64 rip = start_rip_;
  const unsigned shown = steps_ < std::size(path_) ? steps_ : static_cast<unsigned>(std::size(path_));
  for (unsigned i = 0; i <= shown && i < 40; i++) {
    Inst inst;
    char inst_text[96] = "?";
    if (inst_at(b_, rip, inst)) disassemble(inst, rip, inst_text, sizeof inst_text);
    std::snprintf(line, sizeof line, "  %llx  %s\n", static_cast<unsigned long long>(rip), inst_text);
    text += line;
    if (i < shown) rip = path_[i];
  }
  text += "the last blocks:";
  const u64 count = blocks_ < std::size(last_) ? blocks_ : std::size(last_);
  for (u64 i = blocks_ - count; i < blocks_; i++) {
    std::snprintf(line, sizeof line, " %llx", static_cast<unsigned long long>(last_[i % std::size(last_)]));
    text += line;
  }
  return text + "\nwhat the first made of the block:\n" + list_blocks_at(*a_.machine, start_rip_, 2);
}

}  // namespace rz
