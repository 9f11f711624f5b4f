// See decoder_fuzz.h.
#include "decoder_fuzz.h"

#include <cpuid.h>

#include <cstring>

#include "decode/disassemble.h"
#include "isa/list.h"

namespace rz::diff {
namespace {

constexpr u64 kEndOfCode = kCodeAt + kCodeBytes;

// How the processor took the first `room` of the bytes.
enum class Took { kNeedsMore, kUndefined, kTooLong, kOtherwise };

Took take(const u8* bytes, unsigned room, CodeSize size, Runner& native) {
  static TestCase test;
  static TestState out;
  test.start = TestState{};
  test.size = size;
  test.code.assign(bytes, bytes + room);
  test.code_at = kEndOfCode - room;
  test.no_end = true;
  test.insts.clear();
  for (u64& r : test.start.gpr) r = kScratchAt - data_base(size) + 0x800;
  test.start.rip = test.code_at - code_base(size);
  const u16 control = 0x37f;
  const u32 mxcsr = 0x1f80;
  std::memcpy(test.start.vector.bytes, &control, 2);
  std::memcpy(test.start.vector.bytes + 24, &mxcsr, 4);
  if (!native.run(test, out)) return Took::kOtherwise;
  const bool at_start = out.rip == test.start.rip;
  if (out.fault == 6 && at_start) return Took::kUndefined;
  if (out.fault == 14 && at_start && out.cr2 == kEndOfCode) return Took::kNeedsMore;
  if (out.fault == 13 && at_start && room == kMaxInstBytes) return Took::kTooLong;
  return Took::kOtherwise;
}

bool cpuid_bit(u32 leaf, unsigned reg, unsigned bit) {
  unsigned r[4] = {};
  return __get_cpuid_count(leaf, 0, &r[0], &r[1], &r[2], &r[3]) && (r[reg] >> bit & 1);
}

bool amd() {
  unsigned a, b = 0, c, d;
  __get_cpuid(0, &a, &b, &c, &d);
  return b == 0x68747541;  // "Auth"
}

// Where AMD's processors do otherwise than Intel's manual says and the engine does.
bool vendors_differ(const Inst& inst, CodeSize size) {
  if (!amd()) return false;
  // Near branches of 64-bit code with an operand-size prefix: Intel ignores the prefix, AMD has 16-bit displacements.
  if (size == CodeSize::k64) return (inst.row->attrs & kForce64) && inst.has_66;
  // VPINSRD and VPEXTRD with VEX.W outside 64-bit mode: ignored, or undefined.
  return !std::strcmp(inst.row->mnemonic, "vpinsrd") || !std::strcmp(inst.row->mnemonic, "vpextrd");
}

// What this processor has and guests are never offered, so that the decoder calls it undefined. Opcodes after prefixes.
bool never_offered(const u8* p, CodeSize size) {
  u8 mandatory = 0;
  for (;; p++) {
    if (*p == 0xf2 || *p == 0xf3) mandatory = *p;
    const bool prefix = *p == 0x66 || *p == 0x67 || *p == 0xf0 || *p == 0xf2 || *p == 0xf3 || *p == 0x26 ||
                        *p == 0x2e || *p == 0x36 || *p == 0x3e || *p == 0x64 || *p == 0x65 ||
                        (size == CodeSize::k64 && (*p & 0xf0) == 0x40);
    if (!prefix) break;
  }
  if (*p == 0x62) return true;  // EVEX
  if (*p == 0x8f) return true;  // XOP on old processors
  // VPERMQ and VPERMPD without VEX.W: AMD ignores W.
  if (*p == 0xc4 && (p[1] & 31) == 3 && p[3] <= 1 && amd()) return true;
  if (p[0] != 0x0f) return false;
  switch (p[1]) {
    case 0x00: return amd() && (p[2] >> 3 & 7) == 5;           // VERW with LOCK: no #UD
    case 0x01: return p[2] >= 0xc0;                            // SVM, MONITORX, RDPRU, SEAM and whatever comes next
    case 0x2b: return mandatory == 0xf2 || mandatory == 0xf3;  // SSE4a
    case 0x78:
    case 0x79: return true;  // SSE4a; VMREAD, VMWRITE
    case 0x0e:
    case 0x0f: return cpuid_bit(0x80000001, 3, 31);  // 3DNow!
    case 0x37: return true;                          // GETSEC
    case 0xc7:
    case 0xae: return true;  // VMX, CET, WAITPKG, PTWRITE in the unused slots of the groups
    default: return false;
  }
}

}  // namespace

void random_bytes(Rng& rng, CodeSize size, u8 (&out)[kMaxInstBytes]) {
  static constexpr u8 kPrefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0, 0x26, 0x2e,
                                     0x36, 0x3e, 0x64, 0x65, 0x66, 0xf2, 0xf3};
  const u64 noise[2] = {rng(), rng()};
  std::memcpy(out, noise, sizeof out);
  unsigned at = 0;
  for (unsigned n = rng() % 8 < 5 ? 0 : rng() % 4; n > 0; n--) out[at++] = kPrefixes[rng() % sizeof kPrefixes];
  if (size == CodeSize::k64 && rng() % 2) out[at++] = static_cast<u8>(0x40 | (rng() & 15));
  switch (rng() % 8) {
    case 0: break;  // one-byte opcode
    case 1:
    case 2: out[at++] = 0x0f; break;
    case 3:
      out[at++] = 0x0f;
      out[at++] = 0x38;
      break;
    case 4:
      out[at++] = 0x0f;
      out[at++] = 0x3a;
      break;
    case 5:
      out[at++] = 0xc5;
      if (size != CodeSize::k64) out[at] |= 0xc0;
      at++;
      break;
    case 6:
      out[at++] = 0xc4;
      out[at] = static_cast<u8>((out[at] & 0xe0) | (rng() % 16 ? 1 + rng() % 3 : rng() & 31) |
                                (size == CodeSize::k64 ? 0 : 0xc0));
      at++;
      if (rng() % 2) out[at] |= 0x78;
      break;
    default: break;
  }
}

