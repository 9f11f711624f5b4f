// Architectural and engine state of one virtual processor. GS points at it while translated code runs,
// so the fields at the front are addressed by small displacements; translate/ takes every offset with offsetof.
// Owned by the thread that runs the vCPU; others touch only `attention`, write tags of its soft TLBs
// and entries of its jump tables (both only to empty them, by single stores), and read what run/sync.h says.
#pragma once

#include <atomic>

#include "../debug/counters.h"
#include "../decode/inst.h"
#include "../mmu/last_page.h"
#include "../mmu/tlb.h"
#include "cpuid/control_bits.h"
#include "types.h"

namespace rz {

class Machine;
struct Block;

// EFLAGS bits.
inline constexpr u64 kFlagCF = 1, kFlagPF = 4, kFlagAF = 16, kFlagZF = 64, kFlagSF = 128, kFlagTF = 256, kFlagIF = 512,
                     kFlagDF = 1024, kFlagOF = 2048, kFlagIOPL = 3 << 12, kFlagNT = 1 << 14, kFlagRF = 1 << 16,
                     kFlagVM = 1 << 17, kFlagAC = 1 << 18, kFlagVIF = 1 << 19, kFlagVIP = 1 << 20, kFlagID = 1 << 21;
inline constexpr u64 kArithFlags = kFlagCF | kFlagPF | kFlagAF | kFlagZF | kFlagSF | kFlagOF;

// Control-register bits.
inline constexpr u64 kCr0PE = 1, kCr0MP = 2, kCr0EM = 4, kCr0TS = 8, kCr0ET = 16, kCr0NE = 32, kCr0WP = 1 << 16,
                     kCr0AM = 1 << 18, kCr0NW = 1 << 29, kCr0CD = 1 << 30, kCr0PG = 1ull << 31;

/// A segment register with its descriptor cache.
struct Segment {
  u16 selector;
  u16 attributes;  // descriptor bits 40..47 in 0..7 (type, S, DPL, P) and 52..55 in 8..11 (AVL, L, D/B, G)
  u32 limit;       // bytes - 1, granularity applied
  u64 base;
  u32 fast_limit;  // last offset that translated code may touch without a helper; for expand-down, null or odd segments
                   // 0
  u32 fast_ok;  // 1: offsets 0..fast_limit are readable, and writable unless fast_read_only; 0: always take the helper
  u32 fast_read_only;
  u32 pad;

