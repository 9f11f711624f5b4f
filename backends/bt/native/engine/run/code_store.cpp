// A store onto translated code would otherwise leave its block, run alone through the bounce buffer and come back: a
// microsecond for each of the stores by which a just-in-time compiler writes and patches code. Here what was translated
// from the bytes is dropped first, and the block's own instruction then stores to guest memory as anywhere else: no
// code is left there, so the next store to the same 64 bytes does not come here. Another vCPU that translates the bytes
// meanwhile waits for this one's next safe point (run/sync.h), because the slow path said that it may be storing there.
#include "code_store.h"

#include "../cache/code_cache.h"

namespace rz {

u8* store_onto_code(Vcpu& v, const SlowResult& target, unsigned bytes, u32 block) {
  CodeCache& code = *v.machine->code;
  const Block& b = code.block(block);
  // A block that changes itself must end with the instruction that does.
  if (b.gpa2 != ~0ull || depends_on(b, target.gpa, bytes)) return nullptr;
  v.count(Counter::kCodeStores);
  code.invalidate(target.gpa, bytes);
  return target.host;
}

}  // namespace rz
