// Generates programs; see program.h. Control flow is structured so that nothing runs away: the main part, then
// functions that only later ones may call, each a row of steps; branches go forward except those that count down.
#include "program.h"

#include <cstring>

#include "values.h"

namespace rz::diff {
namespace {

constexpr unsigned kMaxFunctions = 3;
constexpr u64 kTableAt = kStackUsedAt;  // function addresses for indirect calls: the bottom of the stack's part
constexpr u8 kCx = 1, kSp = 4;

class Builder {
 public:
  Builder(const RowChoice& rows, Rng& rng, TestCase& test) : rows_(rows), rng_(rng), test_(test) {}

  bool build() {
    start_state();
    functions_ = rng_() % 3 ? 0 : 1 + rng_() % kMaxFunctions;
    for (unsigned& label : function_) label = new_label();
    end_ = new_label();
    region(0, 2 + rng_() % 16);
    if (functions_) branch({0xe9}, end_, near_bytes());
    for (unsigned i = 0; i < functions_; i++) {
      place(function_[i]);
      region(i + 1, 1 + rng_() % 6);
      raw(rng_() % 4 ? std::initializer_list<u8>{0xc3} : std::initializer_list<u8>{0xc2, 0, 0});
    }
    place(end_);
    return resolve() && decode_all(test_) && test_.insts.size() >= 2;
  }

 private:
  bool is64() const { return test_.size == CodeSize::k64; }
  unsigned word_bytes() const { return is64() ? 8 : test_.size == CodeSize::k32 ? 4 : 2; }
  unsigned near_bytes() const { return test_.size == CodeSize::k16 ? 2 : 4; }
  bool chance(unsigned one_in) { return rng_() % one_in == 0; }

  void start_state() {
    test_.code.clear();
    test_.insts.clear();
    random_state(rng_, test_.start);
    test_.code_at = kCodeAt + (chance(3) ? 0x1000 - rng_() % 96 : rng_() % 64);
    test_.start.rip = test_.code_at - code_base(test_.size);
    u64* g = test_.start.gpr;
    for (unsigned i = 0; i < 16 && !is64(); i++) g[i] = i < 8 ? static_cast<u32>(g[i]) : 0;
    const u64 data = data_base(test_.size);
    const unsigned pointers = is64() ? 1 + rng_() % 3 : 1;
    for (unsigned i = 0; i < pointers; i++) {
      const u8 r = free_register();
      pinned_.pointers |= static_cast<u16>(1u << r);
      u64 at = kScratchAt + 0x100 + rng_() % 0x1e00;
      if (chance(10)) at = kScratchAt + (chance(2) ? 0x2000 : 0x3000) - 64 + rng_() % 96;
      if (!chance(8)) at &= ~31ull;
      g[r] = at - data;
    }
    if (chance(2)) {
      pinned_.index = free_register();
      g[pinned_.index] = rng_() % 4 * 16;
    }
    counter_ = chance(4) ? kCx : free_register();
    pinned_.others |= static_cast<u16>(1u << counter_);
    inner_counter_ = free_register();
    pinned_.others |= static_cast<u16>(1u << inner_counter_);
    counts_big_ = chance(24);
    g[counter_] = counter_ == kCx ? 1 + rng_() % 9 : counts_big_ ? 300 + rng_() % 2500 : integer_value(rng_);
    if (!is64())
      g[counter_] = test_.size == CodeSize::k32 ? static_cast<u32>(g[counter_]) : static_cast<u16>(g[counter_]);
    g[kSp] = kStackUsedAt + kStackBytes - 0x80 - data;
  }

  // A register that no instruction writes without naming it, and that has no meaning yet.
  u8 free_register() {
    for (;;) {
      const u8 r = is64() ? static_cast<u8>(rng_() % 3 ? 8 + rng_() % 8 : 5 + rng_() % 3) : "\3\5\6\7"[rng_() % 4];
      if (!(pinned_.all() >> r & 1)) return r;
    }
  }
  u8 scratch_register() {  // may be written
    for (;;) {
      const u8 r = static_cast<u8>(rng_() % (is64() ? 16 : 8));
      if (!(pinned_.all() >> r & 1)) return r;
    }
  }

