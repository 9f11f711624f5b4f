// Differences between two outcomes, in words.
#include <cstdio>
#include <cstring>

#include "flag_flow.h"
#include "generate.h"
#include "test_case.h"

namespace rz::diff {
namespace {

constexpr const char* kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

void add(std::string& s, const char* what, u64 a, u64 b) {
  char line[96];
  std::snprintf(line, sizeof line, "  %s %llx/%llx", what, static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(b));
  s += line;
}

void add_bytes(std::string& s, const char* what, unsigned number, const u8* a, const u8* b, unsigned n) {
  if (!std::memcmp(a, b, n)) return;
  char text[24];
  std::snprintf(text, sizeof text, "  %s%u ", what, number);
  s += text;
  for (const u8* p : {a, b}) {
    for (unsigned i = n; i-- > 0;) {
      char hex[4];
      std::snprintf(hex, sizeof hex, "%02x", p[i]);
      s += hex;
    }
    s += p == a ? "/" : "";
  }
}

const Inst* instruction_at(const TestCase& test, u64 rip) {
  u64 at = test.code_at - code_base(test.size);
  for (const Inst& inst : test.insts) {
    if (at == rip) return &inst;
    at += inst.length;
  }
  return nullptr;
}

// Which of several faulting bytes CR2 and the error code speak of is the processor's choice for masked stores, PUSHA
// and state images.
bool free_choice_of_byte(const TestCase& test) {
  for (const Inst& inst : test.insts)
    if (inst.row->helper == Helper::k_maskmov || inst.row->helper == Helper::k_vmaskmov ||
        inst.row->helper == Helper::k_pusha || inst.row->helper == Helper::k_popa ||
        (inst.row->helper >= Helper::k_fnstenv && inst.row->helper <= Helper::k_xrstor))
      return true;
  return false;
}

}  // namespace

// The x87 instruction and operand pointers (bytes 6..23 of the image) are not compared: they name host addresses.
std::string compare(const TestCase& test, const TestState& a, const TestState& b) {
  std::string s;
  // MASKMOVQ and MASKMOVDQU: whether bytes that the mask leaves out fault depends on the processor.
  if ((a.fault == 14 || b.fault == 14) && test.insts[0].row->helper == Helper::k_maskmov) return s;
  if (a.fault != b.fault) add(s, "fault", a.fault, b.fault);
  if (a.fault == b.fault && !free_choice_of_byte(test)) {
    // The upper half of the address space is the host kernel's and present: no guest page is there.
    const bool upper_half = a.fault == 14 && static_cast<i64>(a.cr2) < 0;
    if (a.error != b.error && !upper_half) add(s, "error", a.error, b.error);
    if (a.cr2 != b.cr2) add(s, "cr2", a.cr2, b.cr2);
  }
  if (a.rip != b.rip) add(s, "rip", a.rip, b.rip);
  // POPA that faults halfway: some processors have loaded a part of the registers by then, the engine none.
  const Inst* at_fault = a.fault == kNoFault ? nullptr : instruction_at(test, a.rip);
  const bool half_loaded = at_fault && at_fault->row->helper == Helper::k_popa;
  for (unsigned i = 0; i < 16; i++)
    if (a.gpr[i] != b.gpr[i] && !(half_loaded && i != 4)) add(s, kNames[i], a.gpr[i], b.gpr[i]);
  u64 flags = a.fault == kNoFault ? ~0ull : flags_that_matter(test, a.rip);
  bool zeroes_vectors = false;
  for (const Inst& inst : test.insts) {
    if (decimal_adjust(*inst.row)) flags &= ~rflags_of(inst.row->flags.maybe);
    zeroes_vectors |= inst.row->encoding == Encoding::kVex && inst.row->map == Map::k0F && inst.opcode == 0x77;
  }
  // VZEROUPPER and VZEROALL of 32-bit code, re-encoded for a 64-bit host, clear registers 8..15 as well; no
  // 32-bit code can tell.
  const unsigned vectors = zeroes_vectors && test.size != CodeSize::k64 ? 8 : 16;
  if ((a.rflags ^ b.rflags) & flags) add(s, "rflags", a.rflags, b.rflags);
  for (u64 i = 0; i < kScratchBytes; i++)
    if (a.memory[i] != b.memory[i]) {
      add(s, "memory at", kScratchAt + i, kScratchAt + i);
      add(s, "=", a.memory[i], b.memory[i]);
      break;
    }
  for (u64 i = 0; i < kStackBytes; i++)
    if (a.stack[i] != b.stack[i]) {
      add(s, "stack at", kStackUsedAt + i, kStackUsedAt + i);
      add(s, "=", a.stack[i], b.stack[i]);
      break;
    }
  if (a.code_sum != b.code_sum) s += "  code differs";
  const u8 *va = a.vector.bytes, *vb = b.vector.bytes;
  if (std::memcmp(va, vb, 5)) {
    u16 x, y;
    std::memcpy(&x, va, 2);
    std::memcpy(&y, vb, 2);
    if (x != y) add(s, "fcw", x, y);
    std::memcpy(&x, va + 2, 2);
    std::memcpy(&y, vb + 2, 2);
    if (x != y) add(s, "fsw", x, y);
    if (va[4] != vb[4]) add(s, "ftw", va[4], vb[4]);
  }
  u32 ma, mb;
  std::memcpy(&ma, va + 24, 4);
  std::memcpy(&mb, vb + 24, 4);
  if (ma != mb) add(s, "mxcsr", ma, mb);
  for (unsigned i = 0; i < 8; i++) add_bytes(s, "st", i, a.vector.st(i), b.vector.st(i), 10);
  for (unsigned i = 0; i < vectors; i++) {
    add_bytes(s, "xmm", i, a.vector.xmm(i), b.vector.xmm(i), 16);
    add_bytes(s, "ymmh", i, a.vector.ymm_high(i), b.vector.ymm_high(i), 16);
  }
  return s;
}

}  // namespace rz::diff
