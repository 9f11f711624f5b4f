// MOVS, STOS, LODS, SCAS, CMPS with and without REP. REP forms work in chunks that stay inside a page of every operand
// and run host string instructions on host memory; counts and pointers advance chunk by chunk, so a fault or an
// interrupt finds them at the element it stopped at. Source: SDM, "String Instructions".
#include "../cpu/bytes.h"
#include "../cpu/debug.h"
#include "../run/machine.h"
#include "operands.h"
#include "ops.h"

namespace rz {
namespace {

constexpr u64 kBytesPerVisit = 1u << 19;  // then interrupts are looked at, even when nothing asked
constexpr u64 kBytesPerRun = 1u << 16;    // in one host instruction, which nothing interrupts

// The running registers of one string instruction, truncated to its address size.
struct Cursor {
  Vcpu& v;
  unsigned address_bytes;
  unsigned width;
  bool down;
  u64 mask;
  bool repeated;
  u8 source_seg;

  Cursor(Vcpu& vcpu, const Inst& inst)
      : v(vcpu),
        address_bytes(inst.address_bytes),
        width(inst.operand_bytes),
        down((vcpu.rflags & kFlagDF) != 0),
        mask(low_mask(inst.address_bytes)),
        repeated(inst.rep || inst.repne),
        source_seg(inst.seg_override == kNoReg ? static_cast<u8>(kDS) : inst.seg_override) {}

  u64 count() const { return repeated ? v.regs[kRcx] & mask : 1; }
  u64 si() const { return v.regs[kRsi] & mask; }
  u64 di() const { return v.regs[kRdi] & mask; }
  void advance(u8 reg, u64 elements) {
    const u64 by = elements * width;
    merge_reg(v.regs[reg], (v.regs[reg] & mask) + (down ? 0 - by : by), address_bytes);
  }
  void consume(u64 elements) {
    if (repeated) merge_reg(v.regs[kRcx], (v.regs[kRcx] & mask) - elements, address_bytes);
  }

  // After a run was stored: drop translated code under it. Not before, or another vCPU could translate the old bytes.
  void settle() {
    if (!code_bytes_) return;
    code_invalidate(*v.machine, code_gpa_, code_bytes_);
    code_bytes_ = 0;
  }

  // Elements from `offset` on that lie in one piece in the host, in the segment and within the address size: to the end
  // of the page, or further where the next pages are at hand. 0: take the slow path.
  u64 run(u8 seg, u64 offset, Access access, u64 wanted, u8*& host) {
    u64 linear;
    // A bulk run needs a segment that is plainly addressable; odd cases go element by element.
    if (v.code64()) {
      linear = offset + (seg == kFS || seg == kGS ? v.seg[seg].base : 0);
      if (!canonical(v, linear)) return 0;
    } else {
      const Segment& s = v.seg[seg];
      if (!s.fast_ok || (writes(access) && s.fast_read_only) || offset + width - 1 > s.fast_limit) return 0;
      linear = static_cast<u32>(s.base + offset);
    }
    if (alignment_fault(v, linear, width)) {
      v.exception = PendingException{};
      return 0;
    }
    const u64 in_page = linear & (kPageBytes - 1);
    if (in_page + width > kPageBytes) return 0;
    u64 n;
    if (down) {
      n = in_page / width + 1;
      if (n > offset / width + 1) n = offset / width + 1;
    } else {
      n = (kPageBytes - in_page) / width;
      const u64 top = v.code64() ? mask : (v.seg[seg].fast_limit < mask ? v.seg[seg].fast_limit : mask);
      const u64 room = (top - offset) / width + ((top - offset) % width == width - 1 ? 1 : 0);
      if (n > room) n = room;
    }
    if (n > wanted) n = wanted;
    if (n > 1 && (v.rflags & kFlagTF)) n = 1;  // a trap after each iteration
    if (n == 0) return 0;
    host = host_of(linear, n, access);
    if (!host) return 0;
    if (n < wanted && !(v.rflags & kFlagTF) && in_page + n * width == kPageBytes && !down && mask == ~0ull &&
        v.code64() && !code_bytes_)
      n += pages_behind(linear + n * width, host + n * width, wanted - n, access);
    return n;
  }

