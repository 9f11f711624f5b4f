// See kvm_lockstep.h.
#include "kvm_lockstep.h"

#include <sys/mman.h>
#include <sys/time.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "debug/state_diff.h"
#include "decode/disassemble.h"
#include "decode/flags.h"
#include "mmu/mmu.h"
#include "run/machine.h"

namespace rz {
namespace {

constexpr u64 kMostRounds = 4096;       // of a repeated instruction that are stepped one by one
constexpr u64 kVectorsEvery = 64;       // instructions; those that name vector registers always
constexpr u64 kStaleTraps = 8;          // traps of earlier steps that may come before one
constexpr u32 kStateImageBytes = 4096;  // the largest that one instruction writes (XSAVE)
constexpr u32 kTssBytes = 104;
constexpr u32 kFrameBytes = 128;          // more than any event pushes
constexpr suseconds_t kTickUs = 500'000;  // after some of these, a step that does not come back is given up

void on_tick(int) {}  // KVM_RUN comes back with EINTR

bool names_vectors(const Inst& inst) {
  return (inst.row->attrs & (kNeedsFpu | kNeedsMmx | kNeedsSse | kNeedsAvx)) != 0;
}

/// A set of Flag as bits of EFLAGS.
u64 eflags(u8 flags) {
  constexpr struct {
    u8 flag;
    u64 bit;
  } kAll[] = {{kCF, kFlagCF}, {kPF, kFlagPF}, {kAF, kFlagAF}, {kZF, kFlagZF}, {kSF, kFlagSF}, {kOF, kFlagOF}};
  u64 bits = 0;
  for (const auto& [flag, bit] : kAll)
    if (flags & flag) bits |= bit;
  return bits;
}

/// Flags that the manual leaves open after the instruction, so that another processor, or software, may differ.
u64 open_flags(const Inst& inst) {
  const Flags f = flags_of(inst);
  const bool shift = (inst.row->map == Map::kOne && ((inst.opcode & 0xfe) == 0xc0 || (inst.opcode & 0xfc) == 0xd0)) ||
                     (inst.row->map == Map::k0F && (inst.opcode & 0xf6) == 0xa4);
  return eflags(f.undefined | (shift ? f.maybe & (kOF | kAF) : f.maybe));
}

u64 stack_linear(const Vcpu& v) {
  const u64 mask = v.code64() ? ~0ull : v.seg[kSS].big() ? 0xffffffff : 0xffff;
  return v.seg[kSS].base + (v.regs[4] & mask);
}

/// Instructions whose outcome is the machine's rather than the processor's, or that single steps change.
const char* beyond_comparison(Helper helper, unsigned ring) {
  switch (helper) {
    case Helper::k_cpuid: return "CPUID";
    case Helper::k_rdtsc:
    case Helper::k_rdtscp:
    case Helper::k_rdpmc: return "clocks and counters";
    case Helper::k_rdrand:
    case Helper::k_rdseed: return "randomness";
    case Helper::k_rdmsr:
    case Helper::k_wrmsr: return "MSRs";
    case Helper::k_hlt:
    case Helper::k_monitor:
    case Helper::k_mwait: return "waiting";
    case Helper::k_vmcall: return "hypercalls";
    case Helper::k_mov_from_dr:
    case Helper::k_mov_to_dr: return "debug registers";
    case Helper::k_xsetbv: return "XSETBV";
    case Helper::k_int_imm:
    case Helper::k_int3:
    case Helper::k_int1:
    case Helper::k_into: return "software interrupts";
    case Helper::k_syscall:
    case Helper::k_sysenter: return "SYSCALL, SYSENTER";
    case Helper::k_mov_from_seg:
    case Helper::k_mov_to_seg:
    case Helper::k_push_seg:
    case Helper::k_pop_seg: return ring == 3 ? "segment registers in ring 3" : nullptr;  // some KVMs show the host's
    case Helper::k_fnstenv:
    case Helper::k_fnsave:
    case Helper::k_fxsave:
    case Helper::k_xsave:
    case Helper::k_xsaveopt:
    case Helper::k_xsavec: return "images of the FPU";
    default: return nullptr;
  }
}

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

bool KvmLockstep::windows_differ() {
  char line[120];
  windows_[window_count_++] = {stack_linear(a_), 16, 32};
  for (unsigned i = 0; i < window_count_; i++) {
    u64 at = windows_[i].linear - windows_[i].below;
    u64 left = windows_[i].below + windows_[i].above;
    while (left > 0) {
      const u64 now = std::min(left, kPageBytes - (at & (kPageBytes - 1)));
      Translation t;
      if (peek_walk(a_, a_.code64() ? at : static_cast<u32>(at), t)) {
        const u8 *x = a_.machine->memory->host(t.gpa), *y = twin_.ram(t.gpa);
        if (x && y && std::memcmp(x, y, now) != 0) {
          u64 k = 0;
          while (x[k] == y[k]) k++;
          std::snprintf(line, sizeof line, "  memory at linear %llx: %02x %02x\n",
                        static_cast<unsigned long long>(at + k), x[k], y[k]);
          difference_ = line;
          return true;
        }
      }
      at += now;
      left -= now;
    }
  }
  return false;
}

/// Where KVM finds HLT while it steps. Some KVMs (ring 0 in software, ring 3 on the processor) let the guest have the
/// trap of a step in ring 3: at its handler, so that it does nothing with it. And they forget the step behind some
/// instructions of ring 0: where the translator went.
KvmLockstep::HaltSpot KvmLockstep::halt_spot() {
  HaltSpot spot;
  u64 offset = a_.rip;
  if (start_cpl_ == 3) {
    const bool wide = a_.long_mode();
    u64 gate = 0, upper = 0;
    const u64 at = a_.idtr.base + (wide ? 16 : 8) * kDB;
    if (!read_twin(at, &gate, 8) || (wide && !read_twin(at + 8, &upper, 8))) return spot;
    offset = (gate & 0xffff) | (gate >> 32 & 0xffff0000) | upper << 32;
  } else if (a_.cpl != 0 || offset - start_rip_ < kMaxInstBytes) {
    // Falls through, or goes round: only what does not lie in the instruction itself.
    if (a_.cpl != 0 || offset - start_rip_ < inst_.length) return spot;
  }
  Translation t;
  const u64 base = start_cpl_ == 3 ? 0 : a_.seg[kCS].base;  // handlers are in flat segments, or are not found
  const u64 linear = a_.long_mode() ? base + offset : static_cast<u32>(base + offset);
  for (unsigned i = 0; i < window_count_; i++) {
    const Window& w = windows_[i];
    if (linear + w.below - w.linear < w.below + u64{w.above}) return spot;  // the instruction may read or write it
  }
  if (!peek_walk(a_, linear, t)) return spot;
  spot.byte = twin_.ram(t.gpa);
  spot.rip = offset;
  return spot;
}

/// Go back to where the trap of a step came from, if the guest has it.
/// @param before  system registers in front of the instruction
/// @returns null, or why this instruction cannot be compared
const char* KvmLockstep::take_trap_back(const HaltSpot& spot, const kvm_sregs& before) {
  if (!spot.byte || twin_.rip() != spot.rip + 1) return nullptr;
  if (start_cpl_ == 0) return twin_.go_to(twin_.system(), spot.rip, twin_.rflags(), twin_.rsp());
  if ((twin_.system().cs.selector & 3) == 3) return nullptr;
  constexpr unsigned kFrameWords = 5;  // RIP, CS, RFLAGS, RSP, SS
  const unsigned bytes = a_.long_mode() ? 8 : 4;
  u64 frame[kFrameWords] = {};
  const u64 rsp = twin_.rsp();
  for (unsigned i = 0; i < kFrameWords; i++)
    if (!read_twin(rsp + i * bytes, &frame[i], bytes)) return "steps whose trap the guest took";
  copy_linear(rsp, kFrameWords * bytes);
  kvm_sregs system = twin_.system();
  system.cs = before.cs;
  system.ss = before.ss;
  if ((frame[1] & 0xffff) != before.cs.selector || (frame[4] & 0xffff) != before.ss.selector)
    return "loads of CS and SS in ring 3";
  return twin_.go_to(system, frame[0], frame[2], frame[3]);
}

bool KvmLockstep::read_twin(u64 linear, void* into, unsigned bytes) {
  for (unsigned i = 0; i < bytes; i++) {
    Translation t;
    const u8* from = peek_walk(a_, linear + i, t) ? twin_.ram(t.gpa) : nullptr;
    if (!from) return false;
    static_cast<u8*>(into)[i] = *from;
  }
  return true;
}

StepEnd KvmLockstep::compare() {
  unsigned answered = 0;
  for (u64 round = 0;; round++) {
    const kvm_sregs before = twin_.system();
    const kvm_regs registers = twin_.registers();
    const HaltSpot spot = halt_spot();
    const u8 was = spot.byte ? *spot.byte : u8{};
    constexpr u8 kHlt = 0xf4;
    if (spot.byte) *spot.byte = kHlt;
    if (start_cpl_ == 3) twin_.arm();  // accesses to devices and odd stack pointers make the same KVMs forget it
    const KvmTwin::Step step = twin_.step(bus_, answered);
    if (spot.byte) *spot.byte = was;
    if (step == KvmTwin::Step::kCannot) {
      const std::string reason = std::string("this KVM does not know ") + inst_.row->mnemonic;
      return follow(reason.c_str()) ? StepEnd::kLimit : StepEnd::kBroken;
    }
    if (step == KvmTwin::Step::kRefused) {
      difference_ = twin_.note;
      return StepEnd::kBroken;
    }
    if (step != KvmTwin::Step::kDone) {
      difference_ = step == KvmTwin::Step::kDevices    ? "  devices: " + twin_.note + "\n"
                    : step == KvmTwin::Step::kShutdown ? "  KVM alone: triple fault\n"
                                                       : "  KVM did not come back from the instruction\n";
      return StepEnd::kDifferent;
    }
    if (const char* reason = take_trap_back(spot, before)) return follow(reason) ? StepEnd::kLimit : StepEnd::kBroken;
    // The trap of an earlier step, or of that HLT, may come first: nothing was executed.
    const bool still = std::memcmp(&registers, &twin_.registers(), offsetof(kvm_regs, rflags)) == 0;
    if (still && round < kStaleTraps && (a_.rip != start_rip_ || a_.regs[1] != start_rcx_)) continue;
    const bool same_round = twin_.rip() == start_rip_ && (a_.rip != start_rip_ || twin_.rcx() != a_.regs[1]);
    if (!same_round || !(inst_.rep || inst_.repne) || round > kMostRounds) break;
  }
  if (inst_.row->sem == Sem::kPushf || inst_.row->helper == Helper::k_pushf) {
    Translation t;
    if (peek_walk(a_, stack_linear(a_), t)) twin_.settle_pushed_flags(t.gpa, start_cpl_ == 3, a_.rflags);
  }
  if (inst_.row->helper == Helper::k_popf || inst_.row->helper == Helper::k_iret ||
      inst_.row->helper == Helper::k_sysret)
    twin_.arm();
  twin_.state_into(*image_);
  const u64 open = open_flags(inst_);
  difference_ = general_differences(a_, *image_, kFlagRF | open);
  if (difference_.empty() && (names_vectors(inst_) || compared_ % kVectorsEvery == 0)) {
    if (!twin_.vectors_into(*image_)) return StepEnd::kBroken;
    difference_ = vector_differences(a_, *image_);
  }
  if (!difference_.empty() || windows_differ()) return StepEnd::kDifferent;
  compared_++;
  if (((a_.rflags ^ image_->rflags) & open) == 0) return StepEnd::kLimit;
  const char* refused = twin_.take_over(a_);
  if (refused) difference_ = std::string("KVM refuses the translator's flags: ") + refused;
  return refused ? StepEnd::kBroken : StepEnd::kLimit;
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

u64 KvmLockstep::first_ram_difference() {
  constexpr u8 kAccessedDirty = 0x60, kSegmentAccessed = 1;
  const PhysMemory& memory = twin_.memory();
  for (unsigned s = 0; s < memory.count(); s++) {
    const MemorySlot& slot = memory.slot(s);
    const u8 *x = a_.machine->memory->host(slot.base), *y = slot.host;
    for (u64 page = 0; page < slot.bytes; page += kPageBytes) {
      unsigned char there[2] = {};  // not touched in either: zeros, and should stay unallocated
      if (mincore(const_cast<u8*>(x + page), kPageBytes, there) == 0 &&
          mincore(slot.host + page, kPageBytes, there + 1) == 0 && !((there[0] | there[1]) & 1))
        continue;
      if (std::memcmp(x + page, y + page, kPageBytes) == 0) continue;
      for (u64 i = page; i < page + kPageBytes; i++) {
        const u8 diff = x[i] ^ y[i];
        if (diff == 0 || (i % 4 == 0 && (diff & ~kAccessedDirty) == 0)) continue;
        if (i % 8 == 5 && diff == kSegmentAccessed) continue;
        return slot.base + i;
      }
    }
  }
  return ~0ull;
}

}  // namespace rz