  unsigned type() const { return attributes & 15; }
  bool is_code_or_data() const { return (attributes & 0x10) != 0; }
  unsigned dpl() const { return (attributes >> 5) & 3; }
  bool present() const { return (attributes & 0x80) != 0; }
  bool long_mode() const { return (attributes & 0x200) != 0; }
  bool big() const { return (attributes & 0x400) != 0; }  // D/B
};

struct DescriptorTable {
  u64 base;
  u16 limit;
};

/// Exception waiting to be delivered. vector 0..31; kNone when nothing is pending.
struct PendingException {
  static constexpr u8 kNone = 0xff;
  u8 vector = kNone;
  bool has_error = false;
  bool software = false;  // INT n / INT3 / INTO: gate DPL is checked, return RIP is the next instruction
  u32 error = 0;
  u64 cr2 = 0;  // linear address, for #PF
};

// Bits of Vcpu::attention: reasons to leave translated code at the next poll.
enum Attention : u32 {
  kAttnInterrupt = 1,  // the interrupt controllers may have something for this vCPU
  kAttnTimer = 2,      // a deadline passed: run the timers
  kAttnStop = 4,       // the host wants the vCPU out of run()
  kAttnNmi = 8,
  kAttnInvalidate = 16,  // an outside writer touched pages with translated code; see Machine
  kAttnFlush = 32,       // flush the code cache (stress mode, low memory)
  kAttnInit = 64,
  kAttnSipi = 128,
  kAttnStep = 256,       // single-step (TF) or debugger
  kAttnSafePoint = 512,  // another vCPU waits for a safe point of this one; see run/sync.h
};

/// Whether the instruction that just ran is followed by a single-step trap.
enum class TrapRule : u8 {
  kNormal,   // if EFLAGS.TF was set when it began
  kHeld,     // MOV SS, POP SS: debug traps wait for the instruction behind it
  kNone,     // INT n, INT3, INTO: never
  kNewFlag,  // SYSCALL, SYSRET: if EFLAGS.TF is set when it is through
};

/// FS/GS base and other MSRs that live outside the segment array.
struct Msrs {
  u64 efer, star, lstar, cstar, sfmask, kernel_gs_base, sysenter_cs, sysenter_esp, sysenter_eip, pat, tsc_aux,
      apic_base, misc_enable, spec_ctrl, tsc_offset, tsc_deadline, mtrr_def_type, debugctl, kvm_clock, kvm_wall_clock,
      xss, pkru, mtrr_fixed[11], mtrr_base[16], mtrr_mask[16];
  u64 tsc_adjust, hwcr, syscfg, de_cfg, mcg_status, mcg_ctl, feature_control, microcode, kvm_poll_control;
  u64 mce_ctl[kMceBanks];  // nothing is ever reported in the banks
};

/// A debugger outside the guest (cpu/debug.h). Set while the vCPU does not run; `armed` is all that is looked at while
/// there is none.
struct HostDebug {
  static constexpr u64 kNowhere = ~0ull;  // not canonical in any mode
  bool armed;                             // anything of the next two
  bool step;                              // after every instruction
  u8 count;                               // breakpoints in `at`
  bool due;                               // a step was made and is to be reported
  bool hold;     // a breakpoint was reported: no interrupt before its instruction, so that the guest gets on
  u64 at[4];     // linear addresses
  u64 reported;  // linear address at which the guest stands and a stop was reported, or kNowhere
};

/// One entry of the flight recorder: a block that the run loop entered (linked blocks follow unseen).
struct FlightBlock {
  u64 rip;
  u64 mode;
};
inline constexpr u32 kFlightBlocks = 256;

struct alignas(64) Vcpu {
  // ---- read and written by translated code -------------------------------------------------------
  u64 regs[16];                // homes of RAX..R15; authoritative outside translated code
  u64 rip;                     // linear-in-segment instruction pointer; authoritative outside translated code
  u64 rflags;                  // full EFLAGS outside translated code; inside, its arithmetic bits are stale
  u32 parked_flags;            // AH,AL of LAHF/SETO: guest arithmetic flags while the host's are clobbered
  std::atomic<u32> attention;  // Attention bits; polled at loop back-edges
  TlbTable* tlb;               // table of the current context and privilege class
  JumpTable* jump;             // likewise
  TlbTable* tlb_by_ac[2];      // what `tlb` is at CPL 0 with EFLAGS.AC clear, set; for STAC and CLAC
  u64 scratch[8];              // spill slots of the code generator
  u64 merged[16];              // host minus linear address of each group of merged accesses (translate/merge.cpp)
  u64 host_rsp;                // host stack while in translated code
  Segment seg[kSegCount];      // bases are added inline for FS/GS and for non-flat segments
  void* thunks[16];            // C++ entry points called from translated code
  u64 mode;                    // current translation mode key (translate/mode.h)
  u32 branch_block;            // the block that last jumped through the table to an unchecked target, or 0
  u32 second_left;             // hits of the second chance for reads until one walks (mmu/tlb.h)
  u64 exit_meta;               // what the leaving stub wants to tell the run loop
  u32 last_page_at;            // what the last-page thunks fill: a memo's offset in the vCPU; above 16 bits its room
  i32 last_page_left;          // memos that may still change pages until C++ looks how often they do
  u64 last_pages_used;         // bit a group of memos that may hold a page
  u64 last_page_tsc;           // host TSC when it last looked
  alignas(64) u8 bounce[128];  // operand of a page-crossing or MMIO access
  LastPage last_page[kLastPages];  // of user mode

  // ---- the rest of the architecture ---------------------------------------------------------------
  u64 cr0, cr2, cr3, cr4, cr8, xcr0;
  u64 dr[8];
  DescriptorTable gdtr, idtr;
  Segment ldtr, tr;
  Msrs msr;
  u8 cpl;  // always seg[kCS].selector & 3 in protected mode, 0 in real mode, 3 in V8086
  bool halted;
  bool wait_for_sipi;  // after INIT, and from power-on but on the boot processor: only INIT, SIPI and the host get
                       // through
  bool nmi_blocked;
  bool fpu_live;      // guest FPU/vector state is in the host registers (else in `xsave`)
  u64 shadow_rip;     // interrupts are held off while rip == shadow_rip (STI, MOV SS); ~0: none
  bool shadow_by_ss;  // ... by MOV SS or POP SS, which hold off debug exceptions too
  PendingException exception;
  u8 watch_data, watch_code, watch_port;  // breakpoints that are armed, bit n for DRn (cpu/debug.h)
  u8 debug_pending;                       // breakpoints that the running instruction hit
  HostDebug host_debug;                   // what a debugger outside the guest asked for
  TrapRule trap_rule;                     // of the running instruction
  u64 pdpte[4];                           // PAE page-directory pointers, loaded with CR3

