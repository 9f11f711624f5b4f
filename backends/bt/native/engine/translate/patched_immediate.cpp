// MOV reg,imm whose immediate the guest keeps patching: the constant is read from guest memory when the code runs, and
// a store to those bytes alone leaves the block valid (Block::soft). The page stays RAM or ROM at this host address for
// as long as blocks live: memory is added and removed only while no vCPU runs, and with the code cache emptied.
#include "../cpu/bytes.h"
#include "../mmu/phys_memory.h"
#include "translator.h"

namespace rz {

bool Translator::emit_patched_immediate(const Inst& inst) {
  if (inst.has_memory || inst.operand_bytes < 4 || inst.imm_bytes != inst.operand_bytes) return false;
  if (gpa2_ != ~0ull || single() || vcpu_.machine->options.no_opt) return false;
  const unsigned at = offsets_[i_] + inst.length - inst.imm_bytes;
  const u64 gpa = (gpa_ & kPageMask) + at;
  if (former_) {
    const u8* was = code_.source_at(code_.block(former_), at, inst.imm_bytes);
    if (was && !equal_bytes(was, source_ + at, inst.imm_bytes)) code_.note_patched(gpa);
  }
  if (!code_.often_patched(gpa)) return false;
  const u8* host = vcpu_.machine->memory->host(gpa);
  if (!host || !code_.soften(block_, at, inst.imm_bytes)) return false;
  leave_t0();
  a_.mov_imm(kT0, reinterpret_cast<u64>(host));
  const Host to = kRegMap[inst.rm];
  a_.load(to == hNone ? kT1 : to, kT0, 0, inst.operand_bytes);
  if (to == hNone) store_home(inst.rm, kT1);
  return true;
}

}  // namespace rz
