// Breakpoints of DR0..DR3: which are armed, and what an access or an instruction hits. Costs nothing while none is
// armed: a page with a data breakpoint is never in the soft TLB, and code under an instruction breakpoint is run one
// instruction at a time by the run loop, to which every jump between pages goes then. Breakpoints and single steps of a
// debugger outside the guest use the same means, and none of the guest's registers. Source: SDM, "Debug Registers",
// "Debug Exceptions".
#pragma once

#include "vcpu.h"

namespace rz {

/// DR0..DR3, DR7 or CR4.DE changed: find out what is armed, and drop what translated code remembers of watched pages.
void debug_refresh(Vcpu& vcpu);

/// Breakpoints (bits 0..3, as in DR6) that a data access hits. `access` is kRead, kWrite or both.
u8 data_breakpoints(const Vcpu& vcpu, u64 linear, unsigned bytes, Access access);
/// True when the page of `linear` has a data breakpoint.
bool watched_page(const Vcpu& vcpu, u64 linear);
/// An access succeeded: a #DB follows its instruction if it hit.
inline void note_access(Vcpu& vcpu, u64 linear, unsigned bytes, Access access) {
  if (vcpu.watch_data) [[unlikely]]
    vcpu.debug_pending |= data_breakpoints(vcpu, linear, bytes, access);
}
/// The same for ports.
void note_port(Vcpu& vcpu, u16 port, unsigned bytes);

/// What the instruction at the current RIP has to do with instruction breakpoints.
struct CodeWatch {
  bool on_page;  // one lies on its page: run instructions one at a time
  u8 hits;       // breakpoints at the instruction itself
};
CodeWatch code_watch(const Vcpu& vcpu);

/// Replace what a debugger outside the guest asked for. While the vCPU does not run.
/// @param at, count  linear addresses of instructions, at most 4
void host_debug_set(Vcpu& vcpu, bool step, const u64* at, unsigned count);
/// Linear address of the next instruction.
u64 code_position(const Vcpu& vcpu);
/// Whether a stop has to be reported before the next instruction. `due`: of a step; else by a breakpoint there.
bool host_debug_stops(const Vcpu& vcpu, bool due);
/// The stop at `position` is being reported: what stands there runs next, once.
void host_debug_reported(Vcpu& vcpu, u64 position);
/// An instruction is through. @param again  an iteration of a string instruction only
void host_debug_after_instruction(Vcpu& vcpu, bool again);

/// An instruction is through: raise the trap that it owes (single-step, data and port breakpoints), if any.
/// @param stepped   EFLAGS.TF was set when it began
/// @param branched  it went elsewhere than to the next instruction
void debug_after_instruction(Vcpu& vcpu, bool stepped, bool branched);

}  // namespace rz
