// Conversion of registers.
#include "registers.h"

#include <string.h>

#include "cpuid/control_bits.h"
#include "state/kvm_registers.h"

namespace rz::kvm {

namespace {

constexpr u64 kCr0Pe = 1, kCr0Pg = 1ull << 31, kFlagVm = 1 << 17;

SegmentImage image_of(const kvm_segment& s) {
  const unsigned present = s.unusable ? 0 : s.present;
  const unsigned attributes = s.type | unsigned{s.s} << 4 | unsigned{s.dpl} << 5 | present << 7 | unsigned{s.avl} << 8 |
                              unsigned{s.l} << 9 | unsigned{s.db} << 10 | unsigned{s.g} << 11;
  return {s.selector, static_cast<u16>(attributes), s.limit, s.base};
}

}  // namespace

RegistersImage image_of(const kvm_regs& regs, const kvm_sregs& sregs) {
  RegistersImage out = {};
  for (int i = 0; i < 16; ++i) out.gpr[i] = regs.*kKvmGpr[i];
  out.rip = regs.rip;
  out.rflags = regs.rflags | 2;
  for (int i = 0; i < 6; ++i) out.seg[i] = image_of(sregs.*kKvmSegments[i]);
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
  for (int i = 0; i < 16; ++i) regs.*kKvmGpr[i] = image.gpr[i];
  regs.rip = image.rip;
  regs.rflags = image.rflags | 2;
  for (int i = 0; i < 6; ++i) sregs.*kKvmSegments[i] = kvm_segment_of(image.seg[i]);
  // AMD's processors take the privilege level from here.
  if ((image.cr0 & kCr0Pe) == 0)
    sregs.ss.dpl = 0;
  else
    sregs.ss.dpl = (image.rflags & kFlagVm) != 0 ? 3 : sregs.cs.selector & 3;
  sregs.ldt = kvm_segment_of(image.ldtr);
  sregs.tr = kvm_segment_of(image.tr);
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
