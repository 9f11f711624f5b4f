// engine_segments_test: which bytes of a segment code may touch. Random segments (base, limit, expand-down, read-only,
// code, null, 16- and 32-bit stacks) under random accesses of 16- and 32-bit code in ring 3, near the limits above all.
// What comes of each is held against a model written from SDM, "Limit Checking" and "Type Checking": the exception and
// its error code, the bytes that were read or written, and that a fault changed nothing.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "../guests/engine_guest.h"

namespace {

using namespace rz;

constexpr u64 kIdtAt = 0x2000, kTssAt = 0x1200, kStack = 0x7000, kCode = 0xa000, kMemory = 0x100000;
constexpr u64 kGeneral = 0x9100, kStackFault = 0x9110, kDone = 0x9120, kOther = 0x9130;  // handlers
constexpr u64 kMemoryEnd = guests::kRamBytes - 64;
constexpr u8 kEs = 0x26, kDs = 0x3e, kFs = 0x64, kGs = 0x65, kSs = 0x36;

enum class How : u8 { kOperand, kPush, kPop, kLods, kStos };

struct Kind {
  const char* name;
  How how;
  std::initializer_list<u8> opcode;
  u8 reg;  // of ModRM
  unsigned bytes;
  bool read, write;
  bool word = false, lock = false;
};
const Kind kKinds[] = {
    {"mov edx,m", How::kOperand, {0x8b}, 2, 4, true, false},
    {"mov m,edx", How::kOperand, {0x89}, 2, 4, false, true},
    {"add m,edx", How::kOperand, {0x01}, 2, 4, true, true},
    {"cmp m,edx", How::kOperand, {0x39}, 2, 4, true, false},
    {"mov dl,m", How::kOperand, {0x8a}, 2, 1, true, false},
    {"mov m,dl", How::kOperand, {0x88}, 2, 1, false, true},
    {"mov dx,m", How::kOperand, {0x8b}, 2, 2, true, false, true},
    {"mov m,dx", How::kOperand, {0x89}, 2, 2, false, true, true},
    {"movzx edx,word m", How::kOperand, {0x0f, 0xb7}, 2, 2, true, false},
    {"movups xmm0,m", How::kOperand, {0x0f, 0x10}, 0, 16, true, false},
    {"movups m,xmm0", How::kOperand, {0x0f, 0x11}, 0, 16, false, true},
    {"lock cmpxchg8b m", How::kOperand, {0x0f, 0xc7}, 1, 8, true, true, false, true},
    {"fnstcw m", How::kOperand, {0xd9}, 7, 2, false, true},
    {"bts m,edx", How::kOperand, {0x0f, 0xab}, 1, 4, true, true},  // by ECX, which is 0
    {"push edx", How::kPush, {0x52}, 0, 4, false, true},
    {"push dx", How::kPush, {0x52}, 0, 2, false, true, true},
    {"pop edx", How::kPop, {0x5a}, 0, 4, true, false},
    {"pop dx", How::kPop, {0x5a}, 0, 2, true, false, true},
    {"lodsd", How::kLods, {0xad}, 0, 4, true, false},
    {"stosd", How::kStos, {0xab}, 0, 4, false, true},
    {"rep stosb", How::kStos, {0xf3, 0xaa}, 0, 1, false, true},  // once
};

/// The model: the bytes offset .. offset + bytes - 1 of the segment may be touched in this way.
bool allowed(const Segment& s, u64 offset, const Kind& kind) {
  if (!(s.attributes & 0x80)) return false;
  const bool code = s.attributes & 8;
  if (kind.write && (code || !(s.attributes & 2))) return false;
  if (kind.read && code && !(s.attributes & 2)) return false;
  const u64 last = offset + kind.bytes - 1;
  if (!code && (s.attributes & 4))
    return offset > s.limit && last <= (s.attributes & 0x400 ? 0xffffffffull : 0xffffull);
  return last <= s.limit;
}

class Test {
 public:
  explicit Test(u64 seed) : rng_(seed), seed_(seed), guest_(EngineOptions{}, "x86-64-v2"), v_(guest_.vcpu()) {}

  unsigned passed = 0, failed = 0, faults = 0;

  bool run(unsigned cases) {
    if (!guest_.good) return false;
    set_up();
    for (unsigned n = 0; passed + failed < cases && failed < 10; n++) one(n);
    return true;
  }

 private:
  bool chance(unsigned one_in) { return rng_() % one_in == 0; }
  u8* ram(u64 at) { return guest_.ram + at; }
  void put(u64 at, u32 value) { memcpy(ram(at), &value, 4); }
  u32 get(u64 at) {
    u32 value;
    memcpy(&value, ram(at), 4);
    return value;
  }