  // ---- bytes and labels
  size_t here() const { return test_.code.size(); }
  void raw(std::initializer_list<u8> bytes) { test_.code.insert(test_.code.end(), bytes); }
  void immediate(u64 value, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) test_.code.push_back(static_cast<u8>(value >> (8 * i)));
  }
  void rex(bool wide, u8 reg, u8 rm) {
    if (is64() && (wide || reg >= 8 || rm >= 8)) raw({static_cast<u8>(0x40 | wide << 3 | (reg >> 3) << 2 | rm >> 3)});
  }
  // Opcode with two register operands, or with an extension in `reg`.
  void registers(bool wide, u8 opcode, u8 reg, u8 rm) {
    rex(wide, reg, rm);
    raw({opcode, static_cast<u8>(0xc0 | (reg & 7) << 3 | (rm & 7))});
  }
  unsigned new_label() {
    labels_.push_back(~size_t{0});
    return static_cast<unsigned>(labels_.size() - 1);
  }
  void place(unsigned label) { labels_[label] = here(); }
  struct Fix {
    size_t at;  // of the field, which holds what is added to the label's address
    unsigned bytes, label;
    bool relative;  // to the end of the field
    size_t tail;    // bytes of the instruction after the field
  };
  void field(unsigned label, unsigned bytes, bool relative, u64 plus = 0, size_t tail = 0) {
    fixes_.push_back({here(), bytes, label, relative, tail});
    immediate(plus, bytes);
  }
  void branch(std::initializer_list<u8> opcode, unsigned label, unsigned bytes) {
    raw(opcode);
    field(label, bytes, true);
  }
  bool resolve() {
    const u64 base = test_.code_at - code_base(test_.size);
    for (const Fix& f : fixes_) {
      if (labels_[f.label] == ~size_t{0}) return false;
      u64 plus = 0;
      std::memcpy(&plus, &test_.code[f.at], f.bytes);
      u64 value = labels_[f.label] + plus;
      if (f.relative)
        value -= f.at + f.bytes + f.tail;
      else
        value += base;
      if (f.relative && f.bytes == 1 && static_cast<i64>(value) != static_cast<signed char>(value)) return false;
      for (unsigned i = 0; i < f.bytes; i++) test_.code[f.at + i] = static_cast<u8>(value >> (8 * i));
    }
    for (unsigned i = 0; i < functions_; i++) {
      const u64 at = base + labels_[function_[i]];
      std::memcpy(test_.start.stack + 8 * i, &at, 8);
    }
    return test_.code_at + test_.code.size() + 16 < kCodeAt + kCodeBytes;
  }

  // ---- steps
  void region(unsigned function, unsigned steps) {
    std::vector<std::pair<unsigned, unsigned>> ahead;  // labels of forward branches, and the step they stand before
    std::vector<size_t> begins;
    for (unsigned i = 0; i <= steps; i++) {
      for (const auto& [label, step] : ahead)
        if (step == i) place(label);
      if (i == steps) break;
      begins.push_back(here());
      const unsigned kind = rng_() % 32;
      if (kind < 4 && i + 1 < steps) {
        const unsigned label = new_label();
        ahead.push_back({label, i + 1 + static_cast<unsigned>(rng_() % (steps - i))});
        forward_branch(label);
      } else if (kind == 4) {
        loop_back(begins[rng_() % begins.size()], function != 0);
      } else if (kind == 5 && function < functions_) {
        call(function_[function + rng_() % (functions_ - function)], function);
      } else if (kind == 6) {
        stack_use();
      } else if (kind == 7 && test_.size != CodeSize::k16 && !counts_big_) {
        patch_code();
      } else if (kind == 8 && is64()) {
        strings();
      } else {
        plain();
      }
    }
    if (pending_patch_) patched_instruction();
  }

  void plain() {
    for (unsigned tries = 0; tries < 20; tries++) {
      const auto& from = rng_() % 8 < 3 ? rows_.flag_writers : rng_() % 4 == 0 ? rows_.flag_readers : rows_.all;
      if (generate_step(*from[rng_() % from.size()], rng_, pinned_, test_)) return;
    }
  }

