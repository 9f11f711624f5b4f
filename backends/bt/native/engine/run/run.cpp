// The run loop of one vCPU: look at what asks for attention, deliver exceptions and interrupts, find or
// translate the block at RIP, enter it, and act on why it came back. Runs on the vCPU's own thread, built
// without vector registers because the guest's are live.
#include <asm/prctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "../cache/code_cache.h"
#include "../cpu/debug.h"
#include "../cpu/exceptions.h"
#include "../cpu/reset.h"
#include "../debug/trace.h"
#include "../irq/timers.h"
#include "../mmu/mmu.h"
#include "../translate/mode.h"
#include "../translate/translator.h"
#include "callbacks.h"
#include "flags_image.h"
#include "host_fpu.h"
#include "idle_trim.h"
#include "machine.h"
#include "signals.h"

namespace rz {
namespace {

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)  // <linux/signal.h>
#endif
// Host RSP holds the guest's while translated code runs, so the kernel must switch stacks whatever RSP is: an armed
// alternate stack would be taken for the current one when the guest's RSP happens to lie in it.

constexpr u64 kSignalStackBytes = 64 << 10;

/// Kept for the thread's next run(): lockstep comes and goes with every block.
struct SignalStack {
  SignalStack() = default;
  ~SignalStack() {
    if (at != MAP_FAILED) munmap(at, kSignalStackBytes);
  }
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;
  void* const at = mmap(nullptr, kSignalStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
};

/// What a thread needs while it runs translated code: GS, an alternate signal stack, the guest's FPU state.
class RunningThread {
 public:
  explicit RunningThread(Vcpu& v) : v_(v) {
    install_callbacks(v);
    install_signal_handlers();
    set_current_vcpu(&v);
    syscall(SYS_arch_prctl, ARCH_GET_GS, &old_gs_);
    syscall(SYS_arch_prctl, ARCH_SET_GS, &v);
    static thread_local const SignalStack own;
    void* const stack = own.at;
    if (stack != MAP_FAILED) {
      const stack_t alt = {.ss_sp = stack, .ss_flags = static_cast<int>(SS_AUTODISARM), .ss_size = kSignalStackBytes};
      sigaltstack(&alt, &old_stack_);
      stack_ = stack;
    }
    block_strangers();
    load_guest_fpu(v);
  }
  ~RunningThread() {
    save_guest_fpu(v_);
    pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
    if (stack_) sigaltstack(&old_stack_, nullptr);
    syscall(SYS_arch_prctl, ARCH_SET_GS, old_gs_);
    set_current_vcpu(nullptr);
  }

 private:
  /// A handler without SA_ONSTACK would have its frame written at the guest's RSP: only the signals that this engine
  /// handles on the alternate stack may reach the thread (SIGTRAP: debuggers).
  void block_strangers() {
    sigset_t set;
    sigfillset(&set);
    for (int s : {SIGSEGV, SIGFPE, SIGILL, SIGBUS, SIGTRAP, timer_signal()}) sigdelset(&set, s);
    pthread_sigmask(SIG_SETMASK, &set, &old_mask_);
  }