std::string check_decoder(const u8 (&bytes)[kMaxInstBytes], CodeSize size, Runner& native) {
  Inst inst;
  const DecodeStatus status = decode(bytes, kMaxInstBytes, size, inst);
  if (status == DecodeStatus::kTooLong) {
    const Took took = take(bytes, kMaxInstBytes, size, native);
    return took == Took::kTooLong || took == Took::kUndefined ? "" : "too long for the decoder, not for the processor";
  }
  if (status == DecodeStatus::kInvalid || inst.row->sem == Sem::kUndefined) {
    if (never_offered(bytes, size)) return "";
    const Took took = take(bytes, kMaxInstBytes, size, native);
    return took == Took::kUndefined || took == Took::kTooLong ? "" : "undefined for the decoder, not for the processor";
  }
  if (!host_has(inst.row->feature)) return "";
  if (vendors_differ(inst, size)) return "";
  // One byte less: the processor must ask for it. Nothing is executed.
  const Took less = inst.length > 1 ? take(bytes, inst.length - 1u, size, native) : Took::kNeedsMore;
  char text[160];
  disassemble(inst, kCodeAt, text, sizeof text);
  if (less == Took::kUndefined) return std::string("undefined for the processor: ") + text;
  if (less != Took::kNeedsMore) return std::string("shorter for the processor: ") + text;
  if (!user_computation(*inst.row) || inst.row->helper == Helper::k_enter || inst.seg >= kFS ||
      inst.seg_override == kCS)
    return "";
  switch (take(bytes, inst.length, size, native)) {
    case Took::kNeedsMore: return std::string("longer for the processor: ") + text;
    case Took::kUndefined: return std::string("undefined for the processor: ") + text;
    default: return "";
  }
}

}  // namespace rz::diff
