// C++ that generated code calls through Vcpu::thunks. Guest registers are saved, guest FPU state is live.
#include "callbacks.h"

#include "../cache/code_cache.h"
#include "../cpu/tsc.h"
#include "../mmu/mmu.h"
#include "../ops/ops.h"
#include "../translate/mode.h"
#include "../translate/translator.h"
#include "code_store.h"
#include "flags_image.h"
#include "host_fpu.h"

namespace rz {
namespace {

u64 rip_of(const Vcpu& v, u32 meta, u32 block) {
  return rip_in_page(v.machine->code->block(block), AccessMeta::guest_offset(meta));
}

u64 next_rip(const Vcpu& v, const Inst& inst) {
  const u64 next = v.rip + inst.length;
  return v.code64() ? next : static_cast<u32>(next);
}

/// An operand that must be aligned and is not: #GP(0), pending afterwards. It comes before page faults.
bool misaligned(Vcpu& v, u64 linear, u32 meta) {
  if (!AccessMeta::aligned(meta) || !(linear & (AccessMeta::bytes(meta) - 1))) return false;
  v.raise(kGP, 0);
  v.exit_meta = kExitFault;
  return true;
}

/// An x87 or MMX instruction first reports the exception of an earlier one: before any fault of its operand, and before
/// a device is touched.
bool earlier_x87_error(Vcpu& v, u32 meta) {
  if (!AccessMeta::waits(meta) || !x87_error_pending()) return false;
  v.raise(kMF);
  v.exit_meta = kExitFault;
  return true;
}

}  // namespace

extern "C" u8* rz_slow_access(Vcpu* vcpu, u64 linear, u64 descriptor) {
  Vcpu& v = *vcpu;
  const u32 meta = static_cast<u32>(descriptor), block = static_cast<u32>(descriptor >> 32);
  v.count(Counter::kSlowAccesses);
  v.rip = rip_of(v, meta, block);
  if (earlier_x87_error(v, meta) || misaligned(v, linear, meta)) return nullptr;
  const u32 waits = v.waits;
  const SlowResult r = slow_access(v, linear, AccessMeta::bytes(meta), AccessMeta::access(meta));
  if (r.kind == SlowAccess::kHost) {
    if (v.waits == waits) return r.host;
    v.exit_meta = kExitLookup;  // a safe point: what this block knows is void. The instruction begins again
    return nullptr;
  }
  if (r.kind == SlowAccess::kCode && AccessMeta::access(meta) == Access::kWrite) {
    u8* nowhere = store_onto_code(v, r, linear, AccessMeta::bytes(meta), block, AccessMeta::guest_offset(meta));
    if (nowhere) return nowhere;
  }
  if (AccessMeta::seg(meta) == kSS && v.exception.vector == kGP)
    v.raise(kSSx, 0);  // not canonical, through the stack segment
  v.exit_meta = r.kind == SlowAccess::kFault ? kExitFault : kExitBounce;
  return nullptr;
}

extern "C" u8* rz_bounce_prepare(Vcpu* vcpu, u64 offset, u64 descriptor) {
  Vcpu& v = *vcpu;
  const u32 meta = static_cast<u32>(descriptor), block = static_cast<u32>(descriptor >> 32);
  v.count(Counter::kBounces);
  v.rip = rip_of(v, meta, block);
  if (earlier_x87_error(v, meta)) return nullptr;
  u64 linear = 0;
  const unsigned bytes = AccessMeta::bytes(meta);
  const Access access = AccessMeta::access(meta);
  if (!linear_address(v, AccessMeta::seg(meta), offset, bytes, access, linear) ||
      !bounce_prepare(v, linear, bytes, access)) {
    v.exit_meta = kExitFault;
    return nullptr;
  }
  return bounce_operand(v);
}

extern "C" void rz_bounce_commit(Vcpu* vcpu) { bounce_commit(*vcpu); }

// 0: go on in the block; 1: jump to vcpu.rip through the table; 2: leave, exit_meta says why.
extern "C" u32 rz_call_helper(Vcpu* vcpu, const Inst* inst) {
  Vcpu& v = *vcpu;
  v.count(Counter::kHelpers);
  unpark_into_rflags(v);
  v.branch_block = 0;  // where the helper may jump to is its own affair
  CodeCache& code = *v.machine->code;
  const u32 waits = v.waits;
  const OpResult result = kHelpers[static_cast<unsigned>(inst->row->helper)](v, *inst);
  park_from_rflags(v);
  if (v.interrupt_waiting && (v.rflags & kFlagIF)) {
    v.interrupt_waiting = false;
    v.request(kAttnInterrupt);
  }
  if (v.nmi_waiting && !v.nmi_blocked) {
    v.nmi_waiting = false;
    v.request(kAttnNmi);
  }
  constexpr u64 kVirtualInterrupt = kFlagVIF | kFlagVIP;
  if ((v.rflags & kFlagTF) || (v.rflags & kVirtualInterrupt) == kVirtualInterrupt) v.request(kAttnStep);
  switch (result) {
    case OpResult::kNext:
      if (code.invalidations() == v.entered_at && v.waits == waits && !v.debug_pending) return 0;
      // The helper may have changed the code of the very block that called it, or another vCPU did and this instruction
      // serialises; or it waited: a safe point; or a debug trap follows.
      v.rip = next_rip(v, *inst);
      v.exit_meta = kExitLookup;
      return 2;
    case OpResult::kJump: {
      v.exit_meta = kExitLookup;
      const bool leave = v.single_block || v.debug_pending || v.attention.load(std::memory_order_relaxed);
      return leave || !(v.mode & kModeFlat) ? 2 : 1;  // without kModeFlat the table is another mode's
    }
    case OpResult::kFault: v.exit_meta = kExitFault; return 2;
    case OpResult::kAgain: v.exit_meta = kExitLookup | kExitAgain; return 2;
    case OpResult::kLeave:
      v.rip = next_rip(v, *inst);
      v.exit_meta = kExitLookup;
      return 2;
  }
  return 2;
}

extern "C" void rz_raise(Vcpu* vcpu, u32 descriptor) {
  const u8 vector = static_cast<u8>(descriptor);
  if (descriptor & 0x100)
    vcpu->raise(vector, descriptor >> 16);
  else
    vcpu->raise(vector);
  vcpu->exit_meta = kExitFault;
}

/// Memos of last pages were overwritten many times, now by the access that `descriptor` tells of. If that happens
/// often, it is one for which they do not pay. Null: leave the block.
extern "C" u8* rz_page_changes(Vcpu* vcpu, u64, u64 descriptor) {
  constexpr u64 kOftenCycles = 1024;  // from one change to the next; a change costs some fifty
  Vcpu& v = *vcpu;
  const u32 meta = static_cast<u32>(descriptor), block = static_cast<u32>(descriptor >> 32);
  const u64 now = host_tsc(), spent = now - v.last_page_tsc;
  v.last_page_left = kLastPageChanges;
  v.last_page_tsc = now;
  if (spent > kLastPageChanges * kOftenCycles) return v.bounce;
  v.count(Counter::kWanderers);
  const u32 waits = v.waits;
  v.machine->code->note_wanderer(block, AccessMeta::guest_offset(meta));
  if (v.waits == waits) return v.bounce;
  v.rip = rip_of(v, meta, block);
  v.exit_meta = kExitLookup;  // a safe point, as in rz_slow_access()
  return nullptr;
}

/// The memo at last_page_at changes to another page that is as far from its host address as the last one: they may be
/// neighbours. Returns as rz_page_changes().
extern "C" u8* rz_widen_page(Vcpu* vcpu, u64 page, u64 descriptor) {
  Vcpu& v = *vcpu;
  const u32 at = v.last_page_at & 0xffff;
  widen_last_page(v, static_cast<unsigned>((at - offsetof(Vcpu, last_page)) >> kLastPageShift), page);
  return --v.last_page_left > 0 ? v.bounce : rz_page_changes(vcpu, page, descriptor);
}

void install_callbacks(Vcpu& v) {
  v.self = &v;
  if (!v.flight) v.flight = v.flight_own;
  v.thunks[kThunkSlowAccess] = reinterpret_cast<void*>(rz_slow_access);
  v.thunks[kThunkBouncePrepare] = reinterpret_cast<void*>(rz_bounce_prepare);
  v.thunks[kThunkBounceCommit] = reinterpret_cast<void*>(rz_bounce_commit);
  v.thunks[kThunkHelper] = reinterpret_cast<void*>(rz_call_helper);
  v.thunks[kThunkRaise] = reinterpret_cast<void*>(rz_raise);
  v.thunks[kThunkPageChanges] = reinterpret_cast<void*>(rz_page_changes);
  v.thunks[kThunkWidenPage] = reinterpret_cast<void*>(rz_widen_page);
}

}  // namespace rz
