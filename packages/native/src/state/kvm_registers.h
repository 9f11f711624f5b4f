// Registers of an image as KVM's structures have them.
#pragma once

#include <linux/kvm.h>

#include "../shared/registers_image.h"

namespace rz {

// Register numbers of the encoding: RAX RCX RDX RBX RSP RBP RSI RDI R8..R15.
inline constexpr __u64 kvm_regs::*kKvmGpr[16] = {&kvm_regs::rax, &kvm_regs::rcx, &kvm_regs::rdx, &kvm_regs::rbx,
                                                 &kvm_regs::rsp, &kvm_regs::rbp, &kvm_regs::rsi, &kvm_regs::rdi,
                                                 &kvm_regs::r8,  &kvm_regs::r9,  &kvm_regs::r10, &kvm_regs::r11,
                                                 &kvm_regs::r12, &kvm_regs::r13, &kvm_regs::r14, &kvm_regs::r15};
// ES CS SS DS FS GS.
inline constexpr kvm_segment kvm_sregs::*kKvmSegments[6] = {&kvm_sregs::es, &kvm_sregs::cs, &kvm_sregs::ss,
                                                            &kvm_sregs::ds, &kvm_sregs::fs, &kvm_sregs::gs};

inline kvm_segment kvm_segment_of(const SegmentImage& image) {
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

}  // namespace rz