  Vcpu& v_;
  sigset_t old_mask_ = {};
  void* stack_ = nullptr;
  stack_t old_stack_ = {};
  u64 old_gs_ = 0;
};

/// INIT and SIPI. Source: SDM vol. 3, "MP Initialization Protocol Algorithm for MP Systems", "INIT Reset".
void start_up(Vcpu& v, u32 bits) {
  v.attention.fetch_and(~(bits & (kAttnInit | kAttnSipi)), std::memory_order_acq_rel);
  if (bits & kAttnInit) {
    vcpu_init(v);
    v.machine->irq->init_vcpu(v);
    v.interrupt_waiting = v.nmi_waiting = false;
    v.wait_for_sipi = v.index != 0;  // the boot processor starts at the reset vector
  }
  if ((bits & kAttnSipi) && v.wait_for_sipi) {
    v.wait_for_sipi = false;
    vcpu_sipi(v, v.machine->irq->startup_vector(v));
  }
}

/// Serve attention bits. Returns false when run() must return (stop).
/// @param hold_interrupts  in the shadow of STI or MOV SS
bool serve_attention(Vcpu& v, bool hold_interrupts) {
  const u32 bits = v.attention.load(std::memory_order_acquire);
  if (bits & kAttnStop) return false;
  auto clear = [&](u32 bit) { v.attention.fetch_and(~bit, std::memory_order_acq_rel); };
  Machine& m = *v.machine;
  if (bits & kAttnStep) clear(kAttnStep);
  if (bits & kAttnSafePoint) {
    clear(kAttnSafePoint);
    m.sync.pass_safe_point(v);
  }
  if (bits & kAttnFlush) {
    clear(kAttnFlush);
    flush_code(v);
  }
  if (bits & kAttnInvalidate) {
    clear(kAttnInvalidate);
    m.sync.leave(v, kOutside);  // the embedder has locks of its own
    if (m.drain_invalidations) m.drain_invalidations(m.drain_context, m);
    m.sync.enter(v);
  }
  if (bits & kAttnTimer) {
    clear(kAttnTimer);
    m.irq->run_timers(v);
  }
  if (bits & (kAttnInit | kAttnSipi)) start_up(v, bits);
  if (v.wait_for_sipi) {
    clear(kAttnInterrupt | kAttnNmi);  // nobody is there to take them
    return true;
  }
  if (hold_interrupts) return true;
  if (bits & kAttnNmi) {
    clear(kAttnNmi);
    if (v.nmi_blocked) {
      v.nmi_waiting = true;
      return true;
    }
    v.halted = false;
    v.nmi_blocked = true;
    (void)deliver_interrupt(v, kNMI);
    return true;
  }
  if (v.attention.load(std::memory_order_acquire) & kAttnInterrupt) {
    clear(kAttnInterrupt);
    if (!(v.rflags & kFlagIF)) {
      v.interrupt_waiting = true;
    } else if (m.irq->has_interrupt(v)) {
      const int vector = m.irq->acknowledge(v);
      if (vector >= 0) {
        v.halted = false;
        (void)deliver_interrupt(v, static_cast<u8>(vector));
        if (m.irq->has_interrupt(v)) v.interrupt_waiting = true;
      }
    }
  }
  return true;
}

/// True once in `n` calls, at random; never for 0. The sequence depends on the seed alone.
bool stress(u64& random, u32 n) {
  if (n == 0) return false;
  random ^= random << 13;
  random ^= random >> 7;
  random ^= random << 17;
  return (random >> 16) % n == 0;
}

/// A return or jump went to an address that is not canonical: it did not happen, and #GP(0) is pending.
bool undo_branch(Vcpu& v) {
  if (!v.branch_block || !v.code64() || canonical(v, v.rip)) return false;
  const Block& block = v.machine->code->block(v.branch_block);
  v.rip = rip_in_page(block, block.branch_at);
  v.regs[4] -= static_cast<u64>(static_cast<i64>(block.branch_pops));
  v.raise(kGP, 0);
  return true;
}

/// Linear address of the next instruction, or false with #GP pending.
bool code_linear(Vcpu& v, u64& linear) {
  if (v.code64()) {
    linear = v.rip;
    if (canonical(v, v.rip)) return true;
    v.raise(kGP, 0);
    return false;
  }
  if (v.rip > v.seg[kCS].limit) {
    v.raise(kGP, 0);
    return false;
  }
  linear = static_cast<u32>(v.seg[kCS].base + v.rip);
  return true;
}

/// Instruction breakpoints at the current RIP: a #DB becomes pending, unless EFLAGS.RF holds it off, or MOV SS before
/// it.
/// @param single  set when the instruction has to run alone
bool hits_code_breakpoint(Vcpu& v, bool held_off, bool& single) {
  const CodeWatch watch = code_watch(v);
  single |= watch.on_page;
  if (!watch.hits || held_off || (v.rflags & kFlagRF)) return false;
  v.dr[6] |= watch.hits;
  v.raise(kDB);
  return true;
}

/// Virtual interrupts are both enabled and pending at the beginning of an instruction, which only IRET and a task
/// switch bring about: #GP(0), by which a monitor of V8086 mode comes to deliver what is pending. Source: SDM, "Class
/// 2-Maskable Hardware Interrupt Handling in Virtual-8086 Mode Using the Virtual Interrupt Mechanism".
bool virtual_interrupt_due(const Vcpu& v) {
  constexpr u64 kBoth = kFlagVIF | kFlagVIP;
  if ((v.rflags & kBoth) != kBoth || v.cpl != 3 || (v.rflags & kFlagIOPL) == kFlagIOPL) return false;
  return (v.cr4 & (v.v8086() ? kCr4VME : kCr4PVI)) != 0;
}

/// A debugger outside the guest is told where it stands, and may ask for a pause.
void report_debug_stop(Vcpu& v) {
  const u64 position = code_position(v);
  host_debug_reported(v, position);
  VcpuSync& sync = v.machine->sync;
  sync.leave(v, kOutside);
  v.machine->bus->debug_stop(v, position);
  sync.enter(v);
}

void note_translation(Vcpu& v, const Translator& translator, u32 index) {
  v.count(Counter::kBlocks);
  v.count(translator.why_ended());
  v.counters[static_cast<unsigned>(Counter::kBlockInsts)] += translator.insts();
  if (v.machine->options.trace) trace_translation(v, translator, index);
}

/// The block for (rip, mode), translated when absent; 0 with an exception pending.
u32 find_block(Vcpu& v, u64 mode) {
  CodeCache& code = *v.machine->code;
  u64 linear, gpa;
  if (!code_linear(v, linear) || !fetch_translate(v, linear, gpa)) return 0;
  if (!code.covers(gpa)) {  // an instruction fetch from the void
    v.raise(kUD);
    return 0;
  }
  if (const u32 index = code.find(gpa, v.rip, mode)) {
    if (code.block(index).gpa2 == ~0ull) return index;
    u64 second;
    if (!fetch_translate(v, (linear & kPageMask) + kPageBytes, second)) return 0;
    if ((second & kPageMask) == code.block(index).gpa2) return index;
  }
  for (;;) {
    {
      CodeGuard guard(v.machine->sync);
      const u32 index = v.machine->smp() ? code.find(gpa, v.rip, mode) : 0;  // another vCPU may have been faster
      if (index && code.block(index).gpa2 == ~0ull) return index;
      if (!code.nearly_full()) {
        Translator translator(v, code);
        const u32 made = translator.translate(v.rip, linear, gpa, mode);
        if (made) note_translation(v, translator, made);
        return made;
      }
    }
    flush_code(v);
  }
}

/// Let jumps of this vCPU's current address space and privilege find the block.
void fill_jump_table(Vcpu& v, const CodeCache& code, Block& block) {
  CodeCache::note_jump(block, static_cast<unsigned>(v.context - v.contexts), v.jump == &v.context->jump[kUser]);
  const u8* const host = code.rx(block.code_indirect);
  const u8*& slot = v.jump->host[jump_index(v.rip)];
  const u8* const before = __atomic_load_n(&slot, __ATOMIC_RELAXED);
  __atomic_store_n(&slot, host, __ATOMIC_RELAXED);
  SecondJump* second = nullptr;
  if (before != host && before != code.jump_miss) {  // one of the two would be looked up each time
    second = &v.jump->second[second_jump_index(v.rip)];
    __atomic_store_n(&second->host, nullptr, __ATOMIC_RELAXED);
    second->rip = v.rip;
    __atomic_store_n(&second->host, host, __ATOMIC_RELAXED);
    v.jump->second_used = true;
  }
  if (!v.machine->smp()) return;
  // Whoever drops the block says so, then looks for entries; here the entry comes first, then the look.
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (__atomic_load_n(&block.valid, __ATOMIC_RELAXED)) return;
  __atomic_store_n(&slot, code.jump_miss, __ATOMIC_RELAXED);
  if (second) __atomic_store_n(&second->host, nullptr, __ATOMIC_RELAXED);
}

/// Make the jump through which the vCPU came here direct, if it still may be.
void connect_link(Vcpu& v, CodeCache& code, u32 link_index, u32 index, u64 mode) {
  const Link& link = code.link(link_index);
  if (link.target != 0) return;
  CodeGuard guard(v.machine->sync);
  const Block& source = code.block(link.source);
  const Block& block = code.block(index);
  const u64 wanted_mode = (source.mode & ~u64{kModeCareful}) | (link.careful ? u64{kModeCareful} : 0);
  const bool wanted =
      link.target == 0 && link.target_rip == v.rip && source.valid && block.valid && wanted_mode == mode;
  if (wanted && block.linkable && ((source.gpa ^ block.gpa) & kPageMask) == 0) {
    code.connect(link_index, index);
    v.count(Counter::kLinks);
  } else if (wanted && !block.linkable && !link.careful && (v.mode & kModeFlat) && !code.nearly_full()) {
    link_through_table(code, link_index);
  }
}

/// The vCPU counts as running from here on, until the end of the scope.
class InsideScope {
 public:
  explicit InsideScope(Vcpu& v) : v_(v) { v_.machine->sync.enter(v_); }
  ~InsideScope() { v_.machine->sync.leave(v_, kOutside); }
  InsideScope(const InsideScope&) = delete;
  InsideScope& operator=(const InsideScope&) = delete;

