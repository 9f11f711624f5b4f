// Debug registers at work; see debug.h.
#include "debug.h"

#include "../mmu/mmu.h"
#include "../translate/mode.h"

namespace rz {
namespace {

enum Condition : unsigned { kExecute = 0, kDataWrite = 1, kPort = 2, kDataAccess = 3 };
constexpr u64 kDr6SingleStep = 1 << 14;
constexpr u64 kDebugctlLbr = 1, kDebugctlBtf = 2;

bool enabled(const Vcpu& v, unsigned n) { return (v.dr[7] >> (2 * n) & 3) != 0; }
unsigned condition(const Vcpu& v, unsigned n) { return static_cast<unsigned>(v.dr[7] >> (16 + 4 * n)) & 3; }

u64 bytes_of(const Vcpu& v, unsigned n) {
  static constexpr u64 kBytes[4] = {1, 2, 8, 4};
  return kBytes[v.dr[7] >> (18 + 4 * n) & 3];
}

u64 linear_of(const Vcpu& v, u64 address) { return v.long_mode() ? address : static_cast<u32>(address); }

// First byte of breakpoint n: the low bits of its address that its length covers are ignored.
u64 first_byte(const Vcpu& v, unsigned n) { return linear_of(v, v.dr[n]) & ~(bytes_of(v, n) - 1); }

bool host_breakpoint(const Vcpu& v, u64 position) {
  for (unsigned n = 0; n < v.host_debug.count; ++n)
    if (linear_of(v, v.host_debug.at[n]) == position) return true;
  return false;
}

bool overlap(u64 a, u64 a_bytes, u64 b, u64 b_bytes) { return a - b < b_bytes || b - a < a_bytes; }

}  // namespace

void debug_refresh(Vcpu& v) {
  u8 data = 0, code = 0, port = 0;
  for (unsigned n = 0; n < 4; ++n) {
    if (!enabled(v, n)) continue;
    const u8 bit = static_cast<u8>(1u << n);
    switch (condition(v, n)) {
      case kExecute: code |= bit; break;
      case kPort:
        if (v.cr4 & kCr4DE) port |= bit;
        break;
      default: data |= bit; break;
    }
  }
  if (code && !v.watch_code) v.rflags &= ~kFlagRF;  // it is kept up to date only while it matters
  v.watch_data = data;
  v.watch_code = code;
  v.watch_port = port;
  for (unsigned n = 0; n < 4; ++n)
    if (data >> n & 1) tlb_flush_page(v, first_byte(v, n));
  refresh_mode(v);
}

u8 data_breakpoints(const Vcpu& v, u64 linear, unsigned bytes, Access access) {
  linear = linear_of(v, linear);
  u8 hits = 0;
  for (unsigned n = 0; n < 4; ++n) {
    if (!(v.watch_data >> n & 1) || (condition(v, n) == kDataWrite && !writes(access))) continue;
    if (overlap(linear, bytes, first_byte(v, n), bytes_of(v, n))) hits |= static_cast<u8>(1u << n);
  }
  return hits;
}

bool watched_page(const Vcpu& v, u64 linear) {
  for (unsigned n = 0; n < 4; ++n)
    if ((v.watch_data >> n & 1) && ((first_byte(v, n) ^ linear_of(v, linear)) & kPageMask) == 0) return true;
  return false;
}

void note_port(Vcpu& v, u16 port, unsigned bytes) {
  for (unsigned n = 0; n < 4; ++n) {
    if (!(v.watch_port >> n & 1)) continue;
    if (overlap(port, bytes, first_byte(v, n) & 0xffff, bytes_of(v, n))) v.debug_pending |= static_cast<u8>(1u << n);
  }
}

u64 code_position(const Vcpu& v) {
  return v.code64() ? v.rip : linear_of(v, static_cast<u32>(v.seg[kCS].base + v.rip));
}

void host_debug_set(Vcpu& v, bool step, const u64* at, unsigned count) {
  HostDebug& d = v.host_debug;
  d.step = step;
  d.count = static_cast<u8>(count < 4 ? count : 4);
  for (unsigned n = 0; n < d.count; ++n) d.at[n] = at[n];
  d.armed = d.step || d.count != 0;
  d.due = d.hold = false;
  refresh_mode(v);
}

bool host_debug_stops(const Vcpu& v, bool due) {
  if (due) return v.host_debug.due;
  const u64 position = code_position(v);
  return position != v.host_debug.reported && host_breakpoint(v, position);
}

void host_debug_reported(Vcpu& v, u64 position) {
  HostDebug& d = v.host_debug;
  d.reported = position;
  d.due = false;
  d.hold = host_breakpoint(v, position);
}

void host_debug_after_instruction(Vcpu& v, bool again) {
  HostDebug& d = v.host_debug;
  d.due = d.step;
  d.hold = false;
  if (!again) d.reported = HostDebug::kNowhere;
}

CodeWatch code_watch(const Vcpu& v) {
  const u64 linear = code_position(v);
  CodeWatch watch{};
  for (unsigned n = 0; n < v.host_debug.count; ++n)
    watch.on_page |= ((linear_of(v, v.host_debug.at[n]) ^ linear) & kPageMask) == 0;
  for (unsigned n = 0; n < 4; ++n) {
    if (!(v.watch_code >> n & 1)) continue;
    const u64 at = linear_of(v, v.dr[n]);
    if (((at ^ linear) & kPageMask) == 0) watch.on_page = true;
    if (at == linear) watch.hits |= static_cast<u8>(1u << n);
  }
  return watch;
}

void debug_after_instruction(Vcpu& v, bool stepped, bool branched) {
  const TrapRule rule = v.trap_rule;
  v.trap_rule = TrapRule::kNormal;
  if (rule == TrapRule::kHeld) return;  // what is pending waits for the next instruction
  bool step = stepped && (!(v.msr.debugctl & kDebugctlBtf) || branched);
  if (rule == TrapRule::kNone) step = false;
  if (rule == TrapRule::kNewFlag) step = (v.rflags & kFlagTF) != 0;
  const u64 why = v.debug_pending | (step ? kDr6SingleStep : 0);
  v.debug_pending = 0;
  if (!why) return;
  v.dr[6] |= why;
  v.msr.debugctl &= ~(kDebugctlBtf | kDebugctlLbr);
  v.raise(kDB);
}

}  // namespace rz
