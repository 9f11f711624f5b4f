// See state_diff.h.
#include "state_diff.h"

#include <cstdio>
#include <cstring>

namespace rz {
namespace {

/// A state component of the XSAVE image, or zeros while it is in its initial state.
const u8* component(const Vcpu& v, unsigned bit, unsigned at) {
  static const u8 kZeros[512] = {};
  u64 present;
  std::memcpy(&present, v.xsave + 512, 8);
  return present >> bit & 1 ? v.xsave + at : kZeros;
}

/// FCW, FSW, FTW and MXCSR; the last instruction's address and opcode are the host's, so they are not compared.
struct FpuControl {
  u16 fcw = 0x37f, fsw = 0;
  u8 ftw = 0;
  u32 mxcsr = 0x1f80;
};
FpuControl control(const Vcpu& v) {
  FpuControl c;
  u64 present;
  std::memcpy(&present, v.xsave + 512, 8);
  if (present & 1) {
    std::memcpy(&c.fcw, v.xsave, 2);
    std::memcpy(&c.fsw, v.xsave + 2, 2);
    c.ftw = v.xsave[4];
  }
  std::memcpy(&c.mxcsr, v.xsave + 24, 4);
  return c;
}

class Differences {
 public:
  void number(const char* name, u64 a, u64 b) {
    if (a == b) return;
    char line[96];
    std::snprintf(line, sizeof line, "  %-8s %16llx %16llx\n", name, static_cast<unsigned long long>(a),
                  static_cast<unsigned long long>(b));
    text += line;
  }
  void bytes(const char* name, unsigned i, const u8* a, const u8* b, unsigned count) {
    if (std::memcmp(a, b, count) == 0) return;
    char line[32];
    std::snprintf(line, sizeof line, "  %s%u", name, i);
    text += line;
    for (const u8* side : {a, b}) {
      text += "  ";
      for (unsigned k = count; k-- > 0;) {
        std::snprintf(line, sizeof line, "%02x", side[k]);
        text += line;
      }
    }
    text += "\n";
  }
  std::string text;
};

constexpr const char* kGpr[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kSegments[kSegCount] = {"es", "cs", "ss", "ds", "fs", "gs"};

}  // namespace

std::string general_differences(const Vcpu& a, const Vcpu& b, u64 tolerated) {
  Differences d;
  d.number("rip", a.rip, b.rip);
  for (unsigned i = 0; i < 16; i++) d.number(kGpr[i], a.regs[i], b.regs[i]);
  d.number("rflags", a.rflags & ~tolerated, b.rflags & ~tolerated);
  d.number("cr0", a.cr0, b.cr0);
  d.number("cr2", a.cr2, b.cr2);
  d.number("cr3", a.cr3, b.cr3);
  d.number("cr4", a.cr4, b.cr4);
  d.number("cpl", a.cpl, b.cpl);
  d.number("efer", a.msr.efer, b.msr.efer);
  for (unsigned i = 0; i < kSegCount; i++) {
    d.number(kSegments[i], a.seg[i].selector, b.seg[i].selector);
    d.number("base", a.seg[i].base, b.seg[i].base);
  }
  d.number("fault", a.exception.vector, b.exception.vector);
  if (a.exception.vector != PendingException::kNone) d.number("error", a.exception.error, b.exception.error);
  d.number("halted", a.halted, b.halted);
  return d.text;
}

std::string vector_differences(const Vcpu& a, const Vcpu& b) {
  Differences d;
  const FpuControl x = control(a), y = control(b);
  d.number("fcw", x.fcw, y.fcw);
  d.number("fsw", x.fsw, y.fsw);
  d.number("ftw", x.ftw, y.ftw);
  d.number("mxcsr", x.mxcsr, y.mxcsr);
  for (unsigned i = 0; i < 8; i++) d.bytes("st", i, component(a, 0, 32) + 16 * i, component(b, 0, 32) + 16 * i, 10);
  for (unsigned i = 0; i < 16; i++) {
    d.bytes("xmm", i, component(a, 1, 160) + 16 * i, component(b, 1, 160) + 16 * i, 16);
    d.bytes("ymm-high", i, component(a, 2, 576) + 16 * i, component(b, 2, 576) + 16 * i, 16);
  }
  return d.text;
}

std::string both_states(const Vcpu& a, const Vcpu& b) {
  std::string text = "    register            first           second\n";
  auto row = [&](const char* name, u64 x, u64 y) {
    char line[96];
    std::snprintf(line, sizeof line, "  %c %-8s %16llx %16llx\n", x == y ? ' ' : '!', name,
                  static_cast<unsigned long long>(x), static_cast<unsigned long long>(y));
    text += line;
  };
  row("rip", a.rip, b.rip);
  for (unsigned i = 0; i < 16; i++) row(kGpr[i], a.regs[i], b.regs[i]);
  row("rflags", a.rflags, b.rflags);
  row("cr0", a.cr0, b.cr0);
  row("cr2", a.cr2, b.cr2);
  row("cr3", a.cr3, b.cr3);
  row("cr4", a.cr4, b.cr4);
  row("efer", a.msr.efer, b.msr.efer);
  for (unsigned i = 0; i < kSegCount; i++) {
    row(kSegments[i], a.seg[i].selector, b.seg[i].selector);
    row("  base", a.seg[i].base, b.seg[i].base);
  }
  return text;
}

}  // namespace rz
