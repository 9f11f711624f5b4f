// Segment descriptors: reading them from the tables, checking them, and filling the descriptor caches.
// Whoever changes a cache through these functions calls refresh_mode() when the whole change is done.
// Source: SDM, "Protection" and the descriptions of MOV, LDS, LAR; APM, "Segmented Virtual Memory".
#pragma once

#include "vcpu.h"

namespace rz {

/// A segment descriptor of 8 bytes, or a system descriptor of 16 in IA-32e mode (`high` is 0 otherwise).
struct Descriptor {
  u64 low = 0, high = 0;
  u64 linear = 0;  // where it was read from, for the accessed and busy bits

  unsigned type() const { return static_cast<unsigned>(low >> 40) & 15; }
  bool is_code_or_data() const { return (low >> 44 & 1) != 0; }
  bool is_code() const { return is_code_or_data() && (type() & 8) != 0; }
  bool conforming() const { return is_code() && (type() & 4) != 0; }
  bool readable() const { return is_code_or_data() && (!(type() & 8) || (type() & 2)); }
  bool writable_data() const { return is_code_or_data() && !(type() & 8) && (type() & 2); }
  unsigned dpl() const { return static_cast<unsigned>(low >> 45) & 3; }
  bool present() const { return (low >> 47 & 1) != 0; }
  bool long_code() const { return (low >> 53 & 1) != 0; }
  bool big() const { return (low >> 54 & 1) != 0; }
  u64 base() const { return (low >> 16 & 0xffffff) | (low >> 32 & 0xff000000) | high << 32; }
  u32 limit() const {
    const u32 raw = static_cast<u32>(low & 0xffff) | static_cast<u32>(low >> 32 & 0xf0000);
    return (low >> 55 & 1) ? raw << 12 | 0xfff : raw;
  }
  u16 attributes() const { return static_cast<u16>((low >> 40 & 0xff) | (low >> 44 & 0xf00)); }
  // Gates.
  u16 gate_selector() const { return static_cast<u16>(low >> 16); }
  u64 gate_offset() const { return (low & 0xffff) | (low >> 32 & 0xffff0000) | (high & 0xffffffff) << 32; }
};

// System descriptor types.
enum SystemType : unsigned {
  kTss16 = 1,
  kLdt = 2,
  kTss16Busy = 3,
  kCallGate16 = 4,
  kTaskGate = 5,
  kInterruptGate16 = 6,
  kTrapGate16 = 7,
  kTss32 = 9,
  kTss32Busy = 11,
  kCallGate32 = 12,
  kInterruptGate32 = 14,
  kTrapGate32 = 15,
};

inline bool null_selector(u16 selector) { return (selector & ~3) == 0; }

/// Read the descriptor that `selector` names from the GDT or LDT. Outside the table: `vector` with the selector
/// (plus `external`, the EXT bit) as error code.
[[nodiscard]] bool read_descriptor(Vcpu& vcpu, u16 selector, u8 vector, u32 external, Descriptor& out);
/// The upper half of a system descriptor in IA-32e mode; no-op elsewhere.
[[nodiscard]] bool read_descriptor_high(Vcpu& vcpu, u16 selector, u8 vector, u32 external, Descriptor& descriptor);
/// Set the accessed bit of a code or data descriptor in its table, and in `descriptor`.
[[nodiscard]] bool mark_accessed(Vcpu& vcpu, Descriptor& descriptor);

/// Fill a cache from a descriptor, without checks.
void set_segment(Vcpu& vcpu, u8 seg, u16 selector, const Descriptor& descriptor);
/// A null selector: unusable; the base becomes 0.
void set_null_segment(Vcpu& vcpu, u8 seg, u16 selector);
/// Real-address or V8086 semantics: base = selector * 16.
void set_real_segment(Vcpu& vcpu, u8 seg, u16 selector);
/// Recompute fast_limit, fast_ok and fast_read_only of every segment (after PE or VM changed).
void refresh_segments(Vcpu& vcpu);
void refresh_segment(Vcpu& vcpu, u8 seg);

/// MOV Sreg, POP Sreg, LDS... with all checks of the current mode. `seg` is not CS.
[[nodiscard]] bool load_segment(Vcpu& vcpu, u8 seg, u16 selector);
/// SS for a given new privilege level (stack switch, IRET, far return); faults as `vector`.
[[nodiscard]] bool check_stack_segment(Vcpu& vcpu, u16 selector, unsigned cpl, u8 vector, u32 external,
                                       Descriptor& out);
/// ES, DS, FS, GS become null when they may not be used at the new CPL (return to an outer level).
void drop_privileged_segments(Vcpu& vcpu);
/// Commit a code segment at privilege `cpl`; the selector's RPL becomes `cpl`.
void set_code_segment(Vcpu& vcpu, u16 selector, const Descriptor& descriptor, unsigned cpl);

/// True when an instruction pointer may be used with this code segment: canonical in 64-bit code, else inside the
/// limit.
bool valid_rip(const Vcpu& vcpu, const Descriptor& code, u64 rip);

}  // namespace rz