 private:
  u64 code_gpa_ = 0;         // the run about to be stored covers translated code here ...
  unsigned code_bytes_ = 0;  // ... over this many bytes

  // How many more elements, from the beginning of a page on, the soft TLB has right behind `host`.
  u64 pages_behind(u64 linear, const u8* host, u64 wanted, Access access) const {
    u64 n = 0;
    while (n < wanted && n * width < kBytesPerRun) {
      const u64 at = linear + n * width;
      const TlbEntry& e = v.tlb->entries[tlb_index(at)];
      if ((writes(access) ? e.write_tag : e.read_tag) != at) break;
      if ((writes(access) ? e.write_add : e.read_add) + at != reinterpret_cast<u64>(host) + n * width) break;
      n += kPageBytes / width;
    }
    return n < wanted ? n : wanted;
  }

  // Host address of the run's first element; null when the access must be made by mem_*(), which also reports faults.
  u8* host_of(u64 linear, u64 n, Access access) {
    const TlbEntry& e = v.tlb->entries[tlb_index(linear)];
    if ((writes(access) ? e.write_tag : e.read_tag) == (linear & kPageMask))
      return reinterpret_cast<u8*>((writes(access) ? e.write_add : e.read_add) + linear);
    const unsigned bytes = static_cast<unsigned>(n * width);
    const u64 low = down ? linear - (bytes - width) : linear;
    const SlowResult r = slow_access(v, low, bytes, access);
    if (r.kind == SlowAccess::kHost) return r.host + (linear - low);
    v.exception = PendingException{};
    if (r.kind != SlowAccess::kCode) return nullptr;
    code_gpa_ = r.gpa;
    code_bytes_ = bytes;
    return r.host + (linear - low);
  }
};

// ---- host string instructions --------------------------------------------------------------------------------

void host_movs(u8* to, const u8* from, u64 n, unsigned width, bool down) {
  if (!down) {
    // A forward copy whose target starts inside the source repeats a pattern element by element; the host's
    // instruction of the same width does exactly that.
    switch (width) {
      case 1: asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); return;
      case 2: asm volatile("rep movsw" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); return;
      case 4: asm volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); return;
      default: asm volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n) : : "memory"); return;
    }
  }
  switch (width) {
    case 1: asm volatile("std; rep movsb; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc"); return;
    case 2: asm volatile("std; rep movsw; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc"); return;
    case 4: asm volatile("std; rep movsl; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc"); return;
    default: asm volatile("std; rep movsq; cld" : "+D"(to), "+S"(from), "+c"(n) : : "memory", "cc"); return;
  }
}

void host_stos(u8* to, u64 value, u64 n, unsigned width, bool down) {
  if (down) to -= (n - 1) * width;  // order of equal stores does not matter
  switch (width) {
    case 1: asm volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory"); return;
    case 2: asm volatile("rep stosw" : "+D"(to), "+c"(n) : "a"(value) : "memory"); return;
    case 4: asm volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(value) : "memory"); return;
    default: asm volatile("rep stosq" : "+D"(to), "+c"(n) : "a"(value) : "memory"); return;
  }
}

bool attention(const Vcpu& v) { return v.attention.load(std::memory_order_relaxed) != 0; }

// A partly done REP that cannot go on: faults are reported with the registers at the faulting element.
OpResult finish(Cursor& c, u64 done_this_visit) {
  if (!c.repeated || c.count() == 0) return OpResult::kNext;
  return done_this_visit ? OpResult::kAgain : OpResult::kFault;
}

