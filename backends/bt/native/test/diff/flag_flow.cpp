// Liveness of flags over the control flow of a whole case; see flag_flow.h. More than any translator works out, so that
// a better one needs no change here.
#include "flag_flow.h"

#include "decode/flags.h"

namespace rz::diff {

u64 rflags_of(u8 m) {
  return (m & kCF ? 1u : 0u) | (m & kPF ? 4u : 0u) | (m & kAF ? 16u : 0u) | (m & kZF ? 64u : 0u) |
         (m & kSF ? 128u : 0u) | (m & kOF ? 2048u : 0u);
}

u64 flags_that_matter(const TestCase& test, u64 rip) {
  const size_t n = test.insts.size();
  std::vector<u64> at(n + 1, test.code_at - code_base(test.size));
  for (size_t i = 0; i < n; i++) at[i + 1] = at[i] + test.insts[i].length;
  std::vector<u8> live(n + 1, 0);
  live[n] = kAllFlags;
  auto live_at = [&](u64 address) -> u8 {
    for (size_t i = 0; i <= n; i++)
      if (at[i] == address) return live[i];
    return kAllFlags;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = n; i-- > 0;) {
      const Inst& inst = test.insts[i];
      u8 after = live[i + 1];
      const u64 target = at[i + 1] + inst.imm;
      switch (inst.row->sem) {
        case Sem::kJmpRel:
        case Sem::kCallRel: after = live_at(target); break;
        case Sem::kJcc:
        case Sem::kLoop:
        case Sem::kLoope:
        case Sem::kLoopne:
        case Sem::kJcxz: after = static_cast<u8>(after | live_at(target)); break;
        case Sem::kJmpRm:
        case Sem::kCallRm:
        case Sem::kRet:
        case Sem::kRetImm: after = kAllFlags; break;
        default: break;
      }
      const Flags f = flags_of(inst);
      const u8 before = static_cast<u8>((after & ~(f.written | f.undefined)) | f.read);
      changed |= before != live[i];
      live[i] = before;
    }
  }
  return ~rflags_of(static_cast<u8>(kAllFlags & ~live_at(rip)));
}

}  // namespace rz::diff
