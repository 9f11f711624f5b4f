// Definition and merging of abstract values. See values.h.
#include "values.h"

#include <utility>

namespace rz::verify {

namespace {

constexpr unsigned kPatience = 64;
/// For ranges of addresses: the head of a loop finds up to 512 bytes (the widest memo's), and each turn leaves a step
/// less, of one byte at least, until it is what the limits at its end promise.
constexpr unsigned kRangePatience = 1024;

}  // namespace

u8 zeros_of(u64 value) { return value ? static_cast<u8>(__builtin_ctzll(value)) : 63; }

void State::forget_all(u32 at) {  // but for made_until_: values from before may be put back
  for (unsigned s = 0; s < kSlots; s++) {
    slot[s] = Value{};
    slot[s].id = slot[s].base = met_at(at, s);
    slot[s].known = true;
  }
  compared = Compared{};
}

void State::drop_derived(u32 id, unsigned except) {
  for (unsigned s = 0; s < kSlots; s++) {
    Value& v = slot[s];
    if (s == except) continue;
    const bool derived =
        v.from != From::kNothing || v.kind == Kind::kEntry || v.kind == Kind::kXor || v.kind == Kind::kLinear;
    if (v.id == id || (derived && v.of == id) || (v.known && (v.base == id || v.index == id))) {
      v = Value{};
      v.id = 0;  // no identity: matches nothing
    } else if (v.range == id) {
      if (v.kind == Kind::kHost) {
        v.range = 0;
      } else {
        v = Value{};
        v.id = 0;
      }
    }
  }
}

Value& State::define(unsigned s, u32 at) {
  const u32 id = made_at(at, s);
  if (id < made_until_)
    drop_derived(id, s);
  else
    made_until_ = id + 1;
  slot[s] = Value{};
  slot[s].id = slot[s].base = id;
  slot[s].known = true;
  if (compared.slot == s || (compared.limit && compared.with == s)) compared.slot = 0xff;
  return slot[s];
}

void State::define_constant(unsigned s, u32 at, u64 value) {
  Value& v = define(s, at);
  v.lo = v.hi = v.offset = value;
  v.base = 0;
  v.zeros = zeros_of(value);
}

// Addresses are compared as signed: ranges lie in either canonical half, far from where signed numbers wrap, and so do
// the sums of registers that some access in the range was checked for.
void State::learn_limit(unsigned condition) {
  const Value &limit = slot[compared.with], sum = slot[compared.slot];
  constexpr i64 kFar = 1ll << 32;
  i64 beyond = static_cast<i64>(limit.offset);
  const bool below = condition == cLE, above = condition == cGE;
  if (below && limit.kind == Kind::kFirst) {
    if (limit.hi != kPageBytes) return;
    beyond -= static_cast<i64>(kPageBytes);
  } else if (limit.kind != (below ? Kind::kEnd : Kind::kFirst) || !(below || above)) {
    return;
  }
  if (limit.range == 0 || sum.kind != Kind::kNumber || !sum.known || beyond < -kFar || beyond > kFar) return;
  for (Value& v : slot) {
    if (v.kind != Kind::kHost || v.range != limit.range || !v.known || !v.same_terms(sum)) continue;
    const i64 apart = static_cast<i64>(v.offset - sum.offset);
    if (apart < -kFar || apart > kFar) continue;
    // Below: sum - beyond is not after the end, so v's own address may have -beyond - apart bytes.
    const i64 allowed = below ? -beyond - apart : beyond + apart;
    u64& known = below ? v.hi : v.lo;
    if (allowed > static_cast<i64>(known)) known = static_cast<u64>(allowed);
  }
}

/// A term of a host address that is the value `root[0]` here and `root[1]` there, written as that of a register, which
/// has moved from it by known steps on either way: a new root, and what changes of the offsets. False: there is no such
/// register.
bool State::rebase(const State& other, const Value (&before)[16], u64 (&offset)[2], u32 (&root)[2], unsigned scale,
                   u32& out) const {
  int found = -1;
  for (int r = 0; r < 16; r++) {
    const Value &a = before[r], &b = other.slot[r];
    if (a.kind != Kind::kNumber || b.kind != Kind::kNumber || !a.known || !b.known || a.index || b.index) continue;
    if (a.base != root[0] || b.base != root[1]) continue;
    if (root[0] == root[1] && a.offset == b.offset) {
      out = root[0];
      return true;
    }
    const Value& m = slot[r];
    if (found < 0 && m.known && m.id != 0 && m.base == m.id && m.index == 0 && m.offset == 0) found = r;
  }
  if (found < 0) {
    out = root[0];
    return root[0] == root[1];
  }
  offset[0] -= before[found].offset << scale;
  offset[1] -= other.slot[found].offset << scale;
  out = slot[found].id;
  return true;
}

/// A host address that both ways know: what both allow, as a range from the new offset on.
Value State::merge_host(const State& other, const Value (&before)[16], unsigned s, u32 id) const {
  const Value &a = slot[s], &b = other.slot[s];
  Value m;
  m.id = id;
  if (m.id) {
    m.base = m.id;
    m.known = true;
  }
  if (a.known != b.known || a.scale != b.scale || (a.base == 0) != (b.base == 0) || (a.index == 0) != (b.index == 0))
    return m;
  u64 offset[2] = {a.offset, b.offset};
  u32 base[2] = {a.base, b.base}, index[2] = {a.index, b.index}, new_base = 0, new_index = 0;
  if (a.base && !rebase(other, before, offset, base, 0, new_base)) return m;
  if (a.index && !rebase(other, before, offset, index, a.scale, new_index)) return m;
  const i64 apart = static_cast<i64>(offset[1] - offset[0]), far = 1ll << 40;
  const i64 first = -static_cast<i64>(a.lo) > apart - static_cast<i64>(b.lo) ? -static_cast<i64>(a.lo)
                                                                             : apart - static_cast<i64>(b.lo);
  const i64 end =
      static_cast<i64>(a.hi) < apart + static_cast<i64>(b.hi) ? static_cast<i64>(a.hi) : apart + static_cast<i64>(b.hi);
  if (apart <= -far || apart >= far || first >= end) return m;
  m.take_terms(a);
  m.base = new_base;
  m.index = new_index;
  m.kind = Kind::kHost;
  m.write = a.write && b.write;
  m.offset = offset[0] + static_cast<u64>(first);
  m.lo = 0;
  m.hi = static_cast<u64>(end - first);
  return m;
}

bool State::merge(const State& other, u32 at, unsigned merges) {
  bool changed = false;
  if (made_until_ < other.made_until_) made_until_ = other.made_until_;
  Value before[16];
  for (unsigned r = 0; r < 16; r++) before[r] = slot[r];
  unsigned ranged[kSlots], ranged_count = 0;
  for (unsigned s = 0; s < kSlots; s++) {
    Value& a = slot[s];
    const Value& b = other.slot[s];
    if (a.same(b) && a.range == 0 && a.kind != Kind::kHost) continue;
    Value m;
    // One instruction may have made both, the last time round a loop and this time: another value all the same.
    const bool moved = a.known && b.known && a.same_terms(b) && a.offset != b.offset;
    m.id = a.id == b.id && !moved ? a.id : met_at(at, s);
    if (m.id) {
      m.base = m.id;
      m.known = true;
    }
    const bool range = a.kind == Kind::kHost || a.kind == Kind::kFirst || a.kind == Kind::kEnd;
    const bool alike = a.kind == b.kind && merges <= (range ? kRangePatience : kPatience);
    if (alike && range) {
      ranged[ranged_count++] = s;  // once it is known what the registers are
      continue;
    } else if (alike && (a.kind == Kind::kNumber || a.kind == Kind::kJump)) {
      m.kind = a.kind;
      m.zeros = a.zeros < b.zeros ? a.zeros : b.zeros;
      m.lo = a.lo < b.lo ? a.lo : b.lo;
      m.hi = a.hi > b.hi ? a.hi : b.hi;
      if (a.from == b.from && a.of == b.of) {
        m.from = a.from;
        m.of = a.of;
      }
      if (a.same_terms(b) && a.offset == b.offset) m.take_terms(a);
    } else if (alike &&
               (a.kind == Kind::kEntry || a.kind == Kind::kXor || a.kind == Kind::kLinear ||
                a.kind == Kind::kRecalled) &&
               a.of == b.of && a.write == b.write) {
      m.kind = a.kind;
      m.write = a.write;
      m.of = a.of;
      m.hi = a.hi > b.hi ? a.hi : b.hi;
      if (a.same_terms(b) && a.offset == b.offset) m.take_terms(a);
    }
    if (a.same(m)) continue;
    a = m;
    changed = true;
  }
  // Two ways may have found the same ranges by other checks: what is one range on both is one behind.
  u32 range[kSlots];
  u64 lost = 0;
  for (unsigned i = 0; i < ranged_count; i++) {
    const auto pair = [&](unsigned k) { return std::pair(slot[ranged[k]].range, other.slot[ranged[k]].range); };
    const auto [here, there] = pair(i);
    range[i] = here && there ? here : 0;
    if (here == there || !range[i]) continue;
    unsigned first = 0;
    while (pair(first) != pair(i)) first++;
    range[i] = met_at(at, ranged[first]);
    for (unsigned k = 0; k < ranged_count; k++)  // whoever has that name since it was given the last time has none now
      if (pair(k) == std::pair(range[i], range[i])) lost |= 1ull << k;
  }
  for (unsigned i = 0; i < ranged_count; i++) {
    const unsigned s = ranged[i];
    const Value &a = slot[s], &b = other.slot[s];
    const u32 id = a.id == b.id ? a.id : met_at(at, s);
    Value m;
    if (a.kind == Kind::kHost) {
      m = merge_host(other, before, s, id);
    } else if (a.offset == b.offset) {
      m = a;
      m.id = id;
      if (a.of != b.of) m.of = kNoMemo;
      m.hi = a.hi > b.hi ? a.hi : b.hi;
    } else {
      m.id = id;
    }
    if (m.kind != Kind::kNumber) m.range = lost >> i & 1 ? 0 : range[i];
    if (a.same(m)) continue;
    slot[s] = m;
    changed = true;
  }
  if (compared.slot != 0xff && !compared.same(other.compared)) {
    compared = Compared{};
    changed = true;
  }
  return changed;
}

}  // namespace rz::verify