  void forward_branch(unsigned label) {
    const bool is_short = chance(2);
    switch (rng_() % 8) {
      case 0: branch({static_cast<u8>(is_short ? 0xeb : 0xe9)}, label, is_short ? 1 : near_bytes()); break;
      case 1: branch({0xe3}, label, 1); break;  // JrCXZ
      case 2:
        if (pinned_.others >> kCx & 1) {
          branch({0x74}, label, 1);
          break;
        }
        branch({static_cast<u8>(0xe0 + rng_() % 3)}, label, 1);  // LOOPcc, forward
        break;
      case 3:
        if (test_.size == CodeSize::k16) {
          branch({0x75}, label, 1);
          break;
        }
        branch_register(label, 4);
        break;
      default: {
        const u8 cc = static_cast<u8>(rng_() % 16);
        if (is_short)
          branch({static_cast<u8>(0x70 | cc)}, label, 1);
        else
          branch({0x0f, static_cast<u8>(0x80 | cc)}, label, near_bytes());
      }
    }
  }

  // JMP (4) or CALL (2) through a register that was loaded with the label's address.
  void branch_register(unsigned label, u8 extension) {
    const u8 r = scratch_register();
    if (is64()) {
      rex(true, r, 0);
      raw({0x8d, static_cast<u8>((r & 7) << 3 | 5)});
      field(label, 4, true);
    } else {
      raw({static_cast<u8>(0xb8 | r)});
      field(label, 4, false);
    }
    registers(false, 0xff, extension, r);
  }

  // Either LOOP, once, or a counter of which only some low bits count, so that a loop entered again ends again. Two
  // loops may share a counter when neither runs inside the other.
  void loop_back(size_t target, bool in_function) {
    const unsigned label = new_label();
    labels_[label] = target;
    const bool near = here() - target > 100;
    if (in_function || (looped_ && target < loop_end_)) return inner_loop(label, near);
    if (looped_ && (counter_ == kCx || counts_big_)) return plain();
    if (counter_ == kCx && near) return plain();
    looped_ = true;
    if (counter_ == kCx) {
      branch({0xe2}, label, 1);
      loop_end_ = here();
      return;
    }
    if (counts_big_) {
      registers(is64(), 0x83, 5, counter_);  // sub counter, 1
      raw({1});
    } else {
      count_low_bits(counter_);
    }
    back_if_not_zero(label, near);
    loop_end_ = here();
  }
  void inner_loop(unsigned label, bool near) {
    if (inner_looped_) return plain();
    inner_looped_ = true;
    count_low_bits(inner_counter_);
    back_if_not_zero(label, near);
  }
  void count_low_bits(u8 counter) {
    registers(is64(), 0xff, 1, counter);  // dec counter
    registers(is64(), 0xf7, 0, counter);  // test counter, 3 or 7
    immediate(chance(2) ? 3 : 7, near_bytes());
  }
  void back_if_not_zero(unsigned label, bool near) {
    if (near)
      branch({0x0f, 0x85}, label, near_bytes());
    else
      branch({0x75}, label, 1);
  }

  void call(unsigned label, unsigned function) {
    switch (rng_() % 3) {
      case 0:
        if (test_.size == CodeSize::k16) break;
        branch_register(label, 2);
        return;
      case 1: {
        if (function) break;
        const unsigned slot = static_cast<unsigned>(rng_() % functions_);
        const u64 at = kTableAt + 8 * slot - data_base(test_.size);
        raw({0xff, static_cast<u8>(test_.size == CodeSize::k16 ? 0x16 : 0x15)});
        const u64 next = test_.code_at + here() + 4;
        immediate(is64() ? at - next : at, near_bytes());
        return;
      }
      default: break;
    }
    branch({0xe8}, label, near_bytes());
  }

