// The decoder against the processor's own: which bytes are an instruction, and how long it is.
#pragma once

#include <string>

#include "generate.h"

namespace rz::diff {

/// Bytes that look like an instruction: prefixes, an opcode of some map, ModRM, noise.
/// @param out  fifteen of them
void random_bytes(Rng& rng, CodeSize size, u8 (&out)[kMaxInstBytes]);

/// Let the processor and decode() read the same bytes. The processor tells a length by where it stops fetching: the
/// bytes stand at the end of a page behind which there is nothing. Only instructions that cannot hurt are executed.
/// @returns how they differ, empty when they agree or the bytes are outside the comparison
std::string check_decoder(const u8 (&bytes)[kMaxInstBytes], CodeSize size, Runner& native);

}  // namespace rz::diff
