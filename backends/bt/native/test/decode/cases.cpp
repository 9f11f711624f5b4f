// Hand-written decoder cases: the prefix rules, the opcodes that mean different things in different modes, and
// the fields that the translator relies on.
#include "check.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <initializer_list>

#include "decode/disassemble.h"
#include "decode/flags.h"
#include "decode/inst.h"

namespace rz::test {
namespace {

constexpr CodeSize k16 = CodeSize::k16, k32 = CodeSize::k32, k64 = CodeSize::k64;

struct Decoded {
  DecodeStatus status;
  Inst inst;
};

Decoded dec(CodeSize size, std::initializer_list<u8> bytes, unsigned available = 0) {
  u8 buffer[16] = {};
  unsigned n = 0;
  for (u8 b : bytes)
    if (n < 15) buffer[n++] = b;
  Decoded d;
  d.status = decode(buffer, available ? available : 15, size, d.inst);
  return d;
}

// The text must come out, and the length must be that of the bytes given.
void text(CodeSize size, std::initializer_list<u8> bytes, const char* expected) {
  const Decoded d = dec(size, bytes);
  char out[128] = "(bad)";
  if (d.status == DecodeStatus::kOk) disassemble(d.inst, 0x1000, out, sizeof out);
  check(!std::strcmp(out, expected), "expected '%s', got '%s'", expected, out);
  if (d.status == DecodeStatus::kOk)
    check(d.inst.length == bytes.size(), "'%s': length %u, not %zu", expected, d.inst.length, bytes.size());
}

void bad(CodeSize size, std::initializer_list<u8> bytes, const char* why) {
  const Decoded d = dec(size, bytes);
  check(d.status == DecodeStatus::kInvalid, "%s should be invalid, is status %d", why, static_cast<int>(d.status));
}

void prefixes() {
  text(k64, {0x48, 0x89, 0xd8}, "mov rax,rbx");
  text(k64, {0x66, 0x89, 0xd8}, "mov ax,bx");
  text(k64, {0x48, 0x66, 0x89, 0xd8}, "mov ax,bx");    // REX not last: ignored
  text(k64, {0x66, 0x48, 0x89, 0xd8}, "mov rax,rbx");  // REX.W beats 66
  text(k16, {0x89, 0xd8}, "mov ax,bx");
  text(k16, {0x66, 0x89, 0xd8}, "mov eax,ebx");
  text(k64, {0x88, 0xe0}, "mov al,ah");
  text(k64, {0x40, 0x88, 0xe0}, "mov al,spl");
  text(k64, {0x45, 0x88, 0xe0}, "mov r8b,r12b");
  text(k64, {0x67, 0x8b, 0x01}, "mov eax,dword [ecx]");
  text(k64, {0x2e, 0x8b, 0x01}, "mov eax,dword [rcx]");
  text(k64, {0x64, 0x2e, 0x8b, 0x01}, "mov eax,dword fs:[rcx]");
  text(k32, {0x64, 0x2e, 0x8b, 0x01}, "mov eax,dword cs:[ecx]");  // last one wins
  text(k64, {0xf0, 0x48, 0x0f, 0xc1, 0x07}, "lock xadd qword [rdi],rax");
  bad(k64, {0xf0, 0x48, 0x0f, 0xc1, 0xc7}, "LOCK with a register destination");
  bad(k64, {0xf0, 0x8b, 0x07}, "LOCK MOV");
  bad(k64, {0xf0, 0x39, 0x07}, "LOCK CMP");
  bad(k64, {0xf0, 0x90}, "LOCK NOP");
  check(dec(k64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90}).status ==
            DecodeStatus::kOk,
        "fifteen bytes are allowed");
  check(dec(k64, {0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f}).status ==
            DecodeStatus::kTooLong,
        "sixteen bytes are not");
  for (unsigned n = 1; n < 7; n++)
    check(dec(k64, {0x48, 0x8b, 0x84, 0x88, 1, 2, 3, 4}, n).status == DecodeStatus::kNeedMoreBytes,
          "%u bytes are too few", n);
}

void modes() {
  text(k64, {0x90}, "nop");
  text(k64, {0xf3, 0x90}, "pause");
  text(k64, {0x41, 0x90}, "xchg r8d,eax");
  text(k64, {0x49, 0x90}, "xchg r8,rax");
  text(k64, {0x48, 0x63, 0xc3}, "movsxd rax,ebx");
  text(k32, {0x63, 0xd8}, "arpl ax,bx");
  text(k32, {0x48}, "dec eax");
  text(k32, {0x62, 0x08}, "bound ecx,qword [eax]");
  bad(k64, {0x62, 0x08}, "BOUND in 64-bit mode");
  bad(k64, {0x06}, "PUSH ES in 64-bit mode");
  bad(k64, {0x27}, "DAA in 64-bit mode");
  bad(k64, {0x82, 0xc0, 1}, "82 in 64-bit mode");
  bad(k64, {0xd6}, "SALC in 64-bit mode");
  bad(k64, {0xea, 0, 0, 0, 0, 0, 0}, "far JMP immediate in 64-bit mode");
  text(k32, {0xea, 0x78, 0x56, 0x34, 0x12, 0x08, 0x00}, "jmp far 0x8:0x12345678");
  text(k16, {0xea, 0x34, 0x12, 0x00, 0xf0}, "jmp far 0xf000:0x1234");
  text(k64, {0x50}, "push rax");
  text(k64, {0x66, 0x50}, "push ax");
  text(k64, {0x41, 0x5f}, "pop r15");
  text(k64, {0x66, 0xe8, 1, 0, 0, 0}, "call 0x1007");  // 66 ignored on near branches
  text(k32, {0x66, 0xe8, 1, 0}, "call 0x1005");
  text(k64, {0x6a, 0xff}, "push 0xffffffffffffffff");
  text(k64, {0x48, 0xa1, 1, 2, 3, 4, 5, 6, 7, 8}, "mov rax,[0x807060504030201]");
  text(k64, {0x67, 0xa1, 1, 2, 3, 4}, "mov eax,[0x4030201]");
  text(k64, {0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8}, "mov rax,0x807060504030201");
  text(k64, {0x48, 0xc7, 0xc0, 0xff, 0xff, 0xff, 0xff}, "mov rax,0xffffffffffffffff");
  text(k64, {0x48, 0x8d, 0x05, 0x10, 0, 0, 0}, "lea rax,[0x1017]");
  text(k16, {0x8b, 0x46, 0xfe}, "mov ax,word [bp-0x2]");
  text(k16, {0x8b, 0x00}, "mov ax,word [bx+si]");
  text(k16, {0x8b, 0x0e, 0x34, 0x12}, "mov cx,word [0x1234]");
  text(k16, {0x67, 0x8b, 0x04, 0x24}, "mov ax,word [esp]");
  text(k64, {0x42, 0x8b, 0x04, 0x25, 0, 0, 0, 0}, "mov eax,dword [r12]");  // REX.X makes index 4 usable
  check(dec(k64, {0x8b, 0x44, 0x24, 8}).inst.seg == kSS, "RSP-based operands default to SS");
  check(dec(k64, {0x41, 0x8b, 0x44, 0x24, 8}).inst.seg == kDS, "R12-based operands default to DS");
  check(dec(k64, {0x8b, 0x45, 8}).inst.seg == kSS, "RBP-based operands default to SS");
  text(k64, {0xc8, 0x34, 0x12, 0x05}, "enter 0x1234,0x5");
  text(k64, {0xf3, 0x48, 0xa5}, "rep movsq es:[rdi],ds:[rsi]");
  text(k64, {0xf2, 0xae}, "repne scasb al,es:[rdi]");
  text(k64, {0x0f, 0x22, 0xe0}, "mov cr4,rax");
  text(k32, {0x0f, 0x20, 0x00}, "mov eax,cr0");  // mod is ignored
  bad(k64, {0x0f, 0x20, 0x08}, "CR1");
  bad(k64, {0x8e, 0xc8}, "MOV CS");
  bad(k64, {0x8c, 0xf0}, "segment register 6");
  text(k64, {0x0f, 0x01, 0xf8}, "swapgs");
  bad(k32, {0x0f, 0x01, 0xf8}, "SWAPGS outside 64-bit mode");
  text(k64, {0x0f, 0x01, 0x38}, "invlpg [rax]");
  text(k64, {0xf3, 0x0f, 0xbc, 0xc1}, "tzcnt eax,ecx");
  text(k64, {0x0f, 0xbc, 0xc1}, "bsf eax,ecx");
  text(k64, {0xf3, 0x66, 0x0f, 0xb8, 0xc1}, "popcnt ax,cx");
  text(k64, {0x66, 0xf2, 0x0f, 0x38, 0xf1, 0xc1}, "crc32 eax,cx");
  text(k64, {0x66, 0x0f, 0x38, 0xf0, 0x01}, "movbe ax,word [rcx]");
  text(k64, {0x48, 0x0f, 0xc7, 0x0f}, "cmpxchg16b xmmword [rdi]");
  text(k64, {0x0f, 0xc7, 0x0f}, "cmpxchg8b qword [rdi]");
}

void vectors() {
  text(k64, {0xf3, 0x0f, 0x10, 0x01}, "movss xmm0,dword [rcx]");
  text(k64, {0x66, 0x48, 0x0f, 0x6e, 0xc0}, "movq xmm0,rax");
  text(k64, {0x66, 0x0f, 0x6e, 0xc0}, "movd xmm0,eax");
  text(k64, {0x66, 0xf3, 0x0f, 0x58, 0xc1}, "addss xmm0,xmm1");  // F3 beats 66
  text(k64, {0xc5, 0xf8, 0x58, 0xc1}, "vaddps xmm0,xmm0,xmm1");
  text(k64, {0xc5, 0xfc, 0x77}, "vzeroall");
  text(k64, {0xc4, 0xe2, 0x7d, 0x18, 0x01}, "vbroadcastss ymm0,dword [rcx]");
  text(k64, {0xc4, 0xe2, 0xf8, 0xf2, 0xc1}, "andn rax,rax,rcx");
  bad(k64, {0xc4, 0xe2, 0xf5, 0x92, 0x04, 0x48}, "gather whose mask is its index");
  text(k64, {0xc4, 0xe2, 0xed, 0x92, 0x04, 0x48}, "vgatherdpd ymm0,qword [rax+ymm1*2],ymm2");
  text(k32, {0xc5, 0x00}, "lds eax,fword [eax]");
  text(k32, {0xc5, 0xf8, 0x58, 0xc1}, "vaddps xmm0,xmm0,xmm1");
  text(k64, {0x0f, 0x6f, 0x01}, "movq mm0,qword [rcx]");
  text(k64, {0x4d, 0x0f, 0x6f, 0xc1}, "movq mm0,mm1");
  text(k64, {0xd9, 0xc9}, "fxch st(1)");
  text(k64, {0xdb, 0x2c, 0x24}, "fld tbyte [rsp]");
  text(k64, {0xdf, 0xe0}, "fnstsw ax");
  bad(k64, {0x66, 0xc5, 0xf8, 0x58, 0xc1}, "66 before VEX");
  bad(k64, {0x48, 0xc5, 0xf8, 0x58, 0xc1}, "REX before VEX");
  bad(k64, {0xf0, 0xc5, 0xf8, 0x58, 0xc1}, "LOCK before VEX");
  bad(k64, {0xc5, 0xf0, 0x28, 0xc1}, "VMOVAPS with vvvv");
  bad(k64, {0xc4, 0xe2, 0x79, 0x19, 0x01}, "VBROADCASTSD with L0");
  bad(k64, {0xd9, 0xd1}, "undefined x87");
  check(dec(k64, {0x66, 0x0f, 0x38, 0x20, 0x01}).inst.memory_bytes == 8, "PMOVSXBW reads 8 bytes");
  check(dec(k64, {0xc4, 0xe2, 0x7d, 0x22, 0x01}).inst.memory_bytes == 4, "VPMOVSXBQ ymm reads 4 bytes");
  check(dec(k64, {0x66, 0x0f, 0x3a, 0x20, 0x01, 0}).inst.memory_bytes == 1, "PINSRB reads 1 byte");
  check(dec(k64, {0x48, 0xff, 0x29}).inst.memory_bytes == 10, "JMP FAR m16:64 reads 10 bytes");
  check(dec(k64, {0x0f, 0xb6, 0x01}).inst.operand_bytes == 4, "MOVZX's operand size is the destination's");
  check(dec(k64, {0x00, 0x01}).inst.operand_bytes == 1, "byte ADD");
}

void flags() {
  auto of = [](std::initializer_list<u8> bytes) { return flags_of(dec(k64, bytes).inst); };
  check(of({0xc1, 0xe0, 0x00}).maybe == kAllFlags, "SHL by 0 keeps the flags");
  check(of({0xc1, 0xe0, 0x20}).maybe == kAllFlags, "SHL by 32 keeps the flags");
  check((of({0xc1, 0xe0, 0x03}).written & kCF) != 0, "SHL by 3 writes CF");
  check(of({0xd3, 0xe0}).maybe == kAllFlags, "SHL by CL may keep the flags");
  check((of({0xc1, 0xc0, 0x03}).written & kZF) == 0, "ROL leaves ZF");
}

// Translation time is boot time: keep an eye on the cost of one decode.
void speed() {
  constexpr u8 kCode[][8] = {
      {0x48, 0x89, 0xd8}, {0x8b, 0x44, 0x24, 8}, {0x48, 0x83, 0xc4, 8},          {0x0f, 0x84, 1, 2, 3, 4},
      {0xe8, 1, 2, 3, 4}, {0xf3, 0x0f, 0x10, 1}, {0x48, 0x8d, 0x05, 1, 2, 3, 4}, {0xc3}};
  Inst inst;
  u64 sum = 0;
  const auto start = std::chrono::steady_clock::now();
  constexpr unsigned kRounds = 200000;
  for (unsigned i = 0; i < kRounds; i++)
    for (const auto& code : kCode) {
      decode(code, 8, k64, inst);
      sum += inst.length;
    }
  const double ns =
      std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count() / (kRounds * 8.0);
  std::printf("decode: %.1f ns an instruction (checksum %llu)\n", ns, static_cast<unsigned long long>(sum));
}

}  // namespace

void run_cases() {
  prefixes();
  modes();
  vectors();
  flags();
  speed();
}

}  // namespace rz::test