  void stack_use() {
    const u8 from = static_cast<u8>(rng_() % (is64() ? 16 : 8)), to = scratch_register();
    switch (rng_() % 4) {
      case 0:  // PUSHF
        raw({0x9c});
        break;
      case 1: {  // POPF of arithmetic flags; interrupts stay enabled
        const u64 flags = (rng_() & (kArithmetic | (chance(4) ? kDirection : 0))) | 0x202;
        raw({0x68});
        immediate(flags, near_bytes());
        plain();
        raw({0x9d});
        return;
      }
      case 2: raw({0x6a, static_cast<u8>(rng_())}); break;
      default: rex(false, 0, from); raw({static_cast<u8>(0x50 | (from & 7))});
    }
    if (chance(2)) plain();
    rex(false, 0, to);
    raw({static_cast<u8>(0x58 | (to & 7))});
  }

  // A store over the immediate operand of an instruction further on, or of one that ran already (and runs again in a
  // loop).
  void patch_code() {
    if (patched_.empty() || chance(2)) {
      if (!pending_patch_) pending_patch_ = new_label();
      store_to(pending_patch_);
      if (chance(3)) patched_instruction();
    } else {
      store_to(patched_[rng_() % patched_.size()]);
    }
  }
  void store_to(unsigned label) {
    const unsigned offset = static_cast<unsigned>(rng_() % 4);
    if (offset == 0 && chance(2)) {
      raw({0xc7, 0x05});  // mov dword [label], imm32
      field(label, 4, is64(), 0, 4);
      immediate(integer_value(rng_), 4);
    } else if (chance(2)) {
      raw({0xc6, 0x05});  // mov byte [label + offset], imm8
      field(label, 4, is64(), offset, 1);
      raw({static_cast<u8>(rng_())});
    } else {
      raw({static_cast<u8>(chance(2) ? 0x00 : 0x88), 0x05});  // add or mov byte [label + offset], al
      field(label, 4, is64(), offset);
    }
  }
  void patched_instruction() {
    const u8 r = scratch_register();
    if (chance(2)) {
      rex(false, 0, r);
      raw({static_cast<u8>(0xb8 | (r & 7))});
    } else {
      registers(false, 0x81, static_cast<u8>(rng_() % 8), r);
    }
    const unsigned label = pending_patch_ ? pending_patch_ : new_label();
    pending_patch_ = 0;
    place(label);
    patched_.push_back(label);
    immediate(integer_value(rng_), 4);
  }

  // REP MOVS or STOS in the scratch pages.
  void strings() {
    constexpr u16 kUsed = 1 << 1 | 1 << 6 | 1 << 7;
    if (pinned_.all() & kUsed) return plain();
    raw({0xb9});
    immediate(rng_() % 24, 4);
    raw({0xbe});
    immediate(kScratchAt + 0x200 + rng_() % 0x2000, 4);
    raw({0xbf});
    immediate(kScratchAt + (chance(12) ? 0x1ff0 : 0x200 + rng_() % 0x1c00), 4);
    if (chance(4)) raw({static_cast<u8>(0xfc + rng_() % 2)});
    if (!chance(5)) raw({0xf3});
    if (chance(2)) raw({0x48});
    raw({static_cast<u8>("\xa4\xa5\xaa\xab"[rng_() % 4])});
  }

  const RowChoice& rows_;
  Rng& rng_;
  TestCase& test_;
  Pinned pinned_;
  u8 counter_ = kNoReg, inner_counter_ = kNoReg;
  bool counts_big_ = false, looped_ = false, inner_looped_ = false;
  size_t loop_end_ = 0;  // of the last loop of the main part
  unsigned functions_ = 0, function_[kMaxFunctions] = {}, end_ = 0, pending_patch_ = 0;
  std::vector<size_t> labels_{0};  // label 0 is none
  std::vector<Fix> fixes_;
  std::vector<unsigned> patched_;
};

}  // namespace

RowChoice::RowChoice(const std::vector<const Row*>& rows) {
  for (const Row* row : rows) {
    if (decimal_adjust(*row)) continue;  // what they do to undefined flags is not copied
    all.push_back(row);
    if (row->flags.written) flag_writers.push_back(row);
    if (row->flags.read) flag_readers.push_back(row);
  }
}

bool generate_program(const RowChoice& rows, Rng& rng, TestCase& out) { return Builder(rows, rng, out).build(); }

}  // namespace rz::diff
