// Delivery of exceptions and interrupts through the real-mode vector table, 16- and 32-bit gates (with stack switch,
// task gates and V8086 entry) and 64-bit gates (with IST). Source: SDM, "Interrupt and Exception Handling".
#pragma once

#include "vcpu.h"

namespace rz {

enum class EventKind : u8 {
  kException,  // raised by the processor: EXT is set in error codes of nested faults
  kSoftware,   // INT n, INT3, INTO: the gate's DPL is checked, EXT is clear
  kExternal,   // interrupt controllers, NMI, INT1: EXT is set, gate DPL is not checked
};

struct Event {
  u8 vector;
  EventKind kind;
  bool has_error = false;
  u32 error = 0;
  u64 return_rip = 0;   // pushed as the return address
  bool resume = false;  // push EFLAGS with RF set (faults)
};

/// Deliver once. False: a nested fault is pending in vcpu.exception and nothing architectural changed (a task switch
/// that faults in the new task is the exception the architecture makes).
[[nodiscard]] bool deliver_event(Vcpu& vcpu, const Event& event);

/// Deliver vcpu.exception at vcpu.rip, escalating to #DF and shutdown (vcpu.shutdown) as the architecture says.
void deliver_exception(Vcpu& vcpu);

/// External interrupt or NMI (vector 2 blocks further NMIs until IRET) at an instruction boundary. Ends HLT.
/// False: the vCPU shut down while delivering.
bool deliver_interrupt(Vcpu& vcpu, u8 vector);

/// INT n in V8086 or real-address mode: through the vector table at linear address 0 (VME) or IDTR.base.
[[nodiscard]] bool deliver_through_ivt(Vcpu& vcpu, u8 vector, u64 table, u64 return_rip, u16 flags_image);

}  // namespace rz
