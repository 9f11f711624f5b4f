// Definition and merging of abstract values. See values.h.
#include "values.h"

namespace rz::verify {

u8 zeros_of(u64 value) { return value ? static_cast<u8>(__builtin_ctzll(value)) : 63; }

void State::forget_all(u32 at) {
  for (unsigned s = 0; s < kSlots; s++) {
    slot[s] = Value{};
    slot[s].id = met_at(at, s);
  }
  compared = Compared{};
}

void State::drop_derived(u32 id, unsigned except) {
  for (unsigned s = 0; s < kSlots; s++) {
    Value& v = slot[s];
    if (s == except) continue;
    const bool derived = v.from != From::kNothing || v.kind == Kind::kEntry || v.kind == Kind::kXor;
    if (v.id == id || (derived && v.of == id)) {
      v = Value{};
      v.id = 0;  // no identity: matches nothing
    }
  }
}

Value& State::define(unsigned s, u32 at) {
  const u32 id = made_at(at, s);
  drop_derived(id, s);
  slot[s] = Value{};
  slot[s].id = id;
  if (compared.slot == s) compared.slot = 0xff;
  return slot[s];
}

void State::define_constant(unsigned s, u32 at, u64 value) {
  Value& v = define(s, at);
  v.lo = v.hi = value;
  v.zeros = zeros_of(value);
}

bool State::merge(const State& other, u32 at, bool widen) {
  bool changed = false;
  for (unsigned s = 0; s < kSlots; s++) {
    Value& a = slot[s];
    const Value& b = other.slot[s];
    if (a.same(b)) continue;
    Value m;
    m.id = a.id == b.id ? a.id : met_at(at, s);
    const bool alike = a.kind == b.kind && !widen;
    if (alike && a.kind == Kind::kHost) {
      m.kind = Kind::kHost;
      m.write = a.write && b.write;
      m.lo = a.lo < b.lo ? a.lo : b.lo;
      m.hi = a.hi < b.hi ? a.hi : b.hi;
    } else if (alike && (a.kind == Kind::kNumber || a.kind == Kind::kJump)) {
      m.kind = a.kind;
      m.zeros = a.zeros < b.zeros ? a.zeros : b.zeros;
      m.lo = a.lo < b.lo ? a.lo : b.lo;
      m.hi = a.hi > b.hi ? a.hi : b.hi;
      if (a.from == b.from && a.of == b.of) {
        m.from = a.from;
        m.of = a.of;
      }
    } else if (alike && (a.kind == Kind::kEntry || a.kind == Kind::kXor) && a.of == b.of && a.write == b.write) {
      m.kind = a.kind;
      m.write = a.write;
      m.of = a.of;
      m.hi = a.hi > b.hi ? a.hi : b.hi;
    }
    if (a.same(m)) continue;
    a = m;
    changed = true;
  }
  if (compared.slot != 0xff) {
    const Compared& c = other.compared;
    if (c.slot != compared.slot || c.wide != compared.wide || c.with != compared.with) {
      compared = Compared{};
      changed = true;
    }
  }
  return changed;
}

}  // namespace rz::verify
