// The emitted-code verifier: proves of a piece of emitted host code that it cannot touch memory other than guest RAM
// that a check let through, the vCPU's fields and the soft TLB, and cannot leave but by the thunks. It trusts nothing
// of the translator: it decodes the bytes and follows every path with what is known of each register (values.h).
// docs/security.md says what follows from it. A debugging aid: EngineOptions::verify, and on in debug builds.
#pragma once

#include "../cache/code_cache.h"

namespace rz {

/// Why a piece of code was refused; `reason` is null when it was not.
struct Violation {
  const char* reason = nullptr;
  u32 offset = 0;  // of the instruction in the code cache
  explicit operator bool() const { return reason != nullptr; }
};

/// A piece of emitted code, before any of its links was connected.
struct EmittedCode {
  u32 begin, end;  // offsets in the code cache
  u32 entry[4];  // where control can come in or paths meet that know nothing; the same offset may stand there more than
                 // once
  u32 block;     // the block that it belongs to, or 0 for code outside of blocks
};

/// Check one piece of code. Allocates and uses libc: not while the guest's vector state is in the host's registers.
[[nodiscard]] Violation verify_code(const CodeCache& code, const EmittedCode& piece);

/// Check that every link leads to its stub, or to the entry of its kind of the valid block that it is linked to.
[[nodiscard]] Violation verify_links(const CodeCache& code);

/// What the translator calls behind each block when EngineOptions::verify is set: the end of the process, with a
/// report on standard error, if the code is refused.
void verify_or_abort(Vcpu& vcpu, const CodeCache& code, const EmittedCode& piece);

}  // namespace rz
