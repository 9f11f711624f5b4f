// Definition and merging of abstract values. See values.h.
#include "values.h"

namespace rz::verify {

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
  if (compared.slot == s) compared.slot = 0xff;
  return slot[s];
}

void State::define_constant(unsigned s, u32 at, u64 value) {
  Value& v = define(s, at);
  v.lo = v.hi = v.offset = value;
  v.base = 0;
  v.zeros = zeros_of(value);
}

bool State::merge(const State& other, u32 at, bool widen) {
  bool changed = false;
  if (made_until_ < other.made_until_) made_until_ = other.made_until_;
  for (unsigned s = 0; s < kSlots; s++) {
    Value& a = slot[s];
    const Value& b = other.slot[s];
    if (a.same(b)) continue;
    Value m;
    m.id = a.id == b.id ? a.id : met_at(at, s);
    if (m.id) {
      m.base = m.id;
      m.known = true;
    }
    const bool alike = a.kind == b.kind && !widen;
    if (alike && a.kind == Kind::kHost && a.same_terms(b)) {
      // What both allow, as a range from the new offset on.
      const i64 apart = static_cast<i64>(b.offset - a.offset), far = 1ll << 40;
      const i64 first = -static_cast<i64>(a.lo) > apart - static_cast<i64>(b.lo) ? -static_cast<i64>(a.lo)
                                                                                 : apart - static_cast<i64>(b.lo);
      const i64 end = static_cast<i64>(a.hi) < apart + static_cast<i64>(b.hi) ? static_cast<i64>(a.hi)
                                                                              : apart + static_cast<i64>(b.hi);
      if (apart > -far && apart < far && first < end) {
        m.take_terms(a);
        m.kind = Kind::kHost;
        m.write = a.write && b.write;
        m.offset = a.offset + static_cast<u64>(first);
        m.lo = 0;
        m.hi = static_cast<u64>(end - first);
      }
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
    } else if (alike && (a.kind == Kind::kEntry || a.kind == Kind::kXor || a.kind == Kind::kLinear) && a.of == b.of &&
               a.write == b.write) {
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
  if (compared.slot != 0xff) {
    const Compared& c = other.compared;
    if (c.slot != compared.slot || c.wide != compared.wide || c.with != compared.with || c.tag != compared.tag ||
        c.at != compared.at || c.room != compared.room) {
      compared = Compared{};
      changed = true;
    }
  }
  return changed;
}

}  // namespace rz::verify
