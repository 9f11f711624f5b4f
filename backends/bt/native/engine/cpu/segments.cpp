// Segment loading. All checks come before any change, so a fault leaves the old segment in place.
#include "segments.h"

#include "../mmu/mmu.h"
#include "bytes.h"

namespace rz {

bool read_descriptor(Vcpu& vcpu, u16 selector, u8 vector, u32 external, Descriptor& out) {
  const bool local = (selector & 4) != 0;
  const u64 base = local ? vcpu.ldtr.base : vcpu.gdtr.base;
  const u32 limit = local ? (vcpu.ldtr.present() ? vcpu.ldtr.limit : 0) : vcpu.gdtr.limit;
  if (static_cast<u32>(selector | 7) > limit) {
    vcpu.raise(vector, (selector & ~3u) | external);
    return false;
  }
  out.linear = base + (selector & ~7u);
  out.high = 0;
  return linear_read(vcpu, out.linear, &out.low, 8, kSupervisor);
}

bool read_descriptor_high(Vcpu& vcpu, u16 selector, u8 vector, u32 external, Descriptor& descriptor) {
  if (!vcpu.long_mode()) return true;
  const bool local = (selector & 4) != 0;
  const u32 limit = local ? (vcpu.ldtr.present() ? vcpu.ldtr.limit : 0) : vcpu.gdtr.limit;
  u64 high = 0;
  if (static_cast<u32>(selector | 7) + 8 > limit) {
    vcpu.raise(vector, (selector & ~3u) | external);
    return false;
  }
  if (!linear_read(vcpu, descriptor.linear + 8, &high, 8, kSupervisor)) return false;
  if (high >> 40 & 0x1f) {  // the type field of the upper half must be zero
    vcpu.raise(vector, (selector & ~3u) | external);
    return false;
  }
  descriptor.high = high & 0xffffffff;
  return true;
}

bool mark_accessed(Vcpu& vcpu, Descriptor& descriptor) {
  if (descriptor.low >> 40 & 1) return true;
  descriptor.low |= 1ull << 40;
  const u8 byte = static_cast<u8>(descriptor.low >> 40);
  return linear_write(vcpu, descriptor.linear + 5, &byte, 1, kSupervisor);
}

void refresh_segment(Vcpu& vcpu, u8 seg) {
  Segment& s = vcpu.seg[seg];
  s.fast_limit = s.limit;
  if (!vcpu.protected_mode() || vcpu.v8086()) {
    s.fast_ok = 1;
    s.fast_read_only = 0;
    return;
  }
  const bool code = (s.attributes & 8) != 0;
  const bool expand_down = !code && (s.attributes & 4) != 0;
  s.fast_ok = s.present() && s.is_code_or_data() && (code ? (s.attributes & 2) != 0 : !expand_down);
  s.fast_read_only = code || !(s.attributes & 2);
  if (!s.fast_ok) s.fast_limit = 0;
}

void refresh_segments(Vcpu& vcpu) {
  for (u8 seg = 0; seg < kSegCount; ++seg) refresh_segment(vcpu, seg);
}

void set_segment(Vcpu& vcpu, u8 seg, u16 selector, const Descriptor& descriptor) {
  Segment& s = vcpu.seg[seg];
  s.selector = selector;
  s.base = descriptor.base() & 0xffffffff;
  s.limit = descriptor.limit();
  s.attributes = descriptor.attributes();
  refresh_segment(vcpu, seg);
}

void set_null_segment(Vcpu& vcpu, u8 seg, u16 selector) {
  Segment& s = vcpu.seg[seg];
  s.selector = selector;
  s.base = 0;
  s.limit = 0;
  // SS keeps the privilege level in its DPL even when null (64-bit mode).
  s.attributes = seg == kSS ? static_cast<u16>((selector & 3) << 5) : 0;
  refresh_segment(vcpu, seg);
}

void set_real_segment(Vcpu& vcpu, u8 seg, u16 selector) {
  Segment& s = vcpu.seg[seg];
  s.selector = selector;
  s.base = static_cast<u64>(selector) << 4;
  if (vcpu.v8086()) {
    s.limit = 0xffff;
    s.attributes = 0xf3;
  } else {
    // Real-address mode leaves limit and size as they were, which is how "unreal" mode comes about.
    s.attributes = static_cast<u16>((s.attributes & 0xf00) | 0x93);
  }
  refresh_segment(vcpu, seg);
}

bool load_segment(Vcpu& vcpu, u8 seg, u16 selector) {
  if (!vcpu.protected_mode() || vcpu.v8086()) {
    set_real_segment(vcpu, seg, selector);
    return true;
  }
  if (null_selector(selector)) {
    if (seg == kSS && (!vcpu.code64() || vcpu.cpl == 3 || (selector & 3) != vcpu.cpl)) {
      vcpu.raise(kGP, 0);
      return false;
    }
    set_null_segment(vcpu, seg, selector);
    return true;
  }
  Descriptor d;
  if (seg == kSS) {
    if (!check_stack_segment(vcpu, selector, vcpu.cpl, kGP, 0, d)) return false;
  } else {
    if (!read_descriptor(vcpu, selector, kGP, 0, d)) return false;
    const unsigned rpl = selector & 3;
    const bool privilege = d.conforming() || (d.dpl() >= rpl && d.dpl() >= vcpu.cpl);
    if (!d.readable() || !privilege) {
      vcpu.raise(kGP, selector & ~3u);
      return false;
    }
    if (!d.present()) {
      vcpu.raise(kNP, selector & ~3u);
      return false;
    }
    if (!mark_accessed(vcpu, d)) return false;
  }
  set_segment(vcpu, seg, selector, d);
  return true;
}

bool check_stack_segment(Vcpu& vcpu, u16 selector, unsigned cpl, u8 vector, u32 external, Descriptor& out) {
  if (null_selector(selector)) {
    vcpu.raise(vector, vector == kGP ? 0 : external);
    return false;
  }
  if (!read_descriptor(vcpu, selector, vector, external, out)) return false;
  if ((selector & 3) != cpl || out.dpl() != cpl || !out.writable_data()) {
    vcpu.raise(vector, (selector & ~3u) | external);
    return false;
  }
  if (!out.present()) {
    vcpu.raise(kSSx, (selector & ~3u) | external);
    return false;
  }
  return mark_accessed(vcpu, out);
}

void drop_privileged_segments(Vcpu& vcpu) {
  for (const u8 seg : {kES, kDS, kFS, kGS}) {
    const Segment& s = vcpu.seg[seg];
    const bool conforming_code = (s.attributes & 0x1c) == 0x1c;
    // A null selector becomes 0, whatever its RPL was.
    if (!null_selector(s.selector) && (conforming_code || s.dpl() >= vcpu.cpl)) continue;
    const u64 base = s.base;
    set_null_segment(vcpu, seg, 0);
    // Unlike a load of a null selector, this leaves the FS and GS bases of 64-bit mode alone.
    if (vcpu.long_mode() && (seg == kFS || seg == kGS)) vcpu.seg[seg].base = base;
  }
}

void set_code_segment(Vcpu& vcpu, u16 selector, const Descriptor& descriptor, unsigned cpl) {
  set_segment(vcpu, kCS, static_cast<u16>((selector & ~3) | cpl), descriptor);
  vcpu.cpl = static_cast<u8>(cpl);
}

bool valid_rip(const Vcpu& vcpu, const Descriptor& code, u64 rip) {
  if (vcpu.long_mode() && code.long_code()) return canonical(vcpu, rip);
  return static_cast<u32>(rip) <= code.limit();
}

}  // namespace rz
