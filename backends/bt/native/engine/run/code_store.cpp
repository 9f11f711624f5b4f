// A plain store onto translated code would otherwise leave its block, run alone through the bounce buffer and come
// back: a microsecond for each of the stores by which a just-in-time compiler writes and patches code. Here the
// instruction is decoded again, its value written, and what was translated from the bytes dropped, in this order:
// another vCPU that translates them meanwhile has either read the new bytes or is found by the invalidation. A store of
// what is there already changes nothing.
#include "code_store.h"

#include "../cache/code_cache.h"
#include "../cpu/bytes.h"
#include "../mmu/phys_memory.h"
#include "../ops/operands.h"
#include "../ops/vector_regs.h"

namespace rz {
namespace {

struct alignas(32) Value {
  u8 bytes[32];
};

// What the instruction stores; false: not a plain store of so many bytes.
bool value_of(const Vcpu& v, const Inst& inst, unsigned bytes, Value& out) {
  if (!inst.has_memory || inst.memory_bytes != bytes) return false;
  if (inst.row->sem == Sem::kMovImm) {
    store_bytes(out.bytes, inst.imm, bytes);
    return true;
  }
  if (!(inst.row->attrs & kPlainStore)) return false;
  if (inst.row->reg.cls == RegClass::kGpr) {
    store_bytes(out.bytes, read_reg(v, inst, inst.reg, bytes), bytes);
    return true;
  }
  if (bytes == 32) {
    read_ymm(inst.reg, out.bytes);
    return true;
  }
  u8 low[16];
  read_xmm(inst.reg, low);
  for (unsigned i = 0; i < 16; i += 8) copy_bytes(out.bytes + i, low + i, 8);
  return bytes <= 16;
}

bool same(const u8* a, const u8* b, unsigned bytes) {
  if (bytes <= 8) return load_bytes(a, bytes) == load_bytes(b, bytes);
  for (unsigned i = 0; i < bytes; i += 8)
    if (load_bytes(a + i, 8) != load_bytes(b + i, 8)) return false;
  return true;
}

void store(u8* to, const u8* from, unsigned bytes) {
  if (bytes <= 8) {
    store_bytes(to, load_bytes(from, bytes), bytes);  // one access, as other vCPUs may look
    return;
  }
  for (unsigned i = 0; i < bytes; i += 8) store_bytes(to + i, load_bytes(from + i, 8), 8);
}

}  // namespace

u8* store_onto_code(Vcpu& v, const SlowResult& target, u64 linear, unsigned bytes, u32 block, u32 guest_offset) {
  const CodeCache& code = *v.machine->code;
  const Block& b = code.block(block);
  // A block that changes itself must end with the instruction that does.
  if (b.gpa2 != ~0ull || depends_on(b, target.gpa, bytes)) return nullptr;
  const u64 at = (b.gpa & kPageMask) + guest_offset;
  const u8* text = v.machine->memory->host(at);
  const u64 room = kPageBytes - (at & (kPageBytes - 1));
  Inst inst;
  // Another vCPU may have changed this very instruction since the block was entered.
  if (!__atomic_load_n(&b.valid, __ATOMIC_ACQUIRE)) return nullptr;
  if (!text || decode(text, room < kMaxInstBytes ? static_cast<unsigned>(room) : kMaxInstBytes, v.code_size(), inst) !=
                   DecodeStatus::kOk)
    return nullptr;
  Value value;
  if (!value_of(v, inst, bytes, value)) return nullptr;
  v.count(Counter::kCodeStores);
  if (!same(target.host, value.bytes, bytes)) {
    store(target.host, value.bytes, bytes);
    code_invalidate(*v.machine, target.gpa, bytes);
  }
  return v.bounce + (linear & 63);  // only the bounce buffer's own blocks look there
}

}  // namespace rz