  void set_up() {
    guests::Program nothing;
    nothing.start = guests::StartMode::kProtected32;
    set_state(v_, guests::prepare(nothing, guest_.ram));
    for (const u64 at : {kGeneral, kStackFault, kDone, kOther})
      memcpy(ram(at), "\xe6\xf4\xeb\xfe", 4);  // out F4h,al; jmp $
    for (unsigned vector = 0; vector <= 0x30; vector++) {
      const u64 to = vector == kGP ? kGeneral : vector == kSSx ? kStackFault : vector == 0x30 ? kDone : kOther;
      put(kIdtAt + 8 * vector, static_cast<u32>(to) | 0x18 << 16);
      put(kIdtAt + 8 * vector + 4, 0xee00);
    }
    v_.idtr = {kIdtAt, 0x30 * 8 + 7};
    put(kTssAt + 4, kStack);
    put(kTssAt + 8, 0x10);
    v_.tr.selector = 0xf0;
    v_.tr.base = kTssAt;
    v_.tr.limit = 0x67;
  }

  Segment random_segment(bool stack) {
    Segment s{};
    s.selector = 0x3b;
    static constexpr u16 kTypes[] = {0xf1, 0xf3, 0xf3, 0xf3, 0xf5, 0xf7, 0xf7, 0xf9, 0xfb, 0xff, 0};
    s.attributes = stack ? (chance(2) ? 0xf3 : 0xf7) : kTypes[rng_() % std::size(kTypes)];
    if (s.attributes == 0) s.selector = 0;
    if (chance(2)) s.attributes |= 0x400;
    const bool down = (s.attributes & 0xc) == 4;
    static constexpr u32 kLimits[] = {0,      1,      3,      0xf,     0x10,    0xfff,   0x1000,
                                      0x7ffe, 0xfffe, 0xffff, 0x10000, 0x1ffff, 0x2fffff};
    s.limit = chance(2) ? kLimits[rng_() % std::size(kLimits)] : static_cast<u32>(rng_() % 0x20000);
    if (!down && chance(6)) s.limit = 0xffffffff;
    if (down && chance(3)) s.limit = static_cast<u32>(0 - (rng_() % 0x20000 + 1));  // only the top, with a wide B
    s.base = chance(4) ? 0 : kMemory + rng_() % 0x100000;
    if (down && (s.attributes & 0x400) && s.limit >= 0x80000000) s.base = kMemory + 0x80000 + rng_() % 0x10000;
    return s;
  }

  u64 random_offset(const Segment& s, bool narrow) {
    const u64 around[] = {0, s.limit, 0xffff, 0x10000, 0xffffffff, kMemory - s.base, rng_() % 0x20000};
    u64 offset = around[rng_() % std::size(around)] + rng_() % 40 - 20;
    if (s.base == 0 && chance(2)) offset = kMemory + rng_() % 0x10000;
    return narrow ? offset & 0xffff : offset & 0xffffffff;
  }

