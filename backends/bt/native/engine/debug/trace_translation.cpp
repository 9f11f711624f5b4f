// Trace lines of translations. A file of its own, so that whoever links nothing but processor and memory needs no
// translator for trace.h's lines.
#include <unistd.h>

#include "../cache/code_cache.h"
#include "../run/host_fpu.h"
#include "listing.h"
#include "trace.h"

namespace rz {
namespace {

/// A listing, each line with the flag's name in front.
void write_listing(int fd, const std::string& listing) {
  std::string text;
  for (size_t at = 0; at < listing.size();) {
    const size_t end = listing.find('\n', at);
    text += "host   " + listing.substr(at, end - at) + "\n";
    at = end + 1;
  }
  (void)!write(fd, text.data(), text.size());
}

}  // namespace

void trace_translation(Vcpu& v, const Translator& translator, u32 index) {
  const Machine& machine = *v.machine;
  const Block& block = machine.code->block(index);
  if (tracing(machine, Trace::kBlock)) {
    TraceLine(v, Trace::kBlock, "")
        .hex("at", block.rip)
        .hex("physical", block.gpa)
        .hex("mode", block.mode)
        .number("guest-instructions", block.insts)
        .number("pieces", 1 + block.more_count)
        .number("host-bytes", block.code_end - block.code_indirect)
        .text("ends", kCounterNames[static_cast<unsigned>(translator.why_ended())]);
  }
  if (!tracing(machine, Trace::kHost)) return;
  HostFpuScope scope(v);
  write_listing(machine.options.trace_fd, list_translation(translator, *machine.code, index).text);
}

}  // namespace rz
