// Generates loops; see loops.h. One loop in one outer loop; walkers are registers that only the loop's own steps
// change, so that accesses through them can share checks over several turns.
#include "loops.h"

#include <cstdlib>
#include <cstring>

#include "values.h"

namespace rz::diff {
namespace {

constexpr unsigned kMostWalkers = 3, kPatchBytes = 10, kMostPatches = 4;
constexpr unsigned kMostRounds = 3;  // of the outer loop
constexpr u32 kMostWalk =
    0xa000;  // bytes in all: no walker gets to the stack, or to code, where the host has bytes of its own
constexpr i32 kIndexStep = 8;
constexpr u8 kSp = 4;

/// Opcodes of accesses with a ModRM operand, after the prefix (0: none) and, with `escape`, 0Fh.
struct Access {
  u8 prefix;
  bool wide, escape;
  u8 opcode, extension;  // extension: of ModRM.reg; FFh: a register
  u8 imm_bytes;
  bool vector, aligned = false;
};
constexpr Access kAccesses[] = {
    {0, true, false, 0x8b, 0xff, 0, false},
    {0, true, false, 0x89, 0xff, 0, false},  // MOV
    {0, false, false, 0x8b, 0xff, 0, false},
    {0, false, false, 0x89, 0xff, 0, false},  //
    {0, false, false, 0x8a, 0xff, 0, false},
    {0, false, false, 0x88, 0xff, 0, false},  //
    {0x66, false, false, 0x89, 0xff, 0, false},
    {0, false, true, 0xb6, 0xff, 0, false},  // and MOVZX
    {0, true, false, 0x03, 0xff, 0, false},
    {0, true, false, 0x01, 0xff, 0, false},  // ADD
    {0, false, false, 0x13, 0xff, 0, false},
    {0, false, false, 0x11, 0xff, 0, false},  // ADC
    {0, true, false, 0x3b, 0xff, 0, false},
    {0, false, false, 0x38, 0xff, 0, false},  // CMP
    {0, true, false, 0x31, 0xff, 0, false},
    {0, false, false, 0x85, 0xff, 0, false},  // XOR, TEST
    {0, false, false, 0xff, 0, 0, false},
    {0, true, false, 0xf7, 3, 0, false},  // INC, NEG
    {0, true, false, 0xc7, 0, 4, false},
    {0, false, false, 0xc6, 0, 1, false},  // MOV immediate
    {0, true, false, 0x87, 0xff, 0, false},
    {0xf0, false, false, 0x01, 0xff, 0, false},  // XCHG, LOCK ADD
    {0, false, true, 0xb1, 0xff, 0, false},
    {0, true, true, 0xc3, 0xff, 0, false},  // CMPXCHG, MOVNTI
    {0, true, true, 0x44, 0xff, 0, false},
    {0, false, true, 0x9f, 0, 0, false},  // CMOVZ, SETG
    {0, false, true, 0x10, 0xff, 0, true},
    {0, false, true, 0x11, 0xff, 0, true},  // MOVUPS
    {0xf3, false, true, 0x6f, 0xff, 0, true},
    {0xf3, false, true, 0x7f, 0xff, 0, true},  // MOVDQU
    {0x66, false, true, 0xfe, 0xff, 0, true, true},
    {0x66, false, true, 0xd6, 0xff, 0, true},  // PADDD, MOVQ
    {0xf2, false, true, 0x58, 0xff, 0, true},
    {0, false, true, 0x29, 0xff, 0, true, true},  // ADDSD, MOVAPS
};

class LoopBuilder {
 public:
  LoopBuilder(const RowChoice& rows, Rng& rng, TestCase& test) : rows_(rows), rng_(rng), test_(test) {}

