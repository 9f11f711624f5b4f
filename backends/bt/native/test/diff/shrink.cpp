// See shrink.h: first instructions, in ever smaller runs, then registers, memory and vector state.
#include "shrink.h"

#include <cstring>

#include "program.h"

namespace rz::diff {
namespace {

bool fewer_instructions(TestCase& best, const std::function<bool(const TestCase&)>& fails) {
  bool any = false;
  for (size_t run = best.insts.size() / 2; run >= 1; run /= 2) {
    for (size_t first = 0; first < best.insts.size();) {
      TestCase candidate;
      if (run < best.insts.size() && without_instructions(best, first, run, candidate) && fails(candidate)) {
        best = candidate;
        any = true;
      } else {
        first++;
      }
    }
  }
  return any;
}

template <typename Change>
bool plainer(TestCase& best, const std::function<bool(const TestCase&)>& fails, Change change) {
  TestCase candidate = best;
  change(candidate.start);
  if (!std::memcmp(&candidate.start, &best.start, sizeof candidate.start) || !fails(candidate)) return false;
  best = candidate;
  return true;
}

}  // namespace

TestCase shrink(const TestCase& failing, const std::function<bool(const TestCase&)>& fails) {
  TestCase best = failing;
  while (fewer_instructions(best, fails)) {}
  for (unsigned i = 0; i < 16; i++) plainer(best, fails, [i](TestState& s) { s.gpr[i] = 0; });
  for (unsigned i = 0; i < 6; i++) {
    static constexpr u64 kBits[] = {1, 4, 16, 64, 128, 2048};
    plainer(best, fails, [i](TestState& s) { s.rflags &= ~kBits[i]; });
  }
  plainer(best, fails, [](TestState& s) { s.rflags &= ~kDirection; });
  for (u64 bytes = kScratchBytes; bytes >= 8; bytes /= 2)
    for (u64 at = 0; at + bytes <= kScratchBytes; at += bytes)
      if (bytes > 64 || best.insts.size() <= 3)
        plainer(best, fails, [=](TestState& s) { std::memset(s.memory + at, 0, bytes); });
  for (unsigned i = 0; i < 16; i++) {
    plainer(best, fails, [i](TestState& s) { std::memset(s.vector.ymm_high(i), 0, 16); });
    plainer(best, fails, [i](TestState& s) { std::memset(s.vector.xmm(i), 0, 16); });
    if (i < 8) plainer(best, fails, [i](TestState& s) { std::memset(s.vector.st(i), 0, 16); });
  }
  plainer(best, fails, [](TestState& s) {
    const u32 mxcsr = 0x1f80;
    std::memcpy(s.vector.bytes + 24, &mxcsr, 4);
  });
  plainer(best, fails, [](TestState& s) {
    const u16 control = 0x37f, status = 0;
    std::memcpy(s.vector.bytes, &control, 2);
    std::memcpy(s.vector.bytes + 2, &status, 2);
    s.vector.bytes[4] = 0;
  });
  return best;
}

}  // namespace rz::diff
