// Ways to break emitted code so that it would reach host memory or leave by the wrong door. The verifier must refuse
// every one of them.
#pragma once

#include <random>
#include <vector>

#include "decode/inst.h"

namespace rz::verify_test {

using Rng = std::mt19937_64;

/// One instruction of an emitted piece, and the one behind it.
struct Site {
  Inst inst, next;
  u32 offset;  // in the code cache
};

struct Mutation {
  const char* name;
  /// Change the bytes of the instruction in place (and of what follows, up to 16 in all). False: does not apply here.
  bool (*apply)(const Site& site, u8* bytes, Rng& rng);
};

const std::vector<Mutation>& mutations();

}  // namespace rz::verify_test