  bool build() {
    start_state();
    const size_t outer = here();
    raw({0x41, static_cast<u8>(0xb8 | (counter_ & 7))});
    immediate(turns_, 4);
    for (unsigned i = chance(3) ? 1 : 0; i > 0; i--) plain();
    loop();
    for (size_t at : exits_) land(at);
    if (chance(2)) plain();
    registers(0xff, 1, outer_);  // dec
    branch_back(0x75, outer);
    if (chance(2)) plain();
    return fits_ && test_.code_at + here() + 16 < kCodeAt + kCodeBytes && decode_all(test_) && test_.insts.size() >= 4;
  }

 private:
  bool chance(unsigned one_in) { return rng_() % one_in == 0; }

  void start_state() {
    test_.code.clear();
    test_.insts.clear();
    random_state(rng_, test_.start);
    test_.code_at = kCodeAt + (chance(3) ? 0x1000 - rng_() % 160 : rng_() % 64);
    test_.start.rip = test_.code_at;
    counter_ = 15;
    outer_ = 14;
    pinned_.others |= static_cast<u16>(1u << counter_ | 1u << outer_);
    turns_ = static_cast<u32>(chance(8) ? 100 + rng_() % 900 : 1 + rng_() % 20);
    test_.start.gpr[outer_] = 1 + rng_() % kMostRounds;
    test_.start.gpr[kSp] = kStackUsedAt + kStackBytes - 0x80;
    patches_ = chance(6) ? 2 + static_cast<unsigned>(rng_() % (kMostPatches - 1)) : 0;
    if (patches_) {  // the walker passes each field once
      turns_ = 1 + static_cast<u32>(rng_() % patches_);
      test_.start.gpr[outer_] = 1;
      patcher_ = free_register();
      pinned_.others |= static_cast<u16>(1u << patcher_);
      down_ = chance(2);
    }
    const unsigned walkers = 1 + static_cast<unsigned>(rng_() % kMostWalkers);
    for (unsigned i = 0; i < walkers; i++) {
      const u8 r = free_register();
      walker_[walkers_] = r;
      step_[walkers_++] = step();
      pinned_.pointers |= static_cast<u16>(1u << r);
      test_.start.gpr[r] = beginning();
      bound(static_cast<u32>(std::abs(step_[i])));
    }
    if (chance(3)) {
      pinned_.index = free_register();
      test_.start.gpr[pinned_.index] = rng_() % 8 * 8;
      index_walks_ = chance(2);
      if (index_walks_) bound(kIndexStep * 8);
    }
  }
  void bound(u32 step) {
    if (step * turns_ * kMostRounds > kMostWalk) turns_ = kMostWalk / kMostRounds / step;
  }

  i32 step() {
    static constexpr i32 kSteps[] = {1, 2, 4, 8, 8, 8, 16, 16, 32, 64, 3, 24, 128, 512, 4096, 0};
    const i32 s = kSteps[rng_() % std::size(kSteps)];
    return chance(3) ? -s : s;
  }
  /// Where a walker begins: anywhere, or so that it meets the end of a page, of what may be written, or of everything
  /// soon.
  u64 beginning() {
    static constexpr u64 kEnds[] = {0, 0x1000, 0x1000, 0x2000, 0x3000};
    u64 at = kScratchAt + 0x400 + rng_() % 0x1800;
    if (chance(2)) at = kScratchAt + kEnds[rng_() % std::size(kEnds)] - 160 + rng_() % 320;
    return chance(3) ? at : at & ~15ull;
  }
  u8 free_register() {
    for (;;) {
      const u8 r = static_cast<u8>("\3\5\6\7\10\11\12\13\14\15"[rng_() % 10]);
      if (!(pinned_.all() >> r & 1)) return r;
    }
  }
  u8 any_register() {  // may be written
    for (;;) {
      const u8 r = static_cast<u8>(rng_() % 16);
      if (!(pinned_.all() >> r & 1)) return r;
    }
  }

