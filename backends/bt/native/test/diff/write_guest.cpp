// See write_guest.h. Code and scratch pages keep their addresses through a page table of the program's own; vector
// state goes through FXRSTOR and the AVX part is left out unless the case names a VEX instruction.
#include "write_guest.h"

#include <cstdio>
#include <cstring>

#include "flag_flow.h"

namespace rz::diff {
namespace {

constexpr const char* kNames[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                    "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

struct Text {
  std::string s;
  template <typename... A>
  void line(const char* format, A... values) {
    char text[256];
    std::snprintf(text, sizeof text, format, values...);
    s += text;
    s += '\n';
  }
  // Bytes of a block; runs of zeros are short.
  void bytes(const u8* from, size_t count) {
    for (size_t i = 0; i < count;) {
      size_t zeros = 0;
      while (i + zeros < count && from[i + zeros] == 0) zeros++;
      if (zeros >= 16 || i + zeros == count) {
        line("        .zero %zu", zeros);
        i += zeros;
        continue;
      }
      s += "        .byte ";
      for (size_t k = 0; k < 16 && i < count; k++, i++) {
        char hex[8];
        std::snprintf(hex, sizeof hex, "%s0x%02x", k ? ", " : "", from[i]);
        s += hex;
      }
      s += '\n';
    }
  }
};

using Wide = unsigned long long;

}  // namespace

std::string guest_program(const TestCase& test, const TestState& expected, const std::string& title) {
  if (test.size != CodeSize::k64) return "";
  bool vex = false;
  for (const Inst& inst : test.insts) vex |= inst.row->encoding == Encoding::kVex;
  Text t;
  t.line("# Found by fuzzing: %s", title.c_str());
  const std::string text = test.text();
  for (size_t at = 0; at < text.size(); at += 110) t.line("#   %s", text.substr(at, 110).c_str());
  t.s +=
      "#! start:  long64\n#! expect: done\n.include \"guest.inc\"\n.include \"catch64.inc\"\n.include \"user64.inc\"\n";
  t.s += ".set TABLE, 0x90000\n.globl start\n";
  // 20000000h: code, 20010000h: scratch, 2001f000h: stack; physical memory from 300000h.
  t.s += "start:  mov     qword ptr [PAGE_TABLES + 0x2000 + 256 * 8], TABLE | 7\n";
  auto page = [&](u64 at, u64 physical, unsigned bits) {
    t.line("        mov     qword ptr [TABLE + %llu * 8], 0x%llx", static_cast<Wide>(at >> 12 & 511),
           static_cast<Wide>(physical | bits));
  };
  page(kCodeAt, 0x300000, 0x67), page(kCodeAt + 0x1000, 0x301000, 0x67);
  for (u64 i = 0; i < 3; i++) page(kScratchAt + i * 0x1000, 0x302000 + i * 0x1000, i < 2 ? 0x67 : 0x25);
  page(kStackAt, 0x305000, 0x67);
  t.s += "        mov     rax, cr3\n        mov     cr3, rax\n";
  if (vex)
    t.s +=
        "        mov     rax, cr4\n        or      eax, 0x40000\n        mov     cr4, rax\n        xor     ecx, ecx\n"
        "        xor     edx, edx\n        mov     eax, 7\n        xsetbv\n";
  auto copy = [&](const char* from, u64 physical, u64 bytes) {
    t.line("        mov     esi, offset %s", from);
    t.line("        mov     edi, 0x%llx", static_cast<Wide>(physical));
    t.line("        mov     ecx, %llu", static_cast<Wide>(bytes));
    t.s += "        rep movsb\n";
  };
  copy("code", 0x300000 + (test.code_at - kCodeAt), test.code.size() + 2);
  copy("scratch", 0x302000, kScratchBytes);
  copy("stack", 0x306000 - kStackBytes, kStackBytes);
  t.s += "        begin_user\n        fxrstor [image]\n";
  for (unsigned i = 0; vex && i < 16; i++)
    t.line("        vinsertf128 ymm%u, ymm%u, [image_high + %u], 1", i, i, 16 * i);
  t.s += "        catch   stopped\n";
  t.line("        push    0x%llx\n        popfq", static_cast<Wide>(test.start.rflags | 2));
  for (unsigned i = 0; i < 16; i++)
    t.line("        movabs  %s, 0x%llx", kNames[i], static_cast<Wide>(test.start.gpr[i]));
  t.line("        jmp     [entry]");
  t.s += "stopped:\n";
  // UD2 ends the case: the gate has saved flags and RSP at CAUGHT.
  for (unsigned i = 0; i < 16; i++) t.line("        mov     [saved + %u], %s", 8 * i, kNames[i]);
  t.s += "        fxsave  [image_after]\n        mov     rsp, STACK_TOP - 256\n        cld\n";
  const bool faulted = expected.fault != kNoFault;
  t.line("        check_eq \"dword ptr [caught_vector]\", %u", faulted ? expected.fault : 6u);
  t.line("        check_eq \"dword ptr [caught_rip]\", 0x%llx", static_cast<Wide>(expected.rip));
  if (expected.fault == 14)
    t.line("        check_eq \"dword ptr [caught_cr2]\", 0x%llx", static_cast<Wide>(expected.cr2));
  for (unsigned i = 0; i < 16; i++) {
    t.line("        movabs  rbx, 0x%llx", static_cast<Wide>(expected.gpr[i]));
    t.line("        check_eq rbx, \"qword ptr [saved + %u]\"", 8 * i);
  }
  const u64 flags = faulted ? flags_that_matter(test, expected.rip) & kArithmetic : kArithmetic;
  t.s += "        mov     eax, [caught_rflags]\n";
  t.line("        and     eax, 0x%llx", static_cast<Wide>(flags));
  t.line("        check_eq eax, 0x%llx", static_cast<Wide>(expected.rflags & flags));
  for (u64 at = 0; at < kScratchBytes; at += 4)
    if (std::memcmp(test.start.memory + at, expected.memory + at, 4)) {
      u32 value;
      std::memcpy(&value, expected.memory + at, 4);
      t.line("        check_eq \"dword ptr [0x%llx]\", 0x%x", static_cast<Wide>(kScratchAt + at), value);
    }
  for (unsigned i = 0; i < 8 + 16; i++) {
    const unsigned at = i < 8 ? 32 + 16 * i : 160 + 16 * (i - 8);
    if (!std::memcmp(test.start.vector.bytes + at, expected.vector.bytes + at, i < 8 ? 10 : 16)) continue;
    for (unsigned k = 0; k < (i < 8 ? 2u : 4u); k++) {
      u32 value;
      std::memcpy(&value, expected.vector.bytes + at + 4 * k, 4);
      t.line("        check_eq \"dword ptr [image_after + %u]\", 0x%x", at + 4 * k, value);
    }
  }
  t.s += "        done\n.balign 64\nimage:\n";
  t.bytes(test.start.vector.bytes, 28);
  t.s += "        .zero 4\n";
  t.bytes(test.start.vector.bytes + 32, 384);
  t.s += "        .zero 96\nimage_high:\n";
  t.bytes(test.start.vector.bytes + 576, 256);
  t.s += "image_after:\n        .zero 512\nsaved:  .zero 128\n";
  t.line("entry:  .quad 0x%llx", static_cast<Wide>(test.code_at));
  t.s += "code:\n";
  t.bytes(test.code.data(), test.code.size());
  t.s += "        .byte 0x0f, 0x0b\nstack:\n";
  t.bytes(test.start.stack, kStackBytes);
  t.s += "scratch:\n";
  t.bytes(test.start.memory, kScratchBytes);
  return t.s;
}

}  // namespace rz::diff
