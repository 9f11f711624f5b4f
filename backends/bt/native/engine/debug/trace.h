// Trace lines: one event each, its flag's name first, so that grep is the viewer:
//   exit   vcpu0 +1.204ms port-out port=0x3f8 size=1 value=0x48
// Off the hot path only: a flag that is off costs a test where translated code was left anyway. Needs no vector
// registers, so that it can be called while the guest's are live.
#pragma once

#include "../run/machine.h"
#include "trace_flags.inc"

namespace rz {

enum class Trace : u32 {
#define RZ_TRACE_INDEX(name, text, meaning) name,
  RZ_TRACE_FLAGS(RZ_TRACE_INDEX)
#undef RZ_TRACE_INDEX
      kCount
};

inline bool tracing(const Machine& machine, Trace flag) {
  return (machine.options.trace >> static_cast<u32>(flag) & 1) != 0;
}

/// The flags that a list such as "exit,mmio" names. False at a name that is not known.
bool parse_trace(const char* list, u32& flags);

/// One line; written as a whole at the end of its life.
class TraceLine {
 public:
  /// @param what  first word behind the time; may be empty
  TraceLine(const Vcpu& vcpu, Trace flag, const char* what);
  ~TraceLine();
  TraceLine(const TraceLine&) = delete;
  TraceLine& operator=(const TraceLine&) = delete;
  TraceLine& hex(const char* name, u64 value);
  TraceLine& number(const char* name, u64 value);
  TraceLine& text(const char* name, const char* value);

 private:
  void put(const char* s);
  void put_number(u64 value, unsigned base, unsigned least_digits = 1);

  int fd_;
  unsigned used_ = 0;
  char buffer_[256];
};

class Translator;
/// `block` and `host` lines of what the translator just made. On the vCPU's thread.
void trace_translation(Vcpu& vcpu, const Translator& translator, u32 block);

}  // namespace rz