  // ---- bytes
  size_t here() const { return test_.code.size(); }
  void raw(std::initializer_list<u8> bytes) { test_.code.insert(test_.code.end(), bytes); }
  void immediate(u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) test_.code.push_back(static_cast<u8>(value >> (8 * i)));
  }
  // A 64-bit instruction with an opcode extension and a register.
  void registers(u8 opcode, u8 extension, u8 rm) {
    raw({static_cast<u8>(0x48 | rm >> 3), opcode, static_cast<u8>(0xc0 | extension << 3 | (rm & 7))});
  }
  void branch_back(u8 opcode, size_t target) {
    const i64 distance = static_cast<i64>(target) - static_cast<i64>(here());
    if (distance - 2 >= -128) {
      raw({opcode, static_cast<u8>(distance - 2)});
    } else {
      raw({0x0f, static_cast<u8>(opcode + 0x10)});
      immediate(static_cast<u64>(distance - 6), 4);
    }
  }
  // A conditional branch forward, to be landed later; near, so that it reaches.
  size_t branch_ahead() {
    raw({0x0f, static_cast<u8>(0x80 | rng_() % 16)});
    immediate(0, 4);
    return here();
  }
  void land(size_t after) {
    const u32 distance = static_cast<u32>(here() - after);
    std::memcpy(&test_.code[after - 4], &distance, 4);
  }

  // ---- the loop
  void loop() {
    const size_t top = here();
    const unsigned items = 1 + static_cast<unsigned>(rng_() % 6);
    bool moved[kMostWalkers] = {}, patched = false;
    size_t skip = 0;
    for (unsigned i = 0; i < items; i++) {
      for (unsigned w = 0; w < walkers_; w++)
        if (!moved[w] && chance(4)) moved[w] = move(walker_[w], step_[w]);
      if (patches_ && !patched && chance(2)) patched = patch();
      const size_t skipped = skip;
      skip = 0;
      if (chance(6)) exits_.push_back(branch_ahead());
      if (i + 1 < items && chance(8)) skip = branch_ahead();
      if (chance(3))
        plain();
      else if (chance(10))
        stack();
      else
        access();
      if (skipped) land(skipped);
    }
    if (skip) land(skip);
    if (patches_ && !patched) patch();
    for (unsigned w = 0; w < walkers_; w++)
      if (!moved[w]) move(walker_[w], step_[w]);
    if (index_walks_) move(pinned_.index, kIndexStep);
    if (chance(2))
      registers(0xff, 1, counter_);  // dec
    else
      registers(0x83, 5, counter_), raw({1});  // sub 1
    branch_back(0x75, top);
  }

  bool move(u8 r, i32 by) {
    const bool small = by >= -128 && by < 128;
    switch (rng_() % 4) {
      case 0:  // lea r, [r + by]
        raw({static_cast<u8>(0x48 | (r >> 3) << 2 | r >> 3), 0x8d, static_cast<u8>(0x80 | (r & 7) << 3 | (r & 7))});
        if ((r & 7) == 4) raw({0x24});
        immediate(static_cast<u32>(by), 4);
        break;
      case 1:
        if (by == 1 || by == -1) {
          registers(0xff, by < 0, r);
          break;
        }
        [[fallthrough]];
      default: {
        const bool minus = chance(3);
        const i32 value = minus ? -by : by;
        registers(small && value < 128 ? 0x83 : 0x81, minus ? 5 : 0, r);
        immediate(static_cast<u32>(value), small && value < 128 ? 1 : 4);
      }
    }
    return true;
  }

