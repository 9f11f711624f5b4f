// Splits an access into pages and moves its bytes. The only place where helpers' stores reach guest RAM, so the
// check for translated code under a store sits here once.
#include "spans.h"

#include "../debug/trace.h"
#include "../cpu/bytes.h"
#include "../run/machine.h"
#include "dirty_log.h"
#include "phys_memory.h"

namespace rz {
namespace {

unsigned piece(unsigned left) { return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1; }

// After the store: a vCPU that makes these bytes code marks them before it reads them, so one of the two sees the
// other.
void note_store(Machine& machine, u64 gpa, unsigned bytes) {
  if (machine.dirty) machine.dirty->note(*machine.memory->find(gpa), gpa);
  if (machine.smp()) __atomic_thread_fence(__ATOMIC_SEQ_CST);
  if (code_page(machine, gpa) && code_hit(machine, gpa, bytes)) code_invalidate(machine, gpa, bytes);
}

}  // namespace

bool resolve_spans(Vcpu& vcpu, u64 linear, unsigned bytes, Access access, PrivClass cls, Spans& out) {
  out.count = 0;
  while (bytes > 0) {
    if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
    const unsigned room = static_cast<unsigned>(kPageBytes - (linear & (kPageBytes - 1)));
    const unsigned now = bytes < room ? bytes : room;
    Translation t;
    if (!walk(vcpu, linear, access, cls, t)) return false;
    const MemorySlot* slot = vcpu.machine->memory->find(t.gpa);
    if (slot) tlb_fill(vcpu, cls, linear, t, access);
    out.part[out.count++] = {t.gpa, slot ? slot->host + (t.gpa - slot->base) : nullptr, now, slot && slot->read_only};
    linear += now;
    bytes -= now;
  }
  return true;
}

void spans_read(Vcpu& vcpu, const Vcpu::BounceSpan* part, unsigned count, void* into) {
  u8* to = static_cast<u8*>(into);
  for (unsigned i = 0; i < count; ++i) {
    if (part[i].host) {
      copy_bytes(to, part[i].host, part[i].bytes);
      to += part[i].bytes;
      continue;
    }
    u64 gpa = part[i].gpa;
    for (unsigned left = part[i].bytes; left > 0;) {
      const unsigned width = piece(left);
      const u64 value = vcpu.machine->bus->mmio_read(vcpu, gpa, width);
      vcpu.count(Counter::kMmioAccesses);
      if (tracing(*vcpu.machine, Trace::kMmio))
        TraceLine(vcpu, Trace::kMmio, "read").hex("at", gpa).number("size", width).hex("value", value);
      store_bytes(to, value, width);
      to += width, gpa += width, left -= width;
    }
  }
}

void spans_write(Vcpu& vcpu, const Vcpu::BounceSpan* part, unsigned count, const void* from) {
  const u8* at = static_cast<const u8*>(from);
  for (unsigned i = 0; i < count; ++i) {
    if (part[i].host) {
      if (!part[i].read_only) {
        copy_bytes(part[i].host, at, part[i].bytes);
        note_store(*vcpu.machine, part[i].gpa, part[i].bytes);
      }
      at += part[i].bytes;
      continue;
    }
    u64 gpa = part[i].gpa;
    for (unsigned left = part[i].bytes; left > 0;) {
      const unsigned width = piece(left);
      const u64 value = load_bytes(at, width);
      vcpu.count(Counter::kMmioAccesses);
      if (tracing(*vcpu.machine, Trace::kMmio))
        TraceLine(vcpu, Trace::kMmio, "write").hex("at", gpa).number("size", width).hex("value", value);
      vcpu.machine->bus->mmio_write(vcpu, gpa, width, value);
      at += width, gpa += width, left -= width;
    }
  }
}

bool phys_write(Machine& machine, u64 gpa, const void* from, unsigned bytes) {
  const u8* at = static_cast<const u8*>(from);
  while (bytes > 0) {
    const MemorySlot* slot = machine.memory->find(gpa);
    if (!slot || slot->read_only) return false;
    const u64 room = kPageBytes - (gpa & (kPageBytes - 1));
    const unsigned now = bytes < room ? bytes : static_cast<unsigned>(room);
    copy_bytes(slot->host + (gpa - slot->base), at, now);
    note_store(machine, gpa, now);
    at += now, gpa += now, bytes -= now;
  }
  return true;
}

bool phys_read(Machine& machine, u64 gpa, void* into, unsigned bytes) {
  u8* to = static_cast<u8*>(into);
  while (bytes > 0) {
    const u8* host = machine.memory->host(gpa);
    if (!host) return false;
    const u64 room = kPageBytes - (gpa & (kPageBytes - 1));
    const unsigned now = bytes < room ? bytes : static_cast<unsigned>(room);
    copy_bytes(to, host, now);
    to += now, gpa += now, bytes -= now;
  }
  return true;
}

}  // namespace rz
