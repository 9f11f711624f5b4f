// FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XSAVEC, XRSTOR, LDMXCSR. The host's instruction runs on an aligned local image in
// the standard format; only the parts that the guest's mask, XCR0 and mode name move between it and guest memory, and
// the host's x87 pointers never do. PKRU is the engine's own: the host's instructions neither save nor load it. Source:
// SDM, "Managing State Using the XSAVE Feature Set".
#include "../cpu/bytes.h"
#include "../cpu/cpuid.h"
#include "../run/machine.h"
#include "operands.h"
#include "ops.h"
#include "vector_regs.h"

namespace rz {
namespace {

constexpr unsigned kImageBytes = 4096, kHeader = 512, kExtended = 576, kFxBytes = 416, kFxBytes32 = 288;
constexpr u64 kX87 = 1, kSse = 2, kAvx = 4, kCompact = 1ull << 63;

struct alignas(64) Image {
  u8 bytes[kImageBytes];
};

// FOP, FIP and FDP: the host's describe translated code.
void hide_pointers(u8* legacy) { fill_bytes(legacy + 6, 0, 18); }

void host_xsave(const Vcpu& v, Image& image, u64 requested) {
  const u64 mask = requested & ~kXcr0Pkru;
  fill_bytes(image.bytes + kHeader, 0, 64);
  asm volatile("xsave64 %0" : "+m"(image) : "a"(static_cast<u32>(mask)), "d"(static_cast<u32>(mask >> 32)));
  hide_pointers(image.bytes);
  if (!(requested & kXcr0Pkru)) return;
  fill_bytes(image.bytes + v.machine->cpuid->xsave_offset[9], 0, 8);
  store_bytes(image.bytes + v.machine->cpuid->xsave_offset[9], v.msr.pkru, 4);
  if (v.msr.pkru) image.bytes[kHeader + 1] |= kXcr0Pkru >> 8;
}

void host_xrstor(Vcpu& v, Image& image, u64 requested) {
  const u64 mask = requested & ~kXcr0Pkru;
  if (requested & kXcr0Pkru) {
    const bool there = (image.bytes[kHeader + 1] & kXcr0Pkru >> 8) != 0;
    image.bytes[kHeader + 1] &= static_cast<u8>(~(kXcr0Pkru >> 8));
    set_pkru(v, there ? static_cast<u32>(load_bytes(image.bytes + v.machine->cpuid->xsave_offset[9], 4)) : 0);
  }
  asm volatile("xrstor64 %0" : : "m"(image), "a"(static_cast<u32>(mask)), "d"(static_cast<u32>(mask >> 32)));
}

// A copy of parts of the image to or from guest memory; all of it was probed or is read before the state changes.
struct GuestArea {
  Vcpu& v;
  u8 seg;
  u64 offset, wrap;

