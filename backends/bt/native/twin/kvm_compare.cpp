// One instruction of KvmLockstep: KVM steps it, is brought back where it went astray, and is compared. See
// kvm_lockstep.h.
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "comparable.h"
#include "debug/state_diff.h"
#include "kvm_lockstep.h"
#include "mmu/mmu.h"
#include "run/machine.h"

namespace rz {
namespace {

constexpr u64 kVectorsEvery = 64;  // instructions; those that name vector registers always
constexpr u64 kStaleTraps = 8;     // traps of earlier steps that may come before one

}  // namespace

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
  } else if (a_.cpl != 0 || offset - start_rip_ < inst_.length) {
    return spot;  // not in ring 3, which refuses HLT, nor in the instruction itself
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
