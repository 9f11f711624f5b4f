// Computes the translation mode key from processor state. See mode.h.
#include "mode.h"

#include "../mmu/mmu.h"

namespace rz {
namespace {

bool flat(const Segment& s) { return s.base == 0 && s.fast_ok && s.fast_limit == 0xffffffff; }

// Outside 64-bit mode. A limit above 1 MiB - 1 counts pages, so that its low bits are ones.
u64 limit_bits(u32 limit) {
  if (limit == 0xffffffff) return 0;
  return kModeCsLimit | static_cast<u64>(limit > 0xfffff ? 1u << 20 | limit >> 12 : limit) << 40;
}

}  // namespace

void refresh_mode(Vcpu& v) {
  u64 m = static_cast<u64>(v.code_size());
  if (v.cpl == 3) m |= kModeCpl3;
  if (v.cpl == 0) m |= kModeCpl0;
  if (v.protected_mode()) m |= kModeProtected;
  if (v.v8086()) m |= kModeV86;
  if (v.long_mode()) m |= kModeLong;
  if (v.code64()) {
    m |= kModeFlat | kModeFlatSs | kModeStackBig;
    if (v.cr4 & kCr4LA57) m |= kModeLa57;
  } else {
    m |= limit_bits(v.seg[kCS].limit);
    const bool ss = flat(v.seg[kSS]) && !v.seg[kSS].fast_read_only;
    if (ss) m |= kModeFlatSs;
    if (ss && v.seg[kCS].base == 0 && v.seg[kCS].limit == 0xffffffff && flat(v.seg[kDS]) &&
        !v.seg[kDS].fast_read_only && flat(v.seg[kES]) && !v.seg[kES].fast_read_only)
      m |= kModeFlat;
    if (v.seg[kSS].big()) m |= kModeStackBig;
  }
  if (v.cr0 & (kCr0TS | kCr0EM)) m |= kModeFpuTrap;
  if (v.cr0 & kCr0EM) m |= kModeFpuEm;
  if (v.cr0 & kCr0NE) m |= kModeFpuNe;
  if (v.cr4 & kCr4OSFXSR) m |= kModeOsfxsr;
  if (v.cr4 & kCr4OSXSAVE) {
    m |= kModeOsxsave;
    if ((v.xcr0 & 6) == 6) m |= kModeAvx;
    if ((v.xcr0 & 0xe6) == 0xe6) m |= kModeAvx512;
  }
  if ((v.cr0 & kCr0AM) && (v.rflags & kFlagAC) && v.cpl == 3) m |= kModeAlign;
  // No jump table: instruction breakpoints, the guest's and a debugger's, see every new page.
  if (v.watch_code || v.host_debug.count != 0) m &= ~static_cast<u64>(kModeFlat);
  v.mode = m;
  tlb_select(v);
}

}  // namespace rz
