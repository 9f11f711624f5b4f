// Guest memory access for helpers: segmentation and canonical checks first, then alignment, then paging. A hit in
// the soft TLB is served directly; everything else goes through spans.cpp.
#include "../cpu/bytes.h"
#include "../cpu/debug.h"
#include "../run/machine.h"
#include "spans.h"

namespace rz {
namespace {

bool segment_fault(Vcpu& vcpu, u8 seg) {
  vcpu.raise(seg == kSS ? kSSx : kGP, 0);
  return false;
}

// A non-canonical or unmapped address met by walk() on behalf of the stack segment is #SS, not #GP.
bool canonical_range(Vcpu& vcpu, u64 linear, unsigned bytes) {
  return canonical(vcpu, linear) && canonical(vcpu, linear + bytes - 1);
}

bool inside_limit(const Segment& s, u64 offset, unsigned bytes) {
  const u64 last = offset + bytes - 1;
  if (!(s.attributes & 8) && (s.attributes & 4) && s.is_code_or_data()) {  // expand-down data
    const u64 top = s.big() ? 0xffffffffull : 0xffffull;
    return offset > s.limit && last <= top;
  }
  return last <= s.limit;
}

bool fast_read(Vcpu& vcpu, PrivClass cls, u64 linear, void* into, unsigned bytes) {
  if (const u8* host = tlb_hit(vcpu, cls, linear, bytes, Access::kRead)) {
    copy_bytes(into, host, bytes);
    return true;
  }
  Spans spans;
  if (!resolve_spans(vcpu, linear, bytes, Access::kRead, cls, spans)) return false;
  spans_read(vcpu, spans.part, spans.count, into);
  return true;
}

bool fast_write(Vcpu& vcpu, PrivClass cls, u64 linear, const void* from, unsigned bytes) {
  if (u8* host = tlb_hit(vcpu, cls, linear, bytes, Access::kWrite)) {
    copy_bytes(host, from, bytes);
    return true;
  }
  Spans spans;
  if (!resolve_spans(vcpu, linear, bytes, Access::kWrite, cls, spans)) return false;
  spans_write(vcpu, spans.part, spans.count, from);
  return true;
}

}  // namespace

bool alignment_fault(Vcpu& vcpu, u64 linear, unsigned bytes) {
  if (vcpu.cpl != 3 || !(vcpu.cr0 & kCr0AM) || !(vcpu.rflags & kFlagAC)) return false;
  if ((linear & (alignment_of(bytes) - 1)) == 0) return false;
  vcpu.raise(kAC, 0);
  return true;
}

bool linear_address(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, Access access, u64& linear) {
  const Segment& s = vcpu.seg[seg];
  if (vcpu.code64()) {
    linear = offset + (seg == kFS || seg == kGS ? s.base : 0);
    return canonical_range(vcpu, linear, bytes) || segment_fault(vcpu, seg);
  }
  if (vcpu.protected_mode() && !vcpu.v8086()) {
    // Null and unusable segments have no attributes.
    if (!s.present() || !s.is_code_or_data()) return segment_fault(vcpu, seg);
    const bool code = (s.attributes & 8) != 0;
    if (writes(access) && (code || !(s.attributes & 2))) return segment_fault(vcpu, seg);
    if (reads(access) && code && !(s.attributes & 2)) return segment_fault(vcpu, seg);
  }
  if (!inside_limit(s, offset, bytes)) return segment_fault(vcpu, seg);
  linear = static_cast<u32>(s.base + offset);
  return true;
}

u64 effective_offset(const Vcpu& vcpu, const Inst& inst) {
  u64 offset = static_cast<u64>(static_cast<i64>(inst.disp));
  if (inst.base != kNoReg) offset += vcpu.regs[inst.base];
  if (inst.index != kNoReg) offset += vcpu.regs[inst.index] << inst.scale;
  if (inst.rip_relative) offset += vcpu.rip + inst.length;
  if (inst.address_bytes == 4) return static_cast<u32>(offset);
  if (inst.address_bytes == 2) return static_cast<u16>(offset);
  return offset;
}

bool mem_read(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, u64& value) {
  u64 linear;
  if (!linear_address(vcpu, seg, offset, bytes, Access::kRead, linear)) return false;
  if (alignment_fault(vcpu, linear, bytes)) return false;
  u64 got = 0;
  if (!fast_read(vcpu, current_class(vcpu), linear, &got, bytes)) return false;
  note_access(vcpu, linear, bytes, Access::kRead);
  value = got;
  return true;
}

bool mem_write(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, u64 value) {
  u64 linear;
  if (!linear_address(vcpu, seg, offset, bytes, Access::kWrite, linear)) return false;
  if (alignment_fault(vcpu, linear, bytes)) return false;
  if (!fast_write(vcpu, current_class(vcpu), linear, &value, bytes)) return false;
  note_access(vcpu, linear, bytes, Access::kWrite);
  return true;
}

bool mem_read_block(Vcpu& vcpu, u8 seg, u64 offset, void* into, unsigned bytes) {
  u64 linear;
  if (!linear_address(vcpu, seg, offset, bytes, Access::kRead, linear)) return false;
  if (!fast_read(vcpu, current_class(vcpu), linear, into, bytes)) return false;
  note_access(vcpu, linear, bytes, Access::kRead);
  return true;
}

bool mem_write_block(Vcpu& vcpu, u8 seg, u64 offset, const void* from, unsigned bytes) {
  u64 linear;
  if (!linear_address(vcpu, seg, offset, bytes, Access::kWrite, linear)) return false;
  if (!fast_write(vcpu, current_class(vcpu), linear, from, bytes)) return false;
  note_access(vcpu, linear, bytes, Access::kWrite);
  return true;
}

bool mem_probe_write(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes) {
  u64 linear;
  if (!linear_address(vcpu, seg, offset, bytes, Access::kWrite, linear)) return false;
  if (alignment_fault(vcpu, linear, bytes)) return false;
  if (tlb_hit(vcpu, current_class(vcpu), linear, bytes, Access::kWrite)) return true;
  Spans spans;
  return resolve_spans(vcpu, linear, bytes, Access::kWrite, current_class(vcpu), spans);
}

bool linear_read(Vcpu& vcpu, u64 linear, void* into, unsigned bytes, PrivClass cls) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  return fast_read(vcpu, cls, linear, into, bytes);
}

bool linear_write(Vcpu& vcpu, u64 linear, const void* from, unsigned bytes, PrivClass cls) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  return fast_write(vcpu, cls, linear, from, bytes);
}

}  // namespace rz