  void access() {
    const unsigned walker = static_cast<unsigned>(rng_() % walkers_);
    const u8 base = walker_[walker];
    const bool even = step_[walker] % 16 == 0 && test_.start.gpr[base] % 16 == 0;
    const Access* chosen = &kAccesses[rng_() % std::size(kAccesses)];
    while (chosen->aligned && !even && !chance(16)) chosen = &kAccesses[rng_() % std::size(kAccesses)];
    const Access& a = *chosen;
    const u8 index = pinned_.index != kNoReg && !a.aligned && chance(2) ? pinned_.index : kNoReg;
    const u8 reg = a.extension != 0xff ? a.extension : a.vector ? static_cast<u8>(rng_() % 16) : any_register();
    if (a.prefix) raw({a.prefix});
    const u8 high_index = index != kNoReg && index >= 8 ? 2 : 0;
    raw({static_cast<u8>(0x40 | a.wide << 3 | (reg >> 3) << 2 | high_index | base >> 3)});
    if (a.escape) raw({0x0f});
    raw({a.opcode});
    const bool sib = index != kNoReg || (base & 7) == 4;
    i32 displacement = chance(3) ? 0 : static_cast<i32>(rng_() % 96) - 32;
    if (a.aligned) displacement &= ~15;
    raw({static_cast<u8>(0x40 | (reg & 7) << 3 | (sib ? 4 : base & 7))});
    if (sib) raw({static_cast<u8>((index == kNoReg ? 0x20 : (rng_() % 4) << 6 | (index & 7u) << 3) | (base & 7))});
    raw({static_cast<u8>(displacement)});
    if (a.imm_bytes) immediate(rng_(), a.imm_bytes);
  }

  void stack() {
    const u8 from = any_register(), to = any_register();
    if (from >= 8) raw({0x41});
    raw({static_cast<u8>(0x50 | (from & 7))});
    if (chance(2)) access();
    if (to >= 8) raw({0x41});
    raw({static_cast<u8>(0x58 | (to & 7))});
  }

  // A store through the patching walker, then loads of 64-bit immediates, one of which it hits in each turn.
  bool patch() {
    const bool late = chance(2);
    if (!late) patching_store();
    const u8 into = any_register();
    const size_t first = here() + 2;
    for (unsigned i = 0; i < patches_; i++) {
      raw({static_cast<u8>(0x48 | into >> 3), static_cast<u8>(0xb8 | (into & 7))});
      immediate(integer_value(rng_), 8);
    }
    if (late) patching_store();
    const size_t at = down_ ? first + (patches_ - 1) * kPatchBytes : first;
    test_.start.gpr[patcher_] = test_.code_at + at + rng_() % 4;
    move(patcher_, down_ ? -i32{kPatchBytes} : i32{kPatchBytes});
    return true;
  }
  void patching_store() {
    const u8 reg = any_register();
    const bool byte = chance(2);
    raw({static_cast<u8>(0x40 | (reg >> 3) << 2 | patcher_ >> 3), static_cast<u8>(byte ? 0x88 : 0x89),
         static_cast<u8>(0x40 | (reg & 7) << 3 | (patcher_ & 7))});
    if ((patcher_ & 7) == 4) raw({0x24});
    raw({0});
  }

  void plain() {
    for (unsigned tries = 0; tries < 20; tries++) {
      const auto& from = rng_() % 4 == 0 ? rows_.flag_readers : rng_() % 2 ? rows_.flag_writers : rows_.all;
      if (generate_step(*from[rng_() % from.size()], rng_, pinned_, test_)) return;
    }
    fits_ = false;
  }

  const RowChoice& rows_;
  Rng& rng_;
  TestCase& test_;
  Pinned pinned_;
  u8 counter_ = kNoReg, outer_ = kNoReg, patcher_ = kNoReg;
  u8 walker_[kMostWalkers] = {};
  i32 step_[kMostWalkers] = {};
  unsigned walkers_ = 0, patches_ = 0;
  u32 turns_ = 1;
  bool index_walks_ = false, down_ = false, fits_ = true;
  std::vector<size_t> exits_;
};

}  // namespace

bool generate_loop(const RowChoice& rows, Rng& rng, TestCase& out) {
  out.size = CodeSize::k64;
  return LoopBuilder(rows, rng, out).build();
}

}  // namespace rz::diff
