// Between Vcpu and RegistersImage.
#include "registers_codec.h"

#include <string.h>

#include "assemble.h"
#include "run/machine.h"

namespace rz {

namespace {

SegmentImage image_of(const Segment& s) { return {s.selector, s.attributes, s.limit, s.base}; }

void put_segment(Segment& s, const SegmentImage& image) {
  s.selector = image.selector;
  s.attributes = image.attributes & 0xfff;
  s.limit = image.limit;
  s.base = image.base;
}

}  // namespace

RegistersImage registers_of(const Vcpu& v) {
  RegistersImage r = {};
  memcpy(r.gpr, v.regs, sizeof r.gpr);
  r.rip = v.rip;
  r.rflags = v.rflags | 2;
  for (int i = 0; i < 6; ++i) r.seg[i] = image_of(v.seg[i]);
  r.ldtr = image_of(v.ldtr);
  r.tr = image_of(v.tr);
  r.gdtr = {v.gdtr.base, v.gdtr.limit};
  r.idtr = {v.idtr.base, v.idtr.limit};
  r.cr0 = v.cr0;
  r.cr2 = v.cr2;
  r.cr3 = v.cr3;
  r.cr4 = v.cr4;
  r.cr8 = v.machine->irq->tpr(const_cast<Vcpu&>(v));
  r.efer = v.msr.efer;
  return r;
}

u32 encode_registers(const Vcpu& v, u8* into) {
  const RegistersImage r = registers_of(v);
  memcpy(into, &r, sizeof r);
  return sizeof r;
}

bool registers_possible(const RegistersImage& r) {
  if (r.cr0 >> 32 != 0 || ((r.cr0 & kCr0PG) != 0 && (r.cr0 & kCr0PE) == 0)) return false;
  if ((r.efer & kEferLMA) != 0 && ((r.efer & kEferLME) == 0 || (r.cr0 & kCr0PG) == 0 || (r.cr4 & kCr4PAE) == 0))
    return false;
  if (r.cr8 > 15 || r.gdtr.limit > 0xffff || r.idtr.limit > 0xffff) return false;
  return true;
}

bool decode_registers(Vcpu& v, const u8* from, u32 bytes) {
  RegistersImage r;
  if (bytes != sizeof r) return false;
  memcpy(&r, from, sizeof r);  // one copy: the area may change under us
  return registers_possible(r) && put_registers(v, r);
}

bool put_registers(Vcpu& v, const RegistersImage& r) {
  memcpy(v.regs, r.gpr, sizeof r.gpr);
  v.rip = r.rip;
  v.rflags = r.rflags | 2;
  for (int i = 0; i < 6; ++i) put_segment(v.seg[i], r.seg[i]);
  put_segment(v.ldtr, r.ldtr);
  put_segment(v.tr, r.tr);
  v.gdtr = {r.gdtr.base, static_cast<u16>(r.gdtr.limit)};
  v.idtr = {r.idtr.base, static_cast<u16>(r.idtr.limit)};
  v.cr0 = r.cr0;
  v.cr2 = r.cr2;
  v.cr3 = r.cr3;
  v.cr4 = r.cr4;
  v.cr8 = r.cr8;
  v.msr.efer = r.efer;
  v.machine->irq->set_tpr(v, static_cast<u8>(r.cr8));
  return registers_replaced(v);
}

}  // namespace rz
