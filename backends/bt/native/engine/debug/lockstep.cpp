// See lockstep.h.
#include "lockstep.h"

#include <cstdio>
#include <cstring>

#include "../cache/code_cache.h"
#include "../decode/disassemble.h"
#include "../mmu/mmu.h"
#include "../mmu/phys_memory.h"
#include "../run/host_fpu.h"

namespace rz {
namespace {

constexpr unsigned kMostSteps = 4500;  // more than a block has: a page of padding, interrupted string instructions

/// Whether the first machine left its block in the middle: at a fault, or for one instruction to be run alone. Flags
/// that the rest of the block overwrites unread may be stale there, for the translator does not keep them (decision
/// 0005), and stale in a frame that is pushed there.
bool left_in_the_middle(const Vcpu& first) {
  return first.exception.vector != PendingException::kNone || first.single_block;
}

/// A state component of the XSAVE image, or zeros while it is in its initial state.
const u8* component(const Vcpu& v, unsigned bit, unsigned at) {
  static const u8 kZeros[512] = {};
  u64 present;
  std::memcpy(&present, v.xsave + 512, 8);
  return present >> bit & 1 ? v.xsave + at : kZeros;
}

/// FCW, FSW, FTW and MXCSR; the last instruction's address and opcode are the host's, so they are not compared.
struct FpuControl {
  u16 fcw = 0x37f, fsw = 0;
  u8 ftw = 0;
  u32 mxcsr = 0x1f80;
};
FpuControl control(const Vcpu& v) {
  FpuControl c;
  u64 present;
  std::memcpy(&present, v.xsave + 512, 8);
  if (present & 1) {
    std::memcpy(&c.fcw, v.xsave, 2);
    std::memcpy(&c.fsw, v.xsave + 2, 2);
    c.ftw = v.xsave[4];
  }
  std::memcpy(&c.mxcsr, v.xsave + 24, 4);
  return c;
}

class Differences {
 public:
  void number(const char* name, u64 a, u64 b) {
    if (a == b) return;
    char line[96];
    std::snprintf(line, sizeof line, "  %-8s %16llx %16llx\n", name, static_cast<unsigned long long>(a),
                  static_cast<unsigned long long>(b));
    text += line;
  }
  void bytes(const char* name, unsigned i, const u8* a, const u8* b, unsigned count) {
    if (std::memcmp(a, b, count) == 0) return;
    char line[32];
    std::snprintf(line, sizeof line, "  %s%u", name, i);
    text += line;
    for (const u8* side : {a, b}) {
      text += "  ";
      for (unsigned k = count; k-- > 0;) {
        std::snprintf(line, sizeof line, "%02x", side[k]);
        text += line;
      }
    }
    text += "\n";
  }
  std::string text;
};

constexpr const char* kGpr[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

/// Decode the instruction at `rip` of the vCPU's current code.
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

/// General state of the first and the second, without `tolerated` flags; empty when it is the same.
std::string differences(const Vcpu& a, const Vcpu& b, u64 tolerated) {
  Differences d;
  d.number("rip", a.rip, b.rip);
  for (unsigned i = 0; i < 16; i++) d.number(kGpr[i], a.regs[i], b.regs[i]);
  d.number("rflags", a.rflags & ~tolerated, b.rflags & ~tolerated);
  d.number("cr0", a.cr0, b.cr0);
  d.number("cr2", a.cr2, b.cr2);
  d.number("cr3", a.cr3, b.cr3);
  d.number("cr4", a.cr4, b.cr4);
  d.number("cpl", a.cpl, b.cpl);
  d.number("efer", a.msr.efer, b.msr.efer);
  for (unsigned i = 0; i < kSegCount; i++) {
    d.number("selector", a.seg[i].selector, b.seg[i].selector);
    d.number("base", a.seg[i].base, b.seg[i].base);
  }
  d.number("fault", a.exception.vector, b.exception.vector);
  if (a.exception.vector != PendingException::kNone) d.number("error", a.exception.error, b.exception.error);
  d.number("halted", a.halted, b.halted);
  return d.text;
}

/// FPU and vector state, both stored in `xsave`.
std::string vector_differences(const Vcpu& a, const Vcpu& b) {
  Differences d;
  const FpuControl x = control(a), y = control(b);
  d.number("fcw", x.fcw, y.fcw);
  d.number("fsw", x.fsw, y.fsw);
  d.number("ftw", x.ftw, y.ftw);
  d.number("mxcsr", x.mxcsr, y.mxcsr);
  for (unsigned i = 0; i < 8; i++) d.bytes("st", i, component(a, 0, 32) + 16 * i, component(b, 0, 32) + 16 * i, 10);
  for (unsigned i = 0; i < 16; i++) {
    d.bytes("xmm", i, component(a, 1, 160) + 16 * i, component(b, 1, 160) + 16 * i, 16);
    d.bytes("ymm-high", i, component(a, 2, 576) + 16 * i, component(b, 2, 576) + 16 * i, 16);
  }
  return d.text;
}

}  // namespace

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
  HostFpuScope scope(vcpu);
  if (steps_ < std::size(path_)) path_[steps_] = vcpu.rip;
  steps_++;
  if (vcpu.rip == a_.rip) {
    const bool middle = left_in_the_middle(a_);
    u64 tolerated = middle ? kArithFlags : stale_;
    Inst last;
    if (steps_ <= std::size(path_) && inst_at(vcpu, steps_ == 1 ? start_rip_ : path_[steps_ - 2], last) &&
        (last.row->helper == Helper::k_iret || last.row->helper == Helper::k_popf))
      tolerated |= stale_seen_;
    std::string d = differences(a_, vcpu, tolerated);
    if (d.empty()) d = vector_differences(a_, vcpu);
    if (d.empty()) {
      met_ = true;
      stale_ = (a_.rflags ^ vcpu.rflags) & kArithFlags;
      if (middle) stale_seen_ |= stale_;
      return false;
    }
    // A block may pass where it will end: that is no meeting. What differs there is told when no meeting follows.
    candidate_ = d;
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
      if (steps_ != 0 || !differences(a_, b_, stale_).empty()) return StepEnd::kDifferent;
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
  text += "  register            first           second\n";
  text += candidate_.empty() ? differences(a_, b_, 0) + vector_differences(a_, b_) : candidate_;
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
  return text + "\n";
}

}  // namespace rz
