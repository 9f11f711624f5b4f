// Guest RAM and translated code are shared memory, which the kernel keeps in 4 KiB pages unless the administrator says
// otherwise; MADV_COLLAPSE makes huge ones of it whatever he says. Only pieces that are hot and almost all resident are
// collapsed, so that a guest takes no more memory for it; one at a time with pauses between, since page faults of the
// vCPUs wait meanwhile.
#include "huge_pages.h"

#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "peer/huge_page.h"

namespace rz {
namespace {

constexpr u64 kSmallBytes = 64u << 20;
constexpr u32 kResidentEnough = peer::kPagesPerHugePage * 15 / 16;
static_assert(RamHeat::kPieceBytes == shared::kHugePageBytes);
constexpr unsigned kPauseUs = 5'000;

void serve(RamHeat& heat, u8* ram) {
  prctl(PR_SET_NAME, "rz-huge-pages");
  std::vector<bool> done(heat.pieces());
  u32 seen = 0;
  for (;;) {
    heat.wait(seen);
    seen = heat.announced();
    for (u64 i = 0; i < heat.pieces(); i++) {
      if (!heat.hot(i)) done[i] = false;
      if (done[i] || !heat.hot(i)) continue;
      u8* at = ram + i * RamHeat::kPieceBytes;
      if (peer::resident_pages(at) < kResidentEnough) {
        heat.cool(i);
        continue;
      }
      done[i] = true;
      if (peer::collapse(at) != 0 && errno == EINVAL) return;  // this kernel cannot
      usleep(kPauseUs);
    }
  }
}

}  // namespace

RamHeat* start_huge_pages(u8* ram, u64 bytes) {
  if (bytes < kSmallBytes || reinterpret_cast<u64>(ram) % RamHeat::kPieceBytes != 0) return nullptr;
  const u64 pieces = bytes / RamHeat::kPieceBytes;
  auto* heat = new RamHeat(ram, pieces, new u32[pieces]());  // as long as the process lives
  std::thread([heat, ram] { serve(*heat, ram); }).detach();
  return heat;
}

}  // namespace rz
