// Random register and memory contents; see values.h.
#include "values.h"

#include <cstring>

namespace rz::diff {
namespace {

constexpr u64 kIntegers[] = {0,
                             1,
                             2,
                             3,
                             7,
                             8,
                             15,
                             16,
                             31,
                             32,
                             33,
                             63,
                             64,
                             0x7f,
                             0x80,
                             0x81,
                             0xff,
                             0x100,
                             0x7fff,
                             0x8000,
                             0xffff,
                             0x10000,
                             0x7fffffff,
                             0x80000000,
                             0x80000001,
                             0xffffffff,
                             0x100000000,
                             0x7fffffffffffffff,
                             0x8000000000000000,
                             0x8000000000000001,
                             0xfffffffffffffffe,
                             0xffffffffffffffff,
                             0xffffffff80000000,
                             0xffffffffffff8000,
                             0xffffffffffffff80};
constexpr u32 kSingles[] = {0,          0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000,
                            0x7f800001, 0x00000001, 0x007fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000,
                            0x5f000000, 0x3f000000, 0x40490fdb, 0x4b000000, 0x33800000};
constexpr u64 kDoubles[] = {0,
                            0x8000000000000000,
                            0x3ff0000000000000,
                            0xbff0000000000000,
                            0x7ff0000000000000,
                            0xfff0000000000000,
                            0x7ff8000000000000,
                            0x7ff0000000000001,
                            1,
                            0x000fffffffffffff,
                            0x0010000000000000,
                            0x7fefffffffffffff,
                            0x41e0000000000000,
                            0xc1e0000000000000,
                            0x43e0000000000000,
                            0x3fe0000000000000,
                            0x400921fb54442d18,
                            0x3ca0000000000000};

template <typename T, size_t N>
T pick(Rng& rng, const T (&from)[N]) {
  return from[rng() % N];
}

u64 half_values(Rng& rng) {  // a plausible double: exponent near 1.0
  return (rng() & 0x800fffffffffffff) | (0x3f0 + rng() % 0x1f) << 52;
}

void x87_value(Rng& rng, u8* out) {
  u64 mantissa = rng() | 1ull << 63;
  u16 top = static_cast<u16>(0x3ff0 + rng() % 0x20);
  switch (rng() % 12) {
    case 0:
      mantissa = 0;
      top = 0;
      break;
    case 1:
      mantissa = 1ull << 63;
      top = 0x7fff;
      break;  // infinity
    case 2:
      mantissa = 3ull << 62;
      top = 0xffff;
      break;  // indefinite
    case 3:
      mantissa = 1ull << 63 | 1;
      top = 0x7fff;
      break;  // signalling NaN
    case 4:
      mantissa = rng() & ~(1ull << 63);
      top = 0;
      break;  // denormal
    case 5:
      mantissa = 1ull << 63;
      top = 0x3fff;
      break;                                                     // 1.0
    case 6: top = static_cast<u16>(0x3fff + rng() % 70); break;  // up to beyond 64-bit integers
    case 7:
      if (rng() % 4 == 0) { mantissa &= ~(1ull << 63); }
      break;  // unnormal
    case 8: top = static_cast<u16>(rng() & 0x7fff); break;
    default: break;
  }
  if (rng() % 2) top |= 0x8000;
  std::memcpy(out, &mantissa, 8);
  std::memcpy(out + 8, &top, 2);
}

}  // namespace

u64 integer_value(Rng& rng) {
  switch (rng() % 4) {
    case 0: return pick(rng, kIntegers);
    case 1: return rng() >> (rng() % 64);
    case 2: return static_cast<u64>(-static_cast<i64>(rng() >> (rng() % 64)));
    default: return rng();
  }
}

void vector_value(Rng& rng, u8* out) {
  const unsigned kind = rng() % 6;
  for (unsigned i = 0; i < 2; i++) {
    u64 v = rng();
    switch (kind) {
      case 0: v = integer_value(rng); break;
      case 1: v = pick(rng, kSingles) | static_cast<u64>(pick(rng, kSingles)) << 32; break;
      case 2: v = pick(rng, kDoubles); break;
      case 3: v = half_values(rng); break;
      case 4: v = (rng() & 0x807fffff807fffff) | (0x70 + rng() % 0x1f) << 23 | (0x70 + rng() % 0x1f) << 55; break;
      default: break;
    }
    std::memcpy(out + 8 * i, &v, 8);
  }
}

void random_state(Rng& rng, TestState& s) {
  for (u64& r : s.gpr) r = integer_value(rng);
  s.rip = kCodeAt;
  s.rflags = (rng() & kArithmetic) | (rng() % 8 == 0 ? kDirection : 0);
  s.fault = kNoFault;
  VectorState& v = s.vector;
  std::memset(v.bytes, 0, sizeof v.bytes);
  std::memset(s.stack, 0, sizeof s.stack);
  const bool unmasked_x87 = rng() % 8 == 0, unmasked_sse = rng() % 8 == 0;
  const u16 control =
      static_cast<u16>(0x40 | (unmasked_x87 ? rng() & 0x3f : 0x3f) | (rng() % 2 ? 0x300 : (rng() & 0xf00)));
  u16 status = static_cast<u16>(rng() & 0x7800);  // TOP and C3; C0..C2 too, below
  status |= static_cast<u16>(rng() & 0x700);
  // An exception that was left pending: the next waiting instruction reports it.
  if (unmasked_x87 && rng() % 3 == 0) {
    status |= static_cast<u16>(rng() & 0x7f);
    if (status & ~control & 0x3f) status |= 0x8080;
  }
  if (!unmasked_x87) status |= static_cast<u16>(rng() & 0x7f & (rng() % 2 ? 0xff : 0));
  const u8 tags = rng() % 2 ? 0xff : static_cast<u8>(rng());
  const u32 mxcsr = static_cast<u32>((unmasked_sse ? rng() & 0x1f80 : 0x1f80) | (rng() % 3 == 0 ? rng() & 0xe040 : 0) |
                                     (unmasked_sse ? 0 : rng() & 0x3f));
  std::memcpy(v.bytes, &control, 2);
  std::memcpy(v.bytes + 2, &status, 2);
  v.bytes[4] = tags;
  std::memcpy(v.bytes + 24, &mxcsr, 4);
  for (unsigned i = 0; i < 8; i++) x87_value(rng, v.st(i));
  for (unsigned i = 0; i < 16; i++) {
    vector_value(rng, v.xmm(i));
    vector_value(rng, v.ymm_high(i));
  }
  v.bytes[512] = 7;  // x87, SSE and AVX are in the image
  for (u64 i = 0; i < kScratchBytes; i += 16) {
    if (rng() % 3 == 0)
      x87_value(rng, s.memory + i);
    else
      vector_value(rng, s.memory + i);
  }
}

}  // namespace rz::diff