  bool write(u32 at, const u8* from, u32 bytes) const {
    return mem_write_block(v, seg, (offset + at) & wrap, from, bytes);
  }
  bool read(u32 at, u8* into, u32 bytes) const { return mem_read_block(v, seg, (offset + at) & wrap, into, bytes); }
};

GuestArea area_of(Vcpu& v, const Inst& inst) {
  return {v, inst.seg, effective_offset(v, inst), low_mask(inst.address_bytes)};
}

bool aligned(Vcpu& v, const GuestArea& area, unsigned alignment) {
  const bool based = !v.code64() || area.seg == kFS || area.seg == kGS;
  const u64 linear = area.offset + (based ? v.seg[area.seg].base : 0);
  if ((linear & (alignment - 1)) == 0) return true;
  v.raise(kGP, 0);
  return false;
}

bool xsave_enabled(Vcpu& v) {
  if (!(v.cr4 & kCr4OSXSAVE)) {
    v.raise(kUD);
    return false;
  }
  if (v.cr0 & kCr0TS) {
    v.raise(kNM);
    return false;
  }
  return true;
}

u64 requested(const Vcpu& v) {
  return (static_cast<u64>(static_cast<u32>(v.regs[kRdx])) << 32 | static_cast<u32>(v.regs[kRax])) & v.xcr0;
}

u32 compact_offset(const CpuidProfile& p, u64 components, unsigned i) {
  u32 at = kExtended;
  for (unsigned k = 2; k < i; ++k)
    if (components >> k & 1) at += p.xsave_bytes[k];
  return at;
}

// Outside 64-bit mode registers 8..15 do not exist: half of the SSE and AVX parts is neither written nor read.
u32 sse_bytes(const Vcpu& v) { return v.code64() ? 256 : 128; }
u32 component_bytes(const Vcpu& v, unsigned i) {
  const u32 bytes = v.machine->cpuid->xsave_bytes[i];
  return i == 2 && !v.code64() ? bytes / 2 : bytes;
}

// @param write  components whose data is stored
// @param at_of  offset of an extended component in the guest's area
template <typename Offset>
bool store_components(const GuestArea& area, const Image& image, u64 rfbm, u64 write, Offset at_of) {
  Vcpu& v = area.v;
  if (write & kX87) {
    if (!area.write(0, image.bytes, 24) || !area.write(32, image.bytes + 32, 128)) return false;
  }
  if ((rfbm & (kSse | kAvx)) && !area.write(24, image.bytes + 24, 8)) return false;
  if ((write & kSse) && !area.write(160, image.bytes + 160, sse_bytes(v))) return false;
  for (unsigned i = 2; i < 63; ++i)
    if ((write >> i & 1) &&
        !area.write(at_of(i), image.bytes + v.machine->cpuid->xsave_offset[i], component_bytes(v, i)))
      return false;
  return true;
}

OpResult save_standard(Vcpu& v, const Inst& inst, bool only_in_use) {
  if (!xsave_enabled(v)) return OpResult::kFault;
  const CpuidProfile& p = *v.machine->cpuid;
  const GuestArea area = area_of(v, inst);
  if (!aligned(v, area, 64)) return OpResult::kFault;
  const u64 rfbm = requested(v);
  u32 end = kExtended;
  for (unsigned i = 2; i < 63; ++i)
    if ((rfbm >> i & 1) && p.xsave_offset[i] + p.xsave_bytes[i] > end) end = p.xsave_offset[i] + p.xsave_bytes[i];
  u64 old;
  if (!mem_probe_write(v, area.seg, area.offset, end)) return OpResult::kFault;
  if (!area.read(kHeader, reinterpret_cast<u8*>(&old), 8)) return OpResult::kFault;
  Image image;
  host_xsave(v, image, rfbm);
  const u64 in_use = load_bytes(image.bytes + kHeader, 8) & rfbm;
  const u64 header = (old & ~rfbm) | in_use;
  if (!store_components(area, image, rfbm, only_in_use ? in_use : rfbm, [&](unsigned i) { return p.xsave_offset[i]; }))
    return OpResult::kFault;
  return area.write(kHeader, reinterpret_cast<const u8*>(&header), 8) ? OpResult::kNext : OpResult::kFault;
}

bool gp(Vcpu& v) {
  v.raise(kGP, 0);
  return false;
}

// Header rules of XRSTOR; `components` is what the area's layout is made of (compacted form).
bool check_header(Vcpu& v, const u64 (&header)[8], bool& compact) {
  const u64 present = header[0], layout = header[1];
  compact = (layout & kCompact) != 0;
  if (compact) {
    if (!(v.machine->cpuid->xd1_eax & 2)) return gp(v);
    const u64 components = layout & ~kCompact;
    if ((components & ~v.xcr0) || (present & ~components)) return gp(v);
    for (unsigned i = 2; i < 8; ++i)
      if (header[i]) return gp(v);
    return true;
  }
  return (present & ~v.xcr0) || layout || header[2] ? gp(v) : true;
}

}  // namespace

OpResult op_fxsave(Vcpu& v, const Inst& inst) {
  const GuestArea area = area_of(v, inst);
  if (!aligned(v, area, 16)) return OpResult::kFault;
  alignas(16) u8 image[512];
  asm volatile("fxsave64 %0" : "=m"(image));
  hide_pointers(image);
  return area.write(0, image, v.code64() ? kFxBytes : kFxBytes32) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_fxrstor(Vcpu& v, const Inst& inst) {
  const GuestArea area = area_of(v, inst);
  if (!aligned(v, area, 16)) return OpResult::kFault;
  alignas(16) u8 image[512];
  asm volatile("fxsave64 %0" : "=m"(image));
  const u32 mask = static_cast<u32>(load_bytes(image + 28, 4));
  if (!area.read(0, image, v.code64() ? kFxBytes : kFxBytes32)) return OpResult::kFault;
  if (static_cast<u32>(load_bytes(image + 24, 4)) & ~mask) return fault(v, kGP, 0);
  hide_pointers(image);
  asm volatile("fxrstor64 %0" : : "m"(image));
  return OpResult::kNext;
}

OpResult op_ldmxcsr(Vcpu& v, const Inst& inst) {
  u64 value;
  if (!mem_read(v, inst.seg, effective_offset(v, inst), 4, value)) return OpResult::kFault;
  const u32 mxcsr = static_cast<u32>(value);
  if (mxcsr & ~mxcsr_mask()) return fault(v, kGP, 0);
  asm volatile("ldmxcsr %0" : : "m"(mxcsr));
  return OpResult::kNext;
}

OpResult op_xsave(Vcpu& v, const Inst& inst) { return save_standard(v, inst, false); }
OpResult op_xsaveopt(Vcpu& v, const Inst& inst) { return save_standard(v, inst, true); }

OpResult op_xsavec(Vcpu& v, const Inst& inst) {
  if (!xsave_enabled(v)) return OpResult::kFault;
  const CpuidProfile& p = *v.machine->cpuid;
  const GuestArea area = area_of(v, inst);
  if (!aligned(v, area, 64)) return OpResult::kFault;
  const u64 rfbm = requested(v);
  if (!mem_probe_write(v, area.seg, area.offset, compact_offset(p, rfbm, 63))) return OpResult::kFault;
  Image image;
  host_xsave(v, image, rfbm);
  u64 in_use = load_bytes(image.bytes + kHeader, 8) & rfbm;
  // A changed MXCSR counts as SSE state in use.
  if ((rfbm & kSse) && load_bytes(image.bytes + 24, 4) != 0x1f80) in_use |= kSse;
  const auto at_of = [&](unsigned i) { return compact_offset(p, rfbm, i); };
  if (!store_components(area, image, in_use & kSse, in_use, at_of)) return OpResult::kFault;
  const u64 header[2] = {in_use, rfbm | kCompact};
  return area.write(kHeader, reinterpret_cast<const u8*>(header), 16) ? OpResult::kNext : OpResult::kFault;
}

OpResult op_xrstor(Vcpu& v, const Inst& inst) {
  if (!xsave_enabled(v)) return OpResult::kFault;
  const CpuidProfile& p = *v.machine->cpuid;
  const GuestArea area = area_of(v, inst);
  if (!aligned(v, area, 64)) return OpResult::kFault;
  u64 header[8];
  if (!area.read(kHeader, reinterpret_cast<u8*>(header), 64)) return OpResult::kFault;
  bool compact;
  if (!check_header(v, header, compact)) return OpResult::kFault;
  const u64 rfbm = requested(v);
  const u64 load = header[0] & rfbm;
  const u64 layout = header[1] & ~kCompact;

  // Start from the current state: outside 64-bit mode registers 8..15 keep their values.
  Image image;
  host_xsave(v, image, rfbm);
  const bool half = !v.code64();
  if ((load & kX87) && (!area.read(0, image.bytes, 24) || !area.read(32, image.bytes + 32, 128)))
    return OpResult::kFault;
  // MXCSR belongs to SSE and AVX in the standard form, to SSE alone in the compacted one.
  if (rfbm & (compact ? kSse : kSse | kAvx)) {
    if (compact && !(load & kSse))
      store_bytes(image.bytes + 24, 0x1f80, 4);
    else if (!area.read(24, image.bytes + 24, 4))
      return OpResult::kFault;
    if (static_cast<u32>(load_bytes(image.bytes + 24, 4)) & ~mxcsr_mask()) return fault(v, kGP, 0);
  }
  if (load & kSse) {
    if (!area.read(160, image.bytes + 160, sse_bytes(v))) return OpResult::kFault;
  } else if (half) {
    fill_bytes(image.bytes + 160, 0, 128);
  }
  for (unsigned i = 2; i < 63; ++i) {
    if (!(rfbm >> i & 1)) continue;
    u8* to = image.bytes + p.xsave_offset[i];
    if (load >> i & 1) {
      const u32 at = compact ? compact_offset(p, layout, i) : p.xsave_offset[i];
      if (!area.read(at, to, component_bytes(v, i))) return OpResult::kFault;
    } else if (half && i == 2) {
      fill_bytes(to, 0, component_bytes(v, i));
    }
  }
  hide_pointers(image.bytes);
  u64 present = load;
  if (half) present |= load_bytes(image.bytes + kHeader, 8) & rfbm & (kSse | kAvx);
  fill_bytes(image.bytes + kHeader, 0, 64);
  store_bytes(image.bytes + kHeader, present, 8);
  host_xrstor(v, image, rfbm);
  return OpResult::kNext;
}

}  // namespace rz