 private:
  Vcpu& v_;
};

}  // namespace

u64 deliveries(const Vcpu& v) {
  u64 sum = 0;
  for (const Counter c : {Counter::kExceptions, Counter::kInterrupts, Counter::kNmis})
    sum += v.counters[static_cast<unsigned>(c)];
  return sum;
}

void flush_code(Vcpu& v) {
  v.count(Counter::kCodeFlushes);
  VcpuSync& sync = v.machine->sync;
  sync.begin_exclusive(v);
  v.machine->code->flush();
  sync.end_exclusive(v);
}

RunExit run(Vcpu& v) {
  RunningThread thread(v);
  InsideScope inside(v);
  VcpuSync& sync = v.machine->sync;
  CodeCache& code = *v.machine->code;
  const auto enter = reinterpret_cast<void (*)(const u8*)>(const_cast<u8*>(code.rx(g_thunks_layout.enter)));
  const EngineOptions& options = v.machine->options;
  refresh_mode(v);
  if (!v.host_debug.armed) v.host_debug.reported = HostDebug::kNowhere;
  if (v.rflags & kFlagIF) v.request(kAttnInterrupt);
  v.request(kAttnTimer);
  u32 pending_link = 0;
  u64 link_generation = 0;
  bool bounce_next = false;
  bool careful = false;  // the next block checks each access: the check of a merged group failed
  bool polled = false;
  IdleTrim idle;

  u64 random = (options.stress_seed + v.index) * 0x9e3779b97f4a7c15ull | 1;

  Machine& machine = *v.machine;
  const u64 delivered = deliveries(v);
  for (bool began = false;; began = true) {
    if (stress(random, options.stress_flush_tlb)) tlb_flush_all(v);
    if (stress(random, options.stress_flush_code)) v.request(kAttnFlush);
    if (v.exception.vector == kMF && !(v.cr0 & kCr0NE)) {
      // The processor says so by FERR# and stands before the instruction until an interrupt comes.
      v.exception = PendingException{};
      v.machine->irq->x87_error(v);
      v.halted = true;
      bounce_next = false;
    }
    if (v.exception.vector != PendingException::kNone) {
      deliver_exception(v);
      bounce_next = false;
    }
    if (v.shutdown) return RunExit::kShutdown;
    bool in_shadow = v.shadow_rip == v.rip;
    const bool debugged = v.host_debug.armed && !bounce_next;
    if (debugged && host_debug_stops(v, true) && v.exception.vector == PendingException::kNone) report_debug_stop(v);
    const bool hold = debugged && v.host_debug.hold;
    if (v.attention.load(std::memory_order_acquire) && !bounce_next) {
      if (!serve_attention(v, in_shadow || hold || (machine.boundary && began))) return RunExit::kStopped;
      pending_link = 0;
      if (v.exception.vector != PendingException::kNone || v.shutdown) continue;
      in_shadow = v.shadow_rip == v.rip;
    }
    if (v.halted || v.wait_for_sipi) {
      pending_link = 0;
      if (machine.boundary) return RunExit::kStopped;
      v.machine->irq->run_timers(v);
      if (!v.attention.load(std::memory_order_acquire)) {
        v.count(Counter::kHalts);
        sync.leave(v, kOutside);
        idle.sleep(v, v.machine->irq->next_deadline_ns(v));
        sync.enter(v);
      }
      continue;
    }

    if (machine.stop_at_delivery && deliveries(v) != delivered) return RunExit::kStopped;
    const bool step = (v.rflags & kFlagTF) != 0;
    const bool held = in_shadow || machine.boundary;
    const bool shadow_step = held && v.attention.load(std::memory_order_relaxed) != 0;
    // Kept until the instruction ran alone: a poll at its block's entry may still bring us back before it.
    if (shadow_step && in_shadow) v.shadow_rip = ~0ull;
    bool single = step || shadow_step || bounce_next || v.debug_pending;
    if (v.host_debug.armed) {
      single |= v.host_debug.step || code_watch(v).on_page;
      if (debugged && host_debug_stops(v, false)) {
        report_debug_stop(v);
        continue;
      }
    }
    bool resume = false;  // EFLAGS.RF was set: it lasts until the instruction is through
    if (v.watch_code) {
      const bool held_off =
          in_shadow && v.shadow_by_ss;  // SDM, "Masking Exceptions and Interrupts When Switching Stacks"
      if (!bounce_next && hits_code_breakpoint(v, held_off, single)) continue;
      resume = (v.rflags & kFlagRF) != 0;
      v.rflags &= ~kFlagRF;
    }
    if (virtual_interrupt_due(v)) {
      v.raise(kGP, 0);
      continue;
    }
    const u64 mode =
        v.mode | (single ? u64{kModeSingle} : (careful ? u64{kModeCareful} : 0)) | (bounce_next ? u64{kModeBounce} : 0);
    v.entered_at = code.invalidations();
    u32 index = find_block(v, mode);
    if (index && code.block(index).exclusive && v.machine->smp()) {
      sync.begin_exclusive(v);
      index = find_block(v, mode);  // its number may have changed
    }
    if (!index) {
      sync.end_exclusive(v);
      pending_link = 0;
      continue;
    }
    Block& block = code.block(index);
    if (!(mode & kModeSingle) && !machine.boundary) {
      if ((v.mode & kModeFlat) && !options.no_opt && !careful) fill_jump_table(v, code, block);
      if (pending_link && link_generation == code.generation()) connect_link(v, code, pending_link, index, mode);
    }
    pending_link = 0;
    if (options.stress_interrupts && !polled) v.request(kAttnStep);  // every other time, so that the guest gets on

    v.flight[v.flight_next++ % kFlightBlocks] = {v.rip, mode};
    v.single_block = (mode & kModeSingle) != 0;
    const u64 next_rip = v.rip + block.guest_bytes;  // of a single instruction
    park_from_rflags(v);
    v.branch_block = 0;
    enter(code.rx(block.code_indirect));
    unpark_into_rflags(v);
    if (block.exclusive) sync.end_exclusive(v);

    const u64 meta = v.exit_meta;
    const u8 reason = static_cast<u8>(meta);
    v.counters[reason < kExitInternal ? reason : u8{kExitInternal}]++;  // the first counters are by ExitReason
    bool completed = true;
    bounce_next = polled = careful = false;
    switch (static_cast<u8>(meta)) {
      case kExitLookup:
        if (undo_branch(v)) completed = false;
        break;
      case kExitLink:
        pending_link = static_cast<u32>(meta >> 8);
        link_generation = code.generation();
        v.rip = code.link(pending_link).target_rip;
        careful = code.link(pending_link).careful;
        break;
      case kExitPoll:
        v.rip = code.block(static_cast<u32>(meta >> 8)).rip;
        careful = (code.block(static_cast<u32>(meta >> 8)).mode & kModeCareful) != 0;
        completed = false;
        polled = true;
        break;
      case kExitFault: completed = false; break;
      case kExitBounce:
        bounce_next = true;
        completed = false;
        break;
      default: return RunExit::kInternalError;
    }
    const bool again = meta == (kExitLookup | kExitAgain);
    if (resume && (!completed || again)) v.rflags |= kFlagRF;
    if (completed && v.host_debug.armed) host_debug_after_instruction(v, again);
    if (completed && (step || v.debug_pending || v.trap_rule != TrapRule::kNormal))
      debug_after_instruction(v, step, !again && v.rip != next_rip);
    // Left for a careful block, it has not ended.
    if (machine.boundary && !bounce_next && !polled && !careful && !machine.boundary(machine.boundary_context, v))
      return RunExit::kStopped;
  }
}

}  // namespace rz
