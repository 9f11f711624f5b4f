// Conversion of registers.
#include "registers.h"

#include <string.h>

#include "cpuid/control_bits.h"

namespace rz::kvm {

namespace {

constexpr u64 kCr0Pe = 1, kCr0Pg = 1ull << 31, kFlagVm = 1 << 17;

SegmentImage image_of(const kvm_segment& s) {
  const unsigned present = s.unusable ? 0 : s.present;
  const unsigned attributes = s.type | unsigned{s.s} << 4 | unsigned{s.dpl} << 5 | present << 7 | unsigned{s.avl} << 8 |
                              unsigned{s.l} << 9 | unsigned{s.db} << 10 | unsigned{s.g} << 11;
  return {s.selector, static_cast<u16>(attributes), s.limit, s.base};
}

kvm_segment segment_of(const SegmentImage& image) {
  kvm_segment s = {};
  s.base = image.base;
  s.limit = image.limit;
  s.selector = image.selector;
  s.type = image.attributes & 15;
  s.s = image.attributes >> 4 & 1;
  s.dpl = image.attributes >> 5 & 3;
  s.present = image.attributes >> 7 & 1;
  s.avl = image.attributes >> 8 & 1;
  s.l = image.attributes >> 9 & 1;
  s.db = image.attributes >> 10 & 1;
  s.g = image.attributes >> 11 & 1;
  s.unusable = !s.present;
  return s;
}

// Register numbers of the encoding: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15.
constexpr __u64 kvm_regs::*kGpr[16] = {&kvm_regs::rax, &kvm_regs::rcx, &kvm_regs::rdx, &kvm_regs::rbx,
                                       &kvm_regs::rsp, &kvm_regs::rbp, &kvm_regs::rsi, &kvm_regs::rdi,
                                       &kvm_regs::r8,  &kvm_regs::r9,  &kvm_regs::r10, &kvm_regs::r11,
                                       &kvm_regs::r12, &kvm_regs::r13, &kvm_regs::r14, &kvm_regs::r15};
constexpr kvm_segment kvm_sregs::*kSegments[6] = {&kvm_sregs::es, &kvm_sregs::cs, &kvm_sregs::ss,
                                                  &kvm_sregs::ds, &kvm_sregs::fs, &kvm_sregs::gs};

}  // namespace

RegistersImage image_of(const kvm_regs& regs, const kvm_sregs& sregs) {
  RegistersImage out = {};
  for (int i = 0; i < 16; ++i) out.gpr[i] = regs.*kGpr[i];
  out.rip = regs.rip;
  out.rflags = regs.rflags | 2;
  for (int i = 0; i < 6; ++i) out.seg[i] = image_of(sregs.*kSegments[i]);
  out.ldtr = image_of(sregs.ldt);
  out.tr = image_of(sregs.tr);
  out.gdtr = {sregs.gdt.base, sregs.gdt.limit};
  out.idtr = {sregs.idt.base, sregs.idt.limit};
  out.cr0 = sregs.cr0;
  out.cr2 = sregs.cr2;
  out.cr3 = sregs.cr3;
  out.cr4 = sregs.cr4;
  out.cr8 = sregs.cr8;
  out.efer = sregs.efer;
  return out;
}

void apply_image(const RegistersImage& image, kvm_regs& regs, kvm_sregs& sregs) {
  for (int i = 0; i < 16; ++i) regs.*kGpr[i] = image.gpr[i];
  regs.rip = image.rip;
  regs.rflags = image.rflags | 2;
  for (int i = 0; i < 6; ++i) sregs.*kSegments[i] = segment_of(image.seg[i]);
  // AMD's processors take the privilege level from here.
  if ((image.cr0 & kCr0Pe) == 0)
    sregs.ss.dpl = 0;
  else
    sregs.ss.dpl = (image.rflags & kFlagVm) != 0 ? 3 : sregs.cs.selector & 3;
  sregs.ldt = segment_of(image.ldtr);
  sregs.tr = segment_of(image.tr);
  sregs.gdt.base = image.gdtr.base;
  sregs.gdt.limit = static_cast<u16>(image.gdtr.limit);
  sregs.idt.base = image.idtr.base;
  sregs.idt.limit = static_cast<u16>(image.idtr.limit);
  sregs.cr0 = image.cr0;
  sregs.cr2 = image.cr2;
  sregs.cr3 = image.cr3;
  sregs.cr4 = image.cr4;
  sregs.cr8 = image.cr8;
  sregs.efer = image.efer;
  memset(sregs.interrupt_bitmap, 0, sizeof sregs.interrupt_bitmap);
}

bool pae_paging(u64 cr0, u64 cr4, u64 efer) {
  return (cr0 & kCr0Pg) != 0 && (cr4 & kCr4PAE) != 0 && (efer & kEferLMA) == 0;
}

Outcome get_registers(int vcpu, RegistersImage& out) {
  kvm_regs regs;
  kvm_sregs sregs;
  if (Outcome got = call(vcpu, kGetRegs, &regs); !got.ok()) return got;
  if (Outcome got = call(vcpu, kGetSregs, &sregs); !got.ok()) return got;
  out = image_of(regs, sregs);
  return {};
}

Outcome set_registers(int vcpu, const RegistersImage& image) {
  kvm_regs regs = {};
  kvm_sregs sregs;
  if (Outcome got = call(vcpu, kGetSregs, &sregs); !got.ok()) return got;
  apply_image(image, regs, sregs);
  if (Outcome set = call(vcpu, kSetSregs, &sregs); !set.ok()) return set;
  return call(vcpu, kSetRegs, &regs);
}

}  // namespace rz::kvm
