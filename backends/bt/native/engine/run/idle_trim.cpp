// See idle_trim.h.
#include "idle_trim.h"

#include "../cache/code_cache.h"
#include "../irq/clock.h"
#include "../irq/wait.h"

namespace rz {
namespace {

constexpr u64 kWindowNs = 1'000'000'000;

bool others_awake(const Vcpu& self) {
  for (const Vcpu* v : self.machine->vcpus)
    if (v != &self && v->sleeping.load(std::memory_order_relaxed) == 0) return true;
  return false;
}

}  // namespace

bool IdleTrim::due(const Vcpu& vcpu) {
  const u64 code_bytes = vcpu.machine->code->used();
  if (code_bytes < limit_bytes_) {
    watching_ = false;
    return false;
  }
  const u64 now = monotonic_ns();
  if (!watching_) {
    watching_ = true;
    window_ns_ = now;
    slept_ns_ = 0;
  }
  const u64 window = now - window_ns_;
  if (window < kWindowNs) return false;
  const bool idle = slept_ns_ >= window / 10 * 9 && !others_awake(vcpu);
  window_ns_ = now;
  slept_ns_ = 0;
  if (idle) limit_bytes_ = 2 * code_bytes;
  return idle;
}

void IdleTrim::sleep(Vcpu& vcpu, u64 deadline_ns) {
  if (due(vcpu)) {
    vcpu.request(kAttnFlush);
    return;
  }
  if (!watching_) {
    wait_for_attention(vcpu, deadline_ns);
    return;
  }
  const u64 from = monotonic_ns();
  const u64 end_of_window = window_ns_ + kWindowNs;
  wait_for_attention(vcpu, deadline_ns < end_of_window ? deadline_ns : end_of_window);
  slept_ns_ += monotonic_ns() - from;
}

}  // namespace rz
