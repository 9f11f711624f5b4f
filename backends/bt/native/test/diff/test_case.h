// A differential test case: a few instructions with all the state they may see, and what came of them.
// Addresses are the same on the host and in the guest, so pointers in registers mean the same on both sides.
#pragma once

#include <string>
#include <vector>

#include "cpu/types.h"
#include "decode/inst.h"
#include "run/machine.h"

namespace rz::diff {

inline constexpr u64 kCodeAt = 0x2000'0000;  // two pages of code
inline constexpr u64 kCodeBytes = 0x2000;
inline constexpr u64 kScratchAt = 0x2001'0000;  // two pages read-write, one read-only, then nothing
inline constexpr u64 kScratchBytes = 0x3000;
inline constexpr u64 kWritableBytes = 0x2000;
inline constexpr u64 kStackAt = 0x2001'f000;  // one page; programs use its last kStackBytes
inline constexpr u64 kStackBytes = 0x400;
inline constexpr u64 kStackUsedAt = kStackAt + 0x1000 - kStackBytes;
inline constexpr u8 kNoFault = 0xff;

// 16-bit cases have CS at kCodeAt and the data segments at kScratchAt, all of 64 KiB; other cases are flat.
constexpr u64 code_base(CodeSize size) { return size == CodeSize::k16 ? kCodeAt : 0; }
constexpr u64 data_base(CodeSize size) { return size == CodeSize::k16 ? kScratchAt : 0; }

/// XSAVE image, standard format, x87 + SSE + AVX: 512 legacy, 64 header, 256 upper YMM halves.
struct alignas(64) VectorState {
  u8 bytes[832];
  u8* st(unsigned i) { return bytes + 32 + 16 * i; }
  u8* xmm(unsigned i) { return bytes + 160 + 16 * i; }
  u8* ymm_high(unsigned i) { return bytes + 576 + 16 * i; }
  const u8* st(unsigned i) const { return bytes + 32 + 16 * i; }
  const u8* xmm(unsigned i) const { return bytes + 160 + 16 * i; }
  const u8* ymm_high(unsigned i) const { return bytes + 576 + 16 * i; }
};

struct TestState {
  u64 gpr[16];
  u64 rip;     // offset in CS
  u64 rflags;  // arithmetic flags and DF
  VectorState vector;
  u8 memory[kScratchBytes];
  u8 stack[kStackBytes];
  u64 code_sum = 0;     // of the code after the run: programs modify themselves
  u8 fault = kNoFault;  // vector of the exception that ended the case
  u32 error = 0;        // its error code, page faults only bits 0 (present) and 1 (write)
  u64 cr2 = 0;          // page faults only
};

struct TestCase {
  CodeSize size = CodeSize::k64;
  u64 code_at = kCodeAt;    // first byte; programs begin near a page's end now and then
  std::vector<u8> code;     // ends where the last instruction ends
  std::vector<Inst> insts;  // what it decodes to
  TestState start;
  bool no_end = false;       // natively only: nothing stands behind the code
  std::string text() const;  // disassembly and bytes, for reports
};

/// What TestState::code_sum is.
inline u64 sum_of_code(const u8* code, size_t bytes) {
  u64 sum = 0xcbf29ce484222325;
  for (size_t i = 0; i < bytes; i++) sum = (sum ^ code[i]) * 0x100000001b3;
  return sum;
}

/// Something that can carry out a case.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual const char* name() const = 0;
  /// Run `test.code` from `test.start` until its end or an exception; fill `out`.
  /// @returns false when the runner cannot say (internal error, time-out of a second or so)
  virtual bool run(const TestCase& test, TestState& out) = 0;
};

Runner* make_native_runner();
/// @param options  the engine's switches; none may change what comes out
/// @param ring     privilege level of the cases, 3 or 0
/// @param cpu      CPUID profile; must be one that this host can have
Runner* make_engine_runner(const EngineOptions& options, unsigned ring = 3, const char* cpu = "host");

/// What differs between two outcomes of a case, empty when nothing does. At a fault, flags that the rest of the
/// case overwrites unread may differ: the translator does not keep dead flags, and restarting makes them good.
/// Masked stores, PUSHA and state images may name another faulting byte in CR2 and the error code.
std::string compare(const TestCase& test, const TestState& a, const TestState& b);

inline constexpr u64 kArithmetic = 0x8d5;  // OF SF ZF AF PF CF
inline constexpr u64 kDirection = 0x400;

}  // namespace rz::diff
