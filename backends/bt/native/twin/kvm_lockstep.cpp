// See kvm_lockstep.h.
#include "kvm_lockstep.h"

#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <cstdio>

#include "comparable.h"
#include "debug/state_diff.h"
#include "decode/disassemble.h"
#include "mmu/mmu.h"
#include "run/machine.h"

namespace rz {
namespace {

constexpr u32 kStateImageBytes = 4096;  // the largest that one instruction writes (XSAVE)
constexpr u32 kTssBytes = 104;
constexpr u32 kFrameBytes = 128;          // more than any event pushes
constexpr suseconds_t kTickUs = 500'000;  // after some of these, a step that does not come back is given up

void on_tick(int) {}  // KVM_RUN comes back with EINTR

}  // namespace

KvmLockstep::KvmLockstep(Machine& machine, VirtualTime& time)
    : a_(*machine.vcpus[0]), time_(time), bus_(*machine.bus), image_(std::make_unique<Vcpu>()) {
  machine.options.max_block_insts = 1;
  machine.boundary = at_boundary;
  machine.stop_at_delivery = true;
  machine.virtual_tsc = &time.now;
  machine.virtual_random = 0x9e3779b97f4a7c15ull;
  machine.bus = &bus_;
  a_.boot_tsc = time.now;
  a_.msr.tsc_offset = 0;
  struct sigaction action = {};
  action.sa_handler = on_tick;  // without SA_RESTART
  sigaction(SIGALRM, &action, nullptr);
  const itimerval tick = {{0, kTickUs}, {0, kTickUs}};
  setitimer(ITIMER_REAL, &tick, nullptr);
}

KvmLockstep::~KvmLockstep() {
  const itimerval none = {};
  setitimer(ITIMER_REAL, &none, nullptr);
  a_.machine->boundary = nullptr;
  a_.machine->stop_at_delivery = false;
  a_.machine->virtual_tsc = nullptr;
  a_.machine->virtual_random = 0;
  a_.machine->bus = &bus_.behind();
}

bool KvmLockstep::begin(std::string& error) {
  if (!twin_.open(*a_.machine->memory, error)) return false;
  const char* refused = twin_.take_over(a_);
  if (refused) error = std::string(refused) + ": KVM refuses the first state";
  return !refused;
}

void KvmLockstep::copy_linear(u64 linear, u64 bytes) {
  while (bytes > 0) {
    const u64 now = std::min(bytes, kPageBytes - (linear & (kPageBytes - 1)));
    Translation t;
    if (peek_walk(a_, a_.code64() ? linear : static_cast<u32>(linear), t)) twin_.copy_ram(t.gpa, now);
    linear += now;
    bytes -= now;
  }
}

/// What events and segment loads change: accessed and busy bits in the descriptor tables, and the outgoing task.
void KvmLockstep::copy_tables() {
  copy_linear(a_.gdtr.base, a_.gdtr.limit + 1u);
  if (a_.ldtr.present()) copy_linear(a_.ldtr.base, std::min<u64>(a_.ldtr.limit, 0xffff) + 1);
  for (const u64 base : {start_tr_, a_.tr.base}) copy_linear(base, kTssBytes);
}

void KvmLockstep::find_windows() {
  window_count_ = 0;
  if (!decoded_) return;
  if (inst_.has_memory && inst_.seg < kSegCount)
    windows_[window_count_++] = {a_.seg[inst_.seg].base + effective_offset(a_, inst_), 0, 64};
  const Helper h = inst_.row->helper;
  if (h == Helper::k_movs || h == Helper::k_stos || h == Helper::k_ins) {
    const u64 mask = ~0ull >> (64 - 8 * inst_.address_bytes);
    const u64 rounds = inst_.rep || inst_.repne ? std::min<u64>(a_.regs[1] & mask, 1 << 20) : 1;
    const u32 bytes = static_cast<u32>(rounds) * 8;
    const bool down = (a_.rflags & kFlagDF) != 0;
    windows_[window_count_++] = {a_.seg[kES].base + (a_.regs[7] & mask), down ? bytes : 0, down ? 8 : bytes};
  }
}

const char* KvmLockstep::why_not(u64 flags_before) const {
  if (a_.exception.vector != PendingException::kNone) return "exceptions";
  if (!decoded_) return "code on two pages, or that cannot be decoded";
  // A KVM with ring 0 in software and ring 3 on the processor loses the step there.
  if (a_.cpl > start_cpl_) return "returns to an outer ring";
  if (flags_before & kFlagTF) return "the guest's own single steps";
  if (a_.watch_code || a_.watch_data || a_.watch_port) return "the guest's own breakpoints";
  if (const char* reason = beyond_comparison(inst_.row->helper, start_cpl_)) return reason;
  if ((inst_.rep || inst_.repne) && start_rcx_ > kMostRounds && inst_.row->helper != Helper::k_none)
    return "string instructions of many rounds";
  return nullptr;
}

/// KVM goes to where the translator is.
bool KvmLockstep::follow(const char* reason) {
  reasons_[reason]++;
  taken_++;
  for (unsigned i = 0; i < window_count_; i++) {
    const Window& w = windows_[i];
    copy_linear(w.linear - w.below, w.below + std::max(w.above, kStateImageBytes));
  }
  copy_linear(stack_linear(a_) - kFrameBytes, 2 * kFrameBytes);
  copy_tables();
  const char* refused = twin_.take_over(a_);
  if (refused) difference_ = std::string("KVM refuses the translator's state: ") + refused;
  return !refused;
}

/// The guest turned something on that this KVM does not have at all.
bool KvmLockstep::beyond_kvm() {
  const u64 lacking = a_.cr4 & ~twin_.known_cr4();
  if (lacking == 0) return false;
  char text[80];
  std::snprintf(text, sizeof text, "this KVM lacks bits %llx of CR4", static_cast<unsigned long long>(lacking));
  difference_ = text;
  return true;
}

StepEnd KvmLockstep::one() {
  start_rip_ = a_.rip;
  start_rcx_ = a_.regs[1];
  start_cpl_ = a_.cpl;
  start_tr_ = a_.tr.base;
  last_[steps_++ % std::size(last_)] = a_.rip;
  bus_.forget();
  decoded_ = inst_at(a_, a_.rip, inst_);
  find_windows();
  const u64 flags_before = a_.rflags, delivered_before = deliveries(a_);
  const bool was_halted = a_.halted;
  const u64 blocks_before = a_.flight_next;
  const RunExit exit = rz::run(a_);
  if (exit == RunExit::kInternalError) return StepEnd::kBroken;
  if (exit == RunExit::kShutdown) return StepEnd::kShutdown;
  if (deliveries(a_) != delivered_before) {
    window_count_ = 0;
    return follow("deliveries of exceptions and interrupts") ? StepEnd::kLimit : StepEnd::kBroken;
  }
  if (a_.flight_next == blocks_before) {  // no instruction was run: asked to stop, or halted
    if (!a_.halted) return StepEnd::kStopped;
    const u64 next = a_.machine->irq->next_deadline_ns(a_);
    if (next == kNever) return StepEnd::kAsleep;
    if (next > time_.now) time_.now = next;
    time_.now++;
    return StepEnd::kLimit;
  }
  time_.now++;
  if (a_.msr.kvm_clock & 1) twin_.copy_ram(a_.msr.kvm_clock & ~1ull, 64);  // written when the clock is asked for
  if (a_.exception.vector != PendingException::kNone && a_.rip == start_rip_) {
    // Delivered with the next step; KVM waits where it is. Parts of the destination may be written.
    reasons_["exceptions"]++;
    taken_++;
    for (unsigned i = 0; i < window_count_; i++)
      copy_linear(windows_[i].linear - windows_[i].below, windows_[i].below + windows_[i].above);
    return StepEnd::kLimit;
  }
  if (beyond_kvm()) return StepEnd::kLacking;
  const char* reason = was_halted ? "waiting" : why_not(flags_before);
  if (reason) return follow(reason) ? StepEnd::kLimit : StepEnd::kBroken;
  return compare();
}

StepEnd KvmLockstep::run(u64 instructions) {
  const u64 until = retired() + instructions;
  StepEnd end = StepEnd::kLimit;
  while (end == StepEnd::kLimit && retired() < until) end = one();
  return end;
}

std::string KvmLockstep::not_compared() const {
  std::string text;
  for (const auto& [reason, count] : reasons_) text += "  " + std::to_string(count) + " " + reason + "\n";
  return text;
}

std::string KvmLockstep::report() const {
  char text[96] = "?";
  if (decoded_) disassemble(inst_, start_rip_, text, sizeof text);
  char line[200];
  std::snprintf(line, sizeof line, "after %llu instructions, at %llx: %s\n", static_cast<unsigned long long>(retired()),
                static_cast<unsigned long long>(start_rip_), text);
  std::string out = line;
  out += "  differs       the translator              KVM\n" + difference_ + both_states(a_, *image_);
  out += "the last instructions:";
  const u64 count = std::min<u64>(steps_, std::size(last_));
  for (u64 i = steps_ - count; i < steps_; i++) {
    std::snprintf(line, sizeof line, " %llx", static_cast<unsigned long long>(last_[i % std::size(last_)]));
    out += line;
  }
  return out + "\n";
}

}  // namespace rz