  void one(unsigned n) {
    const Kind& kind = kKinds[rng_() % std::size(kKinds)];
    const bool code16 = chance(2), stack_op = kind.how == How::kPush || kind.how == How::kPop;
    const bool narrow_address = chance(2);
    static constexpr u8 kOverrides[] = {kDs, kFs, kGs, kEs, kSs}, kNumbers[] = {kDS, kFS, kGS, kES, kSS};
    unsigned which = static_cast<unsigned>(rng_() % 5);
    if (stack_op) which = 4;
    if (kind.how == How::kStos) which = 3;
    const u8 number = kNumbers[which];
    const Segment s = random_segment(number == kSS);
    const bool narrow = stack_op ? !(s.attributes & 0x400) : narrow_address;
    const u64 offset = random_offset(s, narrow);
    const u64 linear = (s.base + offset) & 0xffffffff;
    const bool may = allowed(s, offset, kind);
    if (offset + kind.bytes - 1 > 0xffffffff && s.limit == 0xffffffff) return;  // left to the processor
    if (may && (linear < kMemory || linear + kind.bytes > kMemoryEnd)) return;

    // prefixes, opcode, ModRM; int 30h
    const u64 at = kCode + (rng_() % 64) * 0x20;
    u8 code[16];
    unsigned bytes = 0;
    if (kind.lock) code[bytes++] = 0xf0;
    if (!stack_op && kind.how != How::kStos) code[bytes++] = kOverrides[which];
    if (kind.word != code16) code[bytes++] = 0x66;
    if (!stack_op && narrow_address != code16) code[bytes++] = 0x67;
    for (const u8 byte : kind.opcode) code[bytes++] = byte;
    if (kind.how == How::kOperand)
      code[bytes++] = static_cast<u8>(kind.reg << 3 | (narrow_address ? 7 : 3));  // [(E)BX]
    code[bytes++] = 0xcd;
    code[bytes++] = 0x30;
    if (memcmp(ram(at), code, bytes) != 0) {
      memcpy(ram(at), code, bytes);
      code_invalidate(guest_.machine(), at, bytes);
    }

    u8 before[16] = {};
    const bool inside = linear >= kMemory && linear + 16 <= kMemoryEnd;
    if (inside) {
      for (unsigned i = 0; i < 16; i++) *ram(linear + i) = static_cast<u8>(rng_());
      memcpy(before, ram(linear), 16);
    }
    for (const u8 seg : {kES, kSS, kDS, kFS, kGS}) v_.seg[seg] = flat(0x3b, 0xcf3);
    v_.seg[number] = s;
    v_.seg[kCS] = code16 ? flat(0x33, 0x0fb) : flat(0x33, 0xcfb);
    if (code16) v_.seg[kCS].limit = 0xffff;
    v_.cpl = 3;
    v_.rflags = 2;
    constexpr u32 kValue = 0x55667788;
    const u32 high = narrow ? 0xabcd0000 : 0;  // not looked at
    const u32 pointer = static_cast<u32>(offset) | high;
    for (u64& r : v_.regs) r = 0;
    v_.regs[1] = kind.how == How::kStos ? 1 : 0;
    v_.regs[2] = kValue;
    v_.regs[0] = kValue;
    v_.regs[3] = v_.regs[6] = v_.regs[7] = pointer;
    v_.regs[4] = kind.how == How::kPush
                     ? (narrow ? high | ((offset + kind.bytes) & 0xffff) : static_cast<u32>(offset + kind.bytes))
                 : kind.how == How::kPop ? pointer
                                         : 0x6000;
    if (kind.lock) v_.regs[0] = v_.regs[2] = 0;  // does not compare
    const u32 sp = static_cast<u32>(v_.regs[4]);
    refresh_segments(v_);
    refresh_mode(v_);
    guest_.go_on();
    v_.attention.fetch_and(~u32{kAttnStop});
    v_.rip = at;
    const auto wrong = [&](const char* what, u64 got = 0, u64 want = 0) {
      failed++;
      std::printf("FAILED --seed %llu case %u: %s, %u-bit code, %s: %s (%llx, should be %llx)\n",
                  static_cast<unsigned long long>(seed_), n, kind.name, code16 ? 16 : 32,
                  narrow ? "16-bit address" : "32-bit address", what, static_cast<unsigned long long>(got),
                  static_cast<unsigned long long>(want));
      std::printf("  segment %u attributes %x base %llx limit %x, offset %llx, rip %llx\n", number, s.attributes,
                  static_cast<unsigned long long>(s.base), s.limit, static_cast<unsigned long long>(offset),
                  static_cast<unsigned long long>(v_.rip));
    };
    if (rz::run(v_) != RunExit::kStopped || guest_.end() != guests::End::kDone) return wrong("it ended");
    const u64 handler = v_.rip & ~0xfull;
    const u64 fault = number == kSS ? kStackFault : kGeneral;
    if (handler != (may ? kDone : fault)) return wrong("where it ended", handler, may ? kDone : fault);
    const u64 frame = v_.regs[4] + (may ? 0 : 4);
    if (!may) {
      faults++;
      if (get(v_.regs[4]) != 0) return wrong("error code", get(v_.regs[4]), 0);
      if (get(frame) != at) return wrong("EIP", get(frame), at);
      if (get(frame + 12) != sp) return wrong("ESP after a fault", get(frame + 12), sp);
      if (!kind.lock && static_cast<u32>(v_.regs[2]) != kValue) return wrong("EDX after a fault", v_.regs[2], kValue);
      if (inside && memcmp(before, ram(linear), 16) != 0) return wrong("memory after a fault");
      passed++;
      return;
    }
    if (stack_op) {
      const u64 moved = sp + (kind.how == How::kPush ? 0 - u64{kind.bytes} : kind.bytes);
      const u32 want = narrow ? (sp & 0xffff0000) | (moved & 0xffff) : static_cast<u32>(moved);
      if (get(frame + 12) != want) return wrong("ESP", get(frame + 12), want);
    }
    if (inside && (kind.how == How::kPop || (kind.read && !kind.write && kind.opcode.size() == 1 && kind.reg == 2 &&
                                             kind.opcode.begin()[0] != 0x39))) {
      u32 want = kValue;
      memcpy(&want, before, kind.bytes);
      if (static_cast<u32>(v_.regs[2]) != want) return wrong("what was read", v_.regs[2], want);
    }
    if (inside && kind.write && !kind.read && kind.bytes <= 4 && kind.reg != 7) {
      if (memcmp(ram(linear), &kValue, kind.bytes) != 0) return wrong("what was written", get(linear), kValue);
      if (memcmp(ram(linear) + kind.bytes, before + kind.bytes, 16 - kind.bytes) != 0) return wrong("bytes behind it");
    }
    passed++;
  }

  static Segment flat(u16 selector, u16 attributes) {
    Segment s{};
    s.selector = selector;
    s.attributes = attributes;
    s.limit = 0xffffffff;
    return s;
  }

  std::mt19937_64 rng_;
  u64 seed_;
  Guest guest_;
  Vcpu& v_;
};

}  // namespace

int main(int argc, char** argv) {
  u64 seed = 1;
  unsigned cases = 60000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--seed")
      seed = std::strtoull(argv[i + 1], nullptr, 0);
    else if (std::string(argv[i]) == "--cases")
      cases = static_cast<unsigned>(std::atoi(argv[i + 1]));
  }
  Test test(seed);
  if (!test.run(cases)) {
    std::printf("FAILED: a machine\n");
    return 2;
  }
  std::printf("%u of the accesses fault\n", test.faults);
  std::printf("%u passed, %u failed\n", test.passed, test.failed);
  return test.failed ? 1 : 0;
}
