// Walks a piece of emitted code along every path until nothing new is learned. See verify.h.
#include "verify.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../cpu/vcpu.h"
#include "../decode/disassemble.h"
#include "../run/host_fpu.h"
#include "step.h"
#include "thunks.h"

namespace rz {
namespace verify {
namespace {

class Walker {
 public:
  Walker(const CodeCache& code, const EmittedCode& piece) : code_(code), piece_(piece) {
    label_at_.resize(piece.end - piece.begin, kNone);
  }

  Violation run() {
    for (u32 entry : piece_.entry) {
      State unknown;
      unknown.forget_all(entry - piece_.begin);
      if (!arrive(entry, unknown, entry)) return bad_;
    }
    while (!waiting_.empty()) {
      const u32 label = waiting_.back();
      waiting_.pop_back();
      labels_[label].queued = false;
      if (!walk(labels_[label].offset, labels_[label].state)) return bad_;
    }
    return {};
  }

 private:
  static constexpr u32 kNone = ~0u;
  struct Label {
    u32 offset;
    State state;
    unsigned merges = 0;
    bool queued = true;
  };

  bool refuse(u32 offset, const char* reason) {
    bad_ = {reason, offset};
    return false;
  }

  /// Control comes to `offset` knowing `state`.
  bool arrive(u32 offset, const State& state, u32 from) {
    if (offset < piece_.begin || offset >= piece_.end) return refuse(from, "a branch out of the piece");
    u32& at = label_at_[offset - piece_.begin];
    if (at == kNone) {
      at = static_cast<u32>(labels_.size());
      labels_.push_back({offset, state});
      waiting_.push_back(at);
      return true;
    }
    Label& label = labels_[at];
    if (!label.state.merge(state, offset - piece_.begin, ++label.merges)) return true;
    if (!label.queued) {
      label.queued = true;
      waiting_.push_back(at);
    }
    return true;
  }

  /// A jump to `target`, which lies in the piece or is a thunk.
  bool branch(u32 from, u32 target, State state) {
    if (target >= piece_.begin && target < piece_.end) return arrive(target, state, from);
    ThunkRule space;
    const ThunkRule* thunk = find_thunk(target, space);
    if (!thunk) return refuse(from, "a branch out of the piece");
    if (const char* why = check_thunk(code_, piece_, state, *thunk)) return refuse(from, why);
    if (thunk->after == After::kLeaves) return true;
    const u32 back = piece_.begin + static_cast<u32>(state.slot[kT1].lo);
    come_back(state, *thunk, back - piece_.begin);
    return arrive(back, state, from);
  }

  /// What a condition on the last comparison says when it holds.
  static void learn(State& s, unsigned condition) {
    const Compared& c = s.compared;
    if (c.slot == 0xff) return;
    if (c.limit) {
      s.learn_limit(condition);
      return;
    }
    if (c.tag) {
      Value& table = s.slot[c.slot];
      if (condition != cE || table.kind != Kind::kTlb) return;
      const u32 field = c.at & (sizeof(TlbEntry) - 1);
      if (field != offsetof(TlbEntry, read_tag) && field != offsetof(TlbEntry, write_tag)) return;
      if ((c.with & (kPageBytes - 1)) || c.with == tlb_invalid(c.at >> kTlbEntryShift)) return;
      if (tlb_index(c.with) != c.at >> kTlbEntryShift) return;
      table.known = true;
      table.write = field == offsetof(TlbEntry, write_tag);
      table.base = c.at - field;
      table.offset = c.with;
      return;
    }
    if (c.room) {
      Value& v = s.slot[c.slot];
      if (condition == cB && v.kind == Kind::kRecalled && v.of == c.with) v.hi = 0;
      return;
    }
    u64 most;
    if (condition == cBE)
      most = c.with;
    else if (condition == cB && c.with)
      most = c.with - 1;
    else
      return;
    Value& v = s.slot[c.slot];
    if (!c.wide && v.hi > 0xffffffff) return;
    if ((v.kind == Kind::kXor || v.kind == Kind::kNumber) && most < v.hi) v.hi = most;
    if (v.kind == Kind::kNumber && v.lo > v.hi) v.lo = 0;
  }