bool leave_now(Cursor& c, u64 done) {
  return attention(c.v) || done * c.width >= kBytesPerVisit || (c.v.rflags & kFlagTF) || c.v.debug_pending;
}

u64 accumulator(const Vcpu& v, unsigned width) { return v.regs[kRax] & low_mask(width); }

// Bit 7 of each byte that is zero; exact for the lowest such byte.
u64 zero_bytes(u64 x) { return (x - 0x0101010101010101ull) & ~x & 0x8080808080808080ull; }

// Length of the run of elements for which (element == key) is `equal`, up to n.
u64 scan(const u8* at, u64 n, u64 key, unsigned width, bool down, bool equal) {
  const i64 step = down ? -static_cast<i64>(width) : static_cast<i64>(width);
  u64 i = 0;
  if (width == 1 && !down) {  // eight at a time: strlen and memchr, or a run of one value
    const u64 pattern = key * 0x0101010101010101ull;
    for (; i + 8 <= n; i += 8, at += 8) {
      const u64 difference = load_bytes(at, 8) ^ pattern;
      if (equal ? difference != 0 : zero_bytes(difference) != 0) break;
    }
  }
  for (; i < n; ++i, at += step)
    if ((load_bytes(at, width) == key) != equal) break;
  return i;
}

u64 compare(const u8* a, const u8* b, u64 n, unsigned width, bool down, bool equal) {
  const i64 step = down ? -static_cast<i64>(width) : static_cast<i64>(width);
  u64 i = 0;
  if (equal && !down) {  // memcmp
    const u64 each = 8 / width;
    for (; i + each <= n && load_bytes(a, 8) == load_bytes(b, 8); i += each) a += 8, b += 8;
  }
  for (; i < n; ++i, a += step, b += step)
    if ((load_bytes(a, width) == load_bytes(b, width)) != equal) break;
  return i;
}

}  // namespace