  // ---- engine ---------------------------------------------------------------------------------------
  Machine* machine;
  u32 index;          // 0-based number; also the initial APIC id
  Context* context;   // current address space; vcpu.tlb/jump point into it
  Context* contexts;  // kContexts of them
  u64 context_clock;
  u64 bounce_linear;  // linear address of the access in `bounce`
  u32 bounce_bytes;
  Access bounce_access;
  u64 counters[kCounters];     // by Counter
  alignas(64) u8 xsave[8192];  // guest FPU/SSE/AVX image in standard format while !fpu_live
  struct BounceSpan {
    u64 gpa;   // guest-physical address of this part
    u8* host;  // its host address, null for MMIO
    u32 bytes;
    bool read_only;
  } bounce_span[2];  // where bounce_commit scatters to
  u32 bounce_spans;
  bool shutdown;              // triple fault: the vCPU runs no more until reset
  u64 boot_tsc;               // host TSC at machine time zero; equal on all vCPUs of a machine
  std::atomic<u32> sleeping;  // 1 while the thread is (about to be) asleep in wait_for_attention (irq/wait.h)

  Vcpu* self;           // this object, for code that only has GS
  FlightBlock* flight;  // kFlightBlocks entries; the embedder may point it at memory that survives a crash
  u32 flight_next;      // entries written so far
  FlightBlock flight_own[kFlightBlocks];
  bool nmi_waiting;        // an NMI came while NMIs were blocked; IRET makes it kAttnNmi again
  bool single_block;       // the block being run is a single-instruction one: return to the run loop after it
  bool interrupt_waiting;  // an interrupt was seen while IF was clear; raising IF makes it kAttnInterrupt again

  // ---- among vCPUs; run/sync.h ---------------------------------------------------------------------
  std::atomic<u32> presence;       // enum Presence; written by the vCPU's own thread
  std::atomic<u32> safe_points;    // counts those that were asked for
  std::atomic<u64> recent_writes;  // Bloom filter: host pages that stores without a TLB entry may be under way to
  u64 entered_at;                  // CodeCache::invalidations() when the run loop last looked for a block
  u32 pauses;                      // PAUSE instructions, for yielding
  u32 waits;                       // counts returns from kPinned: a callback that sees it changed leaves its block

  // ---- short helpers -------------------------------------------------------------------------------
  bool protected_mode() const { return (cr0 & kCr0PE) != 0; }
  bool paging() const { return (cr0 & kCr0PG) != 0; }
  bool long_mode() const { return (msr.efer & kEferLMA) != 0; }
  bool code64() const { return long_mode() && seg[kCS].long_mode(); }
  bool v8086() const { return (rflags & kFlagVM) != 0; }
  CodeSize code_size() const {
    if (code64()) return CodeSize::k64;
    return seg[kCS].big() ? CodeSize::k32 : CodeSize::k16;
  }

  /// Record an exception for the current instruction; the caller returns OpResult::kFault.
  void raise(u8 vector) { exception = PendingException{.vector = vector}; }
  void raise(u8 vector, u32 error) {
    exception = PendingException{.vector = vector, .has_error = true, .error = error};
  }
  void raise_page_fault(u64 linear, u32 error) {
    exception = PendingException{.vector = 14, .has_error = true, .error = error, .cr2 = linear};
  }
  /// On the vCPU's own thread.
  void count(Counter counter) { counters[static_cast<unsigned>(counter)]++; }
  /// Ask the vCPU to look up from translated code. Any thread.
  void request(u32 bits) { attention.fetch_or(bits, std::memory_order_release); }
};

// Vector numbers of the exceptions.
inline constexpr u8 kDE = 0, kDB = 1, kNMI = 2, kBP = 3, kOFx = 4, kBR = 5, kUD = 6, kNM = 7, kDF = 8, kTS = 10,
                    kNP = 11, kSSx = 12, kGP = 13, kPFx = 14, kMF = 16, kAC = 17, kMC = 18, kXM = 19;

}  // namespace rz