  /// A load of guest bytes that the block declares soft (translate/patched_immediate.cpp): the one absolute address
  /// there is.
  bool patched_immediate(State& s, const Inst& inst, u32 at) const {
    if (inst.row->map != Map::kOne || inst.opcode != 0x8b || !inst.has_memory || inst.base == kNoReg) return false;
    if (inst.index != kNoReg || inst.seg_override != kNoReg || inst.has_67 || !s.slot[inst.base].is_constant())
      return false;
    const Block& block = code_.block(piece_.block);
    for (unsigned i = 0; i < block.soft_count; i++) {
      const u64 host = reinterpret_cast<u64>(code_.soft_host(block, i));
      if (host != s.slot[inst.base].lo + static_cast<u64>(static_cast<i64>(inst.disp))) continue;
      if (inst.operand_bytes != block.soft[i].bytes) return false;
      s.define(inst.reg, at);
      return true;
    }
    return false;
  }

  /// From `offset` to the end of the path, or to where another begins that knows as much.
  bool walk(u32 offset, State s) {
    for (bool first = true;; first = false) {
      if (offset >= piece_.end) return refuse(offset, "a path that runs out of the piece");
      if (!first && label_at_[offset - piece_.begin] != kNone) return arrive(offset, s, offset);
      Inst inst;
      const u32 room = piece_.end - offset;
      if (decode(code_.rw(offset), room < kMaxInstBytes ? room : kMaxInstBytes, CodeSize::k64, inst) !=
          DecodeStatus::kOk)
        return refuse(offset, "bytes that are no instruction");
      const u32 next = offset + inst.length;
      switch (inst.row->sem) {
        case Sem::kJmpRel: return branch(offset, next + static_cast<u32>(inst.imm), s);
        case Sem::kJmpRm: {
          const char* why = check_jump_operand(s, inst);
          return why ? refuse(offset, why) : true;
        }
        case Sem::kJcc: {
          const unsigned condition = inst.opcode & 15;
          State taken = s;
          learn(taken, condition);
          learn(s, condition ^ 1);
          if (!branch(offset, next + static_cast<u32>(inst.imm), taken)) return false;
          break;
        }
        case Sem::kJcxz:
          if (!branch(offset, next + static_cast<u32>(inst.imm), s)) return false;
          break;
        default:
          if (patched_immediate(s, inst, offset - piece_.begin)) break;
          if (const char* why = step(s, inst, offset - piece_.begin)) return refuse(offset, why);
      }
      offset = next;
    }
  }

  const CodeCache& code_;
  const EmittedCode& piece_;
  Violation bad_;
  std::vector<u32> label_at_, waiting_;
  std::vector<Label> labels_;
};

}  // namespace
}  // namespace verify

Violation verify_code(const CodeCache& code, const EmittedCode& piece) { return verify::Walker(code, piece).run(); }

Violation verify_links(const CodeCache& code) {
  for (u32 i = 1; i < code.link_count(); i++) {
    const Link& link = code.link(i);
    i32 displacement;
    __builtin_memcpy(&displacement, code.rw(link.field), 4);
    const u32 target = link.field + 4 + static_cast<u32>(displacement);
    if (!code.block(link.source).valid) continue;  // not entered any more
    if (link.target == 0) {
      if (target != link.stub) return {"a link that is not connected leads elsewhere than to its stub", link.field};
      continue;
    }
    const Block& to = code.block(link.target);
    if (!to.valid || target != (link.backward ? to.code_polled : to.code_direct))
      return {"a link leads elsewhere than to the entry of its block", link.field};
  }
  return {};
}

void verify_or_abort(Vcpu& vcpu, const CodeCache& code, const EmittedCode& piece) {
  HostFpuScope scope(vcpu);
  const Violation bad = verify_code(code, piece);
  if (!bad) return;
  const Block& block = code.block(piece.block);
  std::fprintf(stderr, "emitted code refused: %s, at +%x of block %u (rip %llx, mode %llx)\n", bad.reason,
               bad.offset - piece.begin, piece.block, static_cast<unsigned long long>(block.rip),
               static_cast<unsigned long long>(block.mode));
  for (u32 at = piece.begin; at < piece.end;) {
    Inst inst;
    const u32 room = piece.end - at;
    if (decode(code.rw(at), room < kMaxInstBytes ? room : kMaxInstBytes, CodeSize::k64, inst) != DecodeStatus::kOk)
      break;
    char text[96];
    disassemble(inst, at - piece.begin, text, sizeof text);
    std::fprintf(stderr, "%s %4x  %s\n", at == bad.offset ? ">>" : "  ", at - piece.begin, text);
    at += inst.length;
  }
  std::abort();
}

}  // namespace rz
