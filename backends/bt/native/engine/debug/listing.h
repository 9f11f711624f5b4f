// Text of a translation: each guest instruction, and below it the host code that it became, with the names of thunks
// and vCPU fields. For golden files, the trace flag `host`, and whoever wonders why a block is slow.
#pragma once

#include <string>

#include "../translate/translator.h"

namespace rz {

struct Listing {
  std::string text;
  unsigned inline_insts = 0;  // host instructions from the direct entry to the end of the body
  unsigned all_insts = 0;     // with entries and out-of-line code
};

/// List what `translator` just made as block `index`. Offsets count from the block's first byte, and numbers that
/// differ from run to run (addresses of kept instructions) are not shown. Allocates: not while guest vector state is
/// live.
Listing list_translation(const Translator& translator, const CodeCache& code, u32 index);

/// List block `index`, its guest instructions as they are in memory now. While no vCPU of the machine runs, or on the
/// thread of its only one.
Listing list_block(const Machine& machine, u32 index);

/// List the youngest `most` blocks that were made of the instruction at `address` (an offset in CS, as RIP is).
/// Likewise.
std::string list_blocks_at(const Machine& machine, u64 address, unsigned most);

}  // namespace rz
