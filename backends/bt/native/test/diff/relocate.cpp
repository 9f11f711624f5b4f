// Takes instructions out of a program; see program.h.
#include <cstring>

#include "program.h"

namespace rz::diff {
namespace {

bool is_branch(const Inst& inst) { return inst.row->imm == Imm::kRel8 || inst.row->imm == Imm::kRelZ; }

// Old and new places of a program's instructions, as offsets from its beginning.
struct Move {
  std::vector<size_t> from, to;  // one more than there are instructions
  u64 base;                      // address of the beginning, as instructions see it

  bool in_code(u64 address) const { return address >= base && address <= base + from.back(); }
  u64 moved(u64 address) const {
    if (!in_code(address)) return address;
    const size_t offset = address - base;
    size_t i = 0;
    while (i + 1 < from.size() && from[i + 1] <= offset) i++;
    const bool gone = i + 1 < to.size() && to[i + 1] == to[i];
    return base + to[i] + (gone ? 0 : offset - from[i]);
  }
};

}  // namespace

bool decode_all(TestCase& test) {
  test.insts.clear();
  for (size_t at = 0; at < test.code.size();) {
    Inst inst;
    u8 bytes[kMaxInstBytes] = {};
    const size_t room = test.code.size() - at < sizeof bytes ? test.code.size() - at : sizeof bytes;
    std::memcpy(bytes, &test.code[at], room);
    if (decode(bytes, kMaxInstBytes, test.size, inst) != DecodeStatus::kOk || inst.length > room) return false;
    test.insts.push_back(inst);
    at += inst.length;
  }
  return true;
}

bool without_instructions(const TestCase& from, size_t first, size_t count, TestCase& out) {
  out = from;
  Move move{{0}, {0}, from.code_at - code_base(from.size)};
  for (size_t i = 0; i < from.insts.size(); i++) {
    const bool gone = i >= first && i < first + count;
    move.from.push_back(move.from.back() + from.insts[i].length);
    move.to.push_back(move.to.back() + (gone ? 0 : from.insts[i].length));
  }
  out.code.clear();
  for (size_t i = 0; i < from.insts.size(); i++) {
    if (i >= first && i < first + count) continue;
    const Inst& inst = from.insts[i];
    const size_t start = out.code.size();
    const auto begin = from.code.begin() + static_cast<long>(move.from[i]);
    out.code.insert(out.code.end(), begin, begin + inst.length);
    const u64 next = move.base + move.from[i + 1], new_next = move.base + move.to[i + 1];
    auto put = [&](size_t before_end, u64 value, unsigned bytes) {
      std::memcpy(&out.code[start + inst.length - before_end - bytes], &value, bytes);
    };
    if (is_branch(inst)) {
      const u64 distance = move.moved(next + inst.imm) - new_next;
      if (inst.imm_bytes == 1 && static_cast<i64>(distance) != static_cast<signed char>(distance)) return false;
      put(0, distance, inst.imm_bytes);
    } else if (inst.rip_relative) {
      put(inst.imm_bytes, move.moved(next + static_cast<u64>(static_cast<i64>(inst.disp))) - new_next, 4);
    } else if (inst.has_memory && inst.base == kNoReg && inst.index == kNoReg && from.size == CodeSize::k32) {
      put(inst.imm_bytes, move.moved(static_cast<u32>(inst.disp)), 4);
    } else if (inst.row->sem == Sem::kMovImm && inst.imm_bytes == 4 && from.size == CodeSize::k32 &&
               move.in_code(static_cast<u32>(inst.imm))) {
      put(0, move.moved(static_cast<u32>(inst.imm)), 4);
    }
  }
  for (size_t at = 0; at < 64; at += 8) {  // the table of function addresses
    u64 address;
    std::memcpy(&address, out.start.stack + at, 8);
    if (address && move.in_code(address)) {
      address = move.moved(address);
      std::memcpy(out.start.stack + at, &address, 8);
    }
  }
  return decode_all(out) && !out.insts.empty();
}

}  // namespace rz::diff
