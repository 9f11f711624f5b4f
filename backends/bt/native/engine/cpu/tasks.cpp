// Hardware task switch. Everything that belongs to the old task is checked and read first; from the commit point on,
// faults are taken in the new task, as the architecture demands.
#include "tasks.h"

#include "../mmu/mmu.h"
#include "../run/machine.h"
#include "../translate/mode.h"
#include "bytes.h"
#include "debug.h"
#include "stack_frame.h"

namespace rz {
namespace {

constexpr u32 kTss32Bytes = 0x68, kTss16Bytes = 0x2c;
// Order of general registers in a TSS: EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI is the architectural numbering.
// Order of segment selectors: ES, CS, SS, DS, FS, GS is enum Seg.

struct TaskState {
  u32 cr3 = 0, rip = 0, flags = 0, regs[8] = {};
  u16 selectors[kSegCount] = {}, ldt = 0;
  bool trap = false;
};

bool fail(Vcpu& v, u8 vector, u32 error) {
  v.raise(vector, error);
  return false;
}

TaskState parse(const u8* image, bool wide) {
  TaskState s;
  if (wide) {
    s.cr3 = static_cast<u32>(load_bytes(image + 0x1c, 4));
    s.rip = static_cast<u32>(load_bytes(image + 0x20, 4));
    s.flags = static_cast<u32>(load_bytes(image + 0x24, 4));
    for (unsigned i = 0; i < 8; ++i) s.regs[i] = static_cast<u32>(load_bytes(image + 0x28 + 4 * i, 4));
    for (unsigned i = 0; i < kSegCount; ++i) s.selectors[i] = static_cast<u16>(load_bytes(image + 0x48 + 4 * i, 2));
    s.ldt = static_cast<u16>(load_bytes(image + 0x60, 2));
    s.trap = (image[0x64] & 1) != 0;
  } else {
    s.rip = static_cast<u32>(load_bytes(image + 0x0e, 2));
    s.flags = static_cast<u32>(load_bytes(image + 0x10, 2));
    for (unsigned i = 0; i < 8; ++i) s.regs[i] = 0xffff0000u | static_cast<u32>(load_bytes(image + 0x12 + 2 * i, 2));
    for (unsigned i = 0; i < 4; ++i) s.selectors[i] = static_cast<u16>(load_bytes(image + 0x22 + 2 * i, 2));
    s.ldt = static_cast<u16>(load_bytes(image + 0x2a, 2));
  }
  return s;
}

// The dynamic part of the old task, from EIP to the last selector.
bool save_old(Vcpu& v, u32 rip, u64 flags) {
  u8 image[0x40];
  if (v.tr.type() & 8) {
    store_bytes(image + 0, rip, 4);
    store_bytes(image + 4, flags, 4);
    for (unsigned i = 0; i < 8; ++i) store_bytes(image + 8 + 4 * i, v.regs[i], 4);
    for (unsigned i = 0; i < kSegCount; ++i) store_bytes(image + 0x28 + 4 * i, v.seg[i].selector, 4);
    return linear_write(v, v.tr.base + 0x20, image, 0x40, kSupervisor);
  }
  store_bytes(image + 0, rip, 2);
  store_bytes(image + 2, flags, 2);
  for (unsigned i = 0; i < 8; ++i) store_bytes(image + 4 + 2 * i, v.regs[i], 2);
  for (unsigned i = 0; i < 4; ++i) store_bytes(image + 0x14 + 2 * i, v.seg[i].selector, 2);
  return linear_write(v, v.tr.base + 0x0e, image, 0x1c, kSupervisor);
}

bool set_busy(Vcpu& v, u64 descriptor_linear, bool busy) {
  u8 byte;
  if (!linear_read(v, descriptor_linear + 5, &byte, 1, kSupervisor)) return false;
  byte = static_cast<u8>(busy ? byte | 2 : byte & ~2);
  return linear_write(v, descriptor_linear + 5, &byte, 1, kSupervisor);
}

bool load_ldt(Vcpu& v, u16 selector) {
  v.ldtr = Segment{};
  v.ldtr.selector = selector;
  if (null_selector(selector)) return true;
  if (selector & 4) return fail(v, kTS, selector & ~3u);
  Descriptor d;
  if (!read_descriptor(v, selector, kTS, 0, d)) return false;
  if (d.is_code_or_data() || d.type() != kLdt || !d.present()) return fail(v, kTS, selector & ~3u);
  v.ldtr.base = d.base();
  v.ldtr.limit = d.limit();
  v.ldtr.attributes = d.attributes();
  return true;
}

bool load_data(Vcpu& v, u8 seg, u16 selector) {
  if (null_selector(selector)) {
    set_null_segment(v, seg, selector);
    return true;
  }
  Descriptor d;
  if (!read_descriptor(v, selector, kTS, 0, d)) return false;
  const bool privilege = d.conforming() || (d.dpl() >= v.cpl && d.dpl() >= (selector & 3u));
  if (!d.readable() || !privilege) return fail(v, kTS, selector & ~3u);
  if (!d.present()) return fail(v, kNP, selector & ~3u);
  if (!mark_accessed(v, d)) return false;
  set_segment(v, seg, selector, d);
  return true;
}

bool load_code(Vcpu& v, u16 selector) {
  if (null_selector(selector)) return fail(v, kTS, 0);
  Descriptor d;
  if (!read_descriptor(v, selector, kTS, 0, d)) return false;
  const unsigned rpl = selector & 3;
  const bool privilege = d.conforming() ? d.dpl() <= rpl : d.dpl() == rpl;
  if (!d.is_code() || !privilege) return fail(v, kTS, selector & ~3u);
  if (!d.present()) return fail(v, kNP, selector & ~3u);
  if (!mark_accessed(v, d)) return false;
  set_code_segment(v, selector, d, rpl);
  return true;
}

// Segments of the new task. Until each is loaded its cache is unusable.
bool load_segments(Vcpu& v, const TaskState& s) {
  if (v.v8086()) {
    v.cpl = 3;
    for (u8 seg = 0; seg < kSegCount; ++seg) set_real_segment(v, seg, s.selectors[seg]);
    return load_ldt(v, s.ldt);
  }
  v.cpl = s.selectors[kCS] & 3;
  for (u8 seg = 0; seg < kSegCount; ++seg) set_null_segment(v, seg, s.selectors[seg]);
  if (!load_ldt(v, s.ldt) || !load_code(v, s.selectors[kCS])) return false;
  Descriptor ss;
  if (!check_stack_segment(v, s.selectors[kSS], v.cpl, kTS, 0, ss)) return false;
  set_segment(v, kSS, s.selectors[kSS], ss);
  for (const u8 seg : {kES, kDS, kFS, kGS})
    if (!load_data(v, seg, s.selectors[seg])) return false;
  return true;
}

bool load_page_tables(Vcpu& v, u32 cr3) {
  if (v.cr4 & kCr4PAE) {
    u64 fresh[4];
    if (!phys_read(*v.machine, cr3 & 0xffffffe0, fresh, sizeof fresh)) return fail(v, kTS, v.tr.selector & ~3u);
    for (unsigned i = 0; i < 4; ++i) v.pdpte[i] = fresh[i];
  }
  v.cr3 = cr3;
  tlb_switch_context(v, cr3, false);
  return true;
}

}  // namespace

bool task_switch(Vcpu& v, u16 selector, TaskSwitch reason, u64 return_rip, u64 flags, u32 external, const u32* error) {
  const bool returning = reason == TaskSwitch::kIret;
  const u8 bad = returning ? kTS : kGP;
  const u32 named = (selector & ~3u) | external;
  if (v.long_mode()) return fail(v, kGP, named);
  if (null_selector(selector) || (selector & 4)) return fail(v, bad, named);
  Descriptor d;
  if (!read_descriptor(v, selector, bad, external, d)) return false;
  const unsigned type = d.type();
  const bool wanted = returning ? type == kTss16Busy || type == kTss32Busy : type == kTss16 || type == kTss32;
  if (d.is_code_or_data() || !wanted) return fail(v, bad, named);
  if (!d.present()) return fail(v, kNP, named);
  const bool wide = (type & 8) != 0;
  const u32 bytes = wide ? kTss32Bytes : kTss16Bytes;
  if (d.limit() < bytes - 1) return fail(v, kTS, named);
  u8 image[kTss32Bytes];
  if (!linear_read(v, d.base(), image, bytes, kSupervisor)) return false;
  TaskState next = parse(image, wide);

  const bool nested = reason == TaskSwitch::kCall || reason == TaskSwitch::kGate;
  const u64 old_flags = returning ? flags & ~kFlagNT : flags;
  if (!save_old(v, static_cast<u32>(return_rip), old_flags)) return false;
  if (nested) {
    const u16 link = v.tr.selector;
    if (!linear_write(v, d.base(), &link, 2, kSupervisor)) return false;
    next.flags |= kFlagNT;
  } else if (!set_busy(v, v.gdtr.base + (v.tr.selector & ~7u), false)) {
    return false;
  }
  if (!returning && !set_busy(v, d.linear, true)) return false;

  // Commit point: from here on the new task is current.
  v.tr.selector = selector;
  v.tr.base = d.base();
  v.tr.limit = d.limit();
  v.tr.attributes = static_cast<u16>(d.attributes() | 2);
  v.cr0 |= kCr0TS;
  v.rip = next.rip;
  for (unsigned i = 0; i < 8; ++i) v.regs[i] = next.regs[i];
  constexpr u64 kKnown = kArithFlags | kFlagTF | kFlagIF | kFlagDF | kFlagIOPL | kFlagNT | kFlagRF | kFlagVM | kFlagAC |
                         kFlagVIF | kFlagVIP | kFlagID;
  v.rflags = (next.flags & (wide ? kKnown : kKnown & 0xffff)) | 2;
  v.dr[7] &= ~0x155ull;  // local breakpoints
  debug_refresh(v);
  const bool tables = !wide || !v.paging() || load_page_tables(v, next.cr3);
  const bool segments = tables && load_segments(v, next);
  refresh_segments(v);
  refresh_mode(v);
  if (!segments) return false;
  if (v.rip > v.seg[kCS].limit) return fail(v, kGP, 0);
  if (error) {
    StackFrame frame(v, v.seg[kSS], v.regs[4], wide ? 4 : 2, v.cpl == 3 ? kUser : kSupervisor, false);
    frame.push(*error);
    if (!frame.commit(external)) return false;
    v.regs[4] = frame.sp();
  }
  if (next.trap) {
    v.dr[6] |= 1u << 15;
    v.raise(kDB);
    return false;
  }
  return true;
}

}  // namespace rz
