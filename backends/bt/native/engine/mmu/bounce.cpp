// The bounce buffer: an access that crosses a page, is MMIO or hits translated code runs the same instruction on a
// copy. All pages are probed before the instruction runs, so the write-back cannot fault; MMIO is read exactly once.
#include "../cpu/debug.h"
#include "spans.h"

namespace rz {

bool bounce_prepare(Vcpu& vcpu, u64 linear, unsigned bytes, Access access) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  if (alignment_fault(vcpu, linear, bytes)) return false;
  Spans spans;
  if (!resolve_spans(vcpu, linear, bytes, access, current_class(vcpu), spans)) return false;
  note_access(vcpu, linear, bytes, access);
  vcpu.bounce_linear = linear;
  vcpu.bounce_bytes = bytes;
  vcpu.bounce_access = access;
  vcpu.bounce_spans = spans.count;
  for (unsigned i = 0; i < spans.count; ++i) vcpu.bounce_span[i] = spans.part[i];
  if (reads(access)) {
    spans_read(vcpu, spans.part, spans.count, bounce_operand(vcpu));
  } else {
    // A write that covers less than it announced (masked stores) must keep RAM as it was.
    u8* to = bounce_operand(vcpu);
    for (unsigned i = 0; i < spans.count; ++i) {
      if (spans.part[i].host) spans_read(vcpu, &spans.part[i], 1, to);
      to += spans.part[i].bytes;
    }
  }
  return true;
}

void bounce_commit(Vcpu& vcpu) {
  if (writes(vcpu.bounce_access)) spans_write(vcpu, vcpu.bounce_span, vcpu.bounce_spans, bounce_operand(vcpu));
}

}  // namespace rz
