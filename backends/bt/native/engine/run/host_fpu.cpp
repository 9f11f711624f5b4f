// Moves guest FPU/vector state between the host's registers and vcpu.xsave. See host_fpu.h.
#include "host_fpu.h"

namespace rz {

u64 fpu_components() {
  static const u64 mask = [] {
    u32 lo, hi;
    asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return static_cast<u64>(lo) & 0xe7;  // x87, SSE, AVX, opmask, ZMM_Hi256, Hi16_ZMM
  }();
  return mask;
}

void save_guest_fpu(Vcpu& vcpu) {
  const u64 mask = fpu_components();
  asm volatile("xsave64 %0" : "=m"(vcpu.xsave) : "a"(static_cast<u32>(mask)), "d"(0) : "memory");
  const u32 mxcsr = 0x1f80;
  asm volatile("fninit\n\tldmxcsr %0\n\tvzeroupper" : : "m"(mxcsr));
  vcpu.fpu_live = false;
}

void load_guest_fpu(Vcpu& vcpu) {
  const u64 mask = fpu_components();
  asm volatile("xrstor64 %0" : : "m"(vcpu.xsave), "a"(static_cast<u32>(mask)), "d"(0) : "memory");
  vcpu.fpu_live = true;
}

bool x87_error_pending() {
  u16 status;
  asm volatile("fnstsw %0" : "=m"(status));
  return (status & 0x80) != 0;
}

}  // namespace rz
