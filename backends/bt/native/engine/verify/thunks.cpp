// Conditions at the ways out of emitted code. See thunk_rules.inc.
#include "thunks.h"

#include "../translate/translator.h"
#include "thunk_rules.inc"

namespace rz::verify {
namespace {

constexpr unsigned kT0Slot = kT0, kT1Slot = kT1;
constexpr unsigned kMaxAccessBytes = 64;

const char* check_access(const EmittedCode& piece, const State& state) {
  const Value &lo = state.slot[kMetaSlot], &hi = state.slot[kMetaSlot + 1];
  if (!lo.is_constant() || !hi.is_constant() || hi.lo != piece.block) return "no access descriptor";
  const u32 meta = static_cast<u32>(lo.lo);
  const unsigned access = static_cast<unsigned>(AccessMeta::access(meta)), bytes = AccessMeta::bytes(meta);
  if (access < 1 || access > 3 || bytes < 1 || bytes > kMaxAccessBytes || AccessMeta::seg(meta) >= kSegCount)
    return "a wrong access descriptor";
  return nullptr;
}

const char* check_memo(const State& state, bool write, bool set) {
  const Value& at = state.slot[kMemoSlot];
  if (!at.is_constant()) return "no memo for a last page";
  const u64 offset = (at.lo & 0xffff) - offsetof(Vcpu, last_page), index = offset / sizeof(LastPage);
  if (offset % sizeof(LastPage) || index >= kLastPages) return "no memo for a last page";
  const unsigned memo = static_cast<unsigned>(index);
  if (last_page_writes(memo) != write) return "a memo for the other kind of access";
  if (set && !starts_last_page_set(memo)) return "no set of memos";
  return at.lo >> 16 == last_page_room(memo) ? nullptr : "more room than a memo has";
}

}  // namespace

const ThunkRule* find_thunk(u32 offset, ThunkRule& space) {
#define RZ_THUNK_ROW(thunk, needs, after)                 \
  if (offset == g_thunks_layout.thunk) {                  \
    space = {#thunk, offset, Needs::needs, After::after}; \
    return &space;                                        \
  }
  RZ_THUNK_RULES(RZ_THUNK_ROW)
#undef RZ_THUNK_ROW
  return nullptr;
}

const char* check_thunk(const CodeCache& code, const EmittedCode& piece, const State& state, const ThunkRule& rule) {
  const Value& t1 = state.slot[kT1Slot];
  if (rule.after != After::kLeaves && t1.kind != Kind::kCode) return "a thunk that comes back, without an address";
  switch (rule.needs) {
    case Needs::kNothing: return nullptr;
    case Needs::kLinkInT1:
      if (!t1.is_constant() || t1.lo == 0 || t1.lo >= code.link_count()) return "no link for the link thunk";
      return code.link(static_cast<u32>(t1.lo)).source == piece.block ? nullptr : "a link of another block";
    case Needs::kBlockInT1:
      return t1.is_constant() && t1.lo == piece.block ? nullptr : "another block's number for the poll thunk";
    case Needs::kAccessInMeta: return check_access(piece, state);
    case Needs::kReadMemo:
    case Needs::kWriteMemo:
    case Needs::kMemoSet: {
      const char* why = check_memo(state, rule.needs == Needs::kWriteMemo, rule.needs == Needs::kMemoSet);
      return why ? why : check_access(piece, state);
    }
    case Needs::kInstInScratch: {
      const Value& inst = state.slot[kScratchSlot + 2];
      return inst.is_constant() && code.is_kept(inst.lo) ? nullptr : "no kept instruction for the helper";
    }
    case Needs::kExceptionInT1:
      return t1.is_constant() && (t1.lo & 0xff) < 32 && t1.lo <= 0xffffffff ? nullptr : "no exception to raise";
  }
  return "a thunk without a rule";
}

void come_back(State& state, const ThunkRule& rule, u32 at) {
  const u32 meta = static_cast<u32>(state.slot[kMetaSlot].lo);
  const State before = state;
  state.forget_all(at);
  if (rule.after == After::kAllUnknown) return;
  // C++ behind the access thunks leaves guest registers, the spill slots but for the thunks' own, and the addends
  // alone.
  for (unsigned i = 0; i < kSlots; i++) {
    const Value& v = before.slot[i];
    if (i == kT0Slot || i == kT1Slot || i >= kMemoSlot) continue;
    if (i == kScratchSlot + 6 || i == kScratchSlot + 7 || (i >= kMetaSlot && i < kMergedSlot)) continue;
    const bool run = v.kind == Kind::kHost || v.kind == Kind::kFirst || v.kind == Kind::kEnd;
    if (v.kind != Kind::kNumber && (!run || i < kMergedSlot || i >= kHomeSlot)) continue;
    state.slot[i] = v;
    state.slot[i].from = From::kNothing;
    state.slot[i].of = v.kind == Kind::kFirst ? kNoMemo : 0;  // which may hold another page now
  }
  if (rule.after == After::kGuestKept) return;
  Value& t0 = state.slot[kT0Slot];
  t0.kind = Kind::kHost;
  t0.base = 0;
  t0.write = writes(AccessMeta::access(meta));
  t0.lo = 0;
  t0.hi = AccessMeta::bytes(meta);
}

}  // namespace rz::verify