OpResult op_movs(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  u64 done = 0;
  while (c.count() != 0) {
    u8 *from, *to;
    u64 n = c.run(c.source_seg, c.si(), Access::kRead, c.count(), from);
    if (n) n = c.run(kES, c.di(), Access::kWrite, n, to);
    if (n) {
      host_movs(to, from, n, c.width, c.down);
      c.settle();
    } else {
      u64 value;
      if (!mem_read(v, c.source_seg, c.si(), c.width, value)) return OpResult::kFault;
      if (!mem_write(v, kES, c.di(), c.width, value)) return OpResult::kFault;
      n = 1;
    }
    c.advance(kRsi, n);
    c.advance(kRdi, n);
    c.consume(n);
    done += n;
    if (!c.repeated) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

OpResult op_stos(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  const u64 value = accumulator(v, c.width);
  u64 done = 0;
  while (c.count() != 0) {
    u8* to;
    u64 n = c.run(kES, c.di(), Access::kWrite, c.count(), to);
    if (n) {
      host_stos(to, value, n, c.width, c.down);
      c.settle();
    } else {
      if (!mem_write(v, kES, c.di(), c.width, value)) return OpResult::kFault;
      n = 1;
    }
    c.advance(kRdi, n);
    c.consume(n);
    done += n;
    if (!c.repeated) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

OpResult op_lods(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  u64 done = 0;
  while (c.count() != 0) {
    u8* from;
    u64 value;
    u64 n = c.run(c.source_seg, c.si(), Access::kRead, c.count(), from);
    if (n) {  // only the last element of a run survives
      value = load_bytes(from + (c.down ? -static_cast<i64>((n - 1) * c.width) : static_cast<i64>((n - 1) * c.width)),
                         c.width);
    } else {
      if (!mem_read(v, c.source_seg, c.si(), c.width, value)) return OpResult::kFault;
      n = 1;
    }
    merge_reg(v.regs[kRax], value, c.width);
    c.advance(kRsi, n);
    c.consume(n);
    done += n;
    if (!c.repeated) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

// REPE goes on while elements are equal, REPNE while they differ; flags are those of the last comparison.
OpResult op_scas(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  const u64 key = accumulator(v, c.width);
  const bool while_equal = !inst.repne;
  u64 done = 0;
  while (c.count() != 0) {
    u8* at;
    u64 last;
    bool stop = false;
    u64 n = c.run(kES, c.di(), Access::kRead, c.count(), at);
    if (n) {
      u64 same = scan(at, n, key, c.width, c.down, while_equal);
      if (same < n) stop = true, n = same + 1;  // the element that ends the loop is consumed too
      last = load_bytes(at + (c.down ? -static_cast<i64>((n - 1) * c.width) : static_cast<i64>((n - 1) * c.width)),
                        c.width);
    } else {
      if (!mem_read(v, kES, c.di(), c.width, last)) return OpResult::kFault;
      n = 1;
      stop = (last == key) != while_equal;
    }
    set_compare_flags(v, key, last, c.width);
    c.advance(kRdi, n);
    c.consume(n);
    done += n;
    if (!c.repeated || stop) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

OpResult op_cmps(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  const bool while_equal = !inst.repne;
  u64 done = 0;
  while (c.count() != 0) {
    u8 *a, *b;
    u64 left, right;
    bool stop = false;
    u64 n = c.run(c.source_seg, c.si(), Access::kRead, c.count(), a);
    if (n) n = c.run(kES, c.di(), Access::kRead, n, b);
    if (n) {
      const u64 same = compare(a, b, n, c.width, c.down, while_equal);
      if (same < n) stop = true, n = same + 1;
      const i64 at = (c.down ? -1 : 1) * static_cast<i64>((n - 1) * c.width);
      left = load_bytes(a + at, c.width);
      right = load_bytes(b + at, c.width);
    } else {
      if (!mem_read(v, c.source_seg, c.si(), c.width, left)) return OpResult::kFault;
      if (!mem_read(v, kES, c.di(), c.width, right)) return OpResult::kFault;
      n = 1;
      stop = (left == right) != while_equal;
    }
    set_compare_flags(v, left, right, c.width);
    c.advance(kRsi, n);
    c.advance(kRdi, n);
    c.consume(n);
    done += n;
    if (!c.repeated || stop) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

// Port strings: one element at a time, the memory side probed before a port is read.
OpResult op_ins(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  if (c.width == 8) c.width = 4;
  const u16 port = static_cast<u16>(v.regs[kRdx]);
  if (!port_allowed(v, port, c.width)) return OpResult::kFault;
  for (u64 done = 1; c.count() != 0; ++done) {
    if (!mem_probe_write(v, kES, c.di(), c.width)) return OpResult::kFault;
    v.count(Counter::kPortAccesses);
    const u64 value = v.machine->bus->io_read(v, port, c.width);
    if (!mem_write(v, kES, c.di(), c.width, value)) return OpResult::kFault;
    if (v.watch_port) note_port(v, port, c.width);
    c.advance(kRdi, 1);
    c.consume(1);
    if (!c.repeated) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

OpResult op_outs(Vcpu& v, const Inst& inst) {
  Cursor c(v, inst);
  if (c.width == 8) c.width = 4;
  const u16 port = static_cast<u16>(v.regs[kRdx]);
  if (!port_allowed(v, port, c.width)) return OpResult::kFault;
  for (u64 done = 1; c.count() != 0; ++done) {
    u64 value;
    if (!mem_read(v, c.source_seg, c.si(), c.width, value)) return OpResult::kFault;
    v.count(Counter::kPortAccesses);
    v.machine->bus->io_write(v, port, c.width, value);
    if (v.watch_port) note_port(v, port, c.width);
    c.advance(kRsi, 1);
    c.consume(1);
    if (!c.repeated) return OpResult::kNext;
    if (leave_now(c, done)) return finish(c, done);
  }
  return OpResult::kNext;
}

}  // namespace rz
