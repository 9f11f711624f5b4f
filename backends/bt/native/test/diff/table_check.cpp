// See table_check.h.
#include "table_check.h"

#include <cstdio>
#include <cstring>

#include "decode/flags.h"
#include "flag_flow.h"

namespace rz::diff {
namespace {

std::string message(const char* what, u64 bits) {
  char text[96];
  std::snprintf(text, sizeof text, "  %s (rflags bits %llx)", what, static_cast<unsigned long long>(bits));
  return text;
}

}  // namespace

std::string check_row_claims(const TestCase& test, Runner& native) {
  const Inst& inst = test.insts[0];
  const Flags f = flags_of(inst);
  static TestState a, b;
  static TestCase flipped;
  if (!native.run(test, a)) return "";
  if (a.fault != kNoFault) return "";
  std::string s;
  const u64 touched = rflags_of(f.written | f.undefined | f.maybe);
  if (inst.row->sem != Sem::kPopReg) {
    const u64 changed = (a.rflags ^ test.start.rflags) & kArithmetic & ~touched;
    if (changed) s += message("changes flags that the row does not name", changed);
  }
  // Flags that are not read must not matter to what is always written, nor to anything else.
  flipped = test;
  const u64 ignored = kArithmetic & ~rflags_of(f.read);
  flipped.start.rflags ^= ignored;
  if (!native.run(flipped, b)) return s;
  const u64 always = rflags_of(f.written | f.undefined);
  if ((a.rflags ^ b.rflags) & always)
    s += message("overwritten flags depend on flags that the row does not read", (a.rflags ^ b.rflags) & always);
  if (std::memcmp(a.gpr, b.gpr, sizeof a.gpr) || std::memcmp(a.memory, b.memory, sizeof a.memory))
    s += "  result depends on flags that the row does not read";
  // R8..R15 are never implicit operands: they change only when a field says so.
  auto writes = [&](u8 n) {
    auto is = [&](const Field& field, u8 number) {
      return field.cls == RegClass::kGpr && (static_cast<u8>(field.use) & 2) && number == n;
    };
    return is(inst.row->reg, inst.reg) || (!inst.has_memory && is(inst.row->rm, inst.rm)) ||
           is(inst.row->vvvv, inst.vvvv);
  };
  for (u8 n = 8; n < 16; n++)
    if (a.gpr[n] != test.start.gpr[n] && !writes(n)) s += "  a register changes that no field names";
  // Memory changes only when rm says so (string and stack instructions apart).
  const bool implicit = inst.row->sem == Sem::kHelper ||
                        (inst.row->sem >= Sem::kPushReg && inst.row->sem <= Sem::kLeave) ||
                        inst.row->sem == Sem::kMovOffs || inst.row->sem == Sem::kPushf;
  if (!implicit && !(inst.has_memory && (static_cast<u8>(inst.row->rm.use) & 2)) &&
      std::memcmp(a.memory, test.start.memory, sizeof a.memory))
    s += "  memory changes though rm is not written";
  if (!implicit && inst.has_memory && inst.memory_bytes) {
    u64 first = kScratchBytes, last = 0;
    for (u64 i = 0; i < kScratchBytes; i++)
      if (a.memory[i] != test.start.memory[i]) {
        if (i < first) first = i;
        last = i;
      }
    if (first <= last && inst.row->sem != Sem::kBitTest && last - first >= inst.memory_bytes)
      s += "  more memory changes than rm.width says";
  }
  return s;
}

}  // namespace rz::diff
