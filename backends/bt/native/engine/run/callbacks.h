// Slots of Vcpu::thunks: the C++ functions that generated code calls.
#pragma once

#include "../cpu/vcpu.h"

namespace rz {

enum ThunkSlot : u8 {
  kThunkSlowAccess,
  kThunkBouncePrepare,
  kThunkBounceCommit,
  kThunkHelper,
  kThunkRaise,
  kThunkPageChanges,
  kThunkWidenPage
};

/// Fill Vcpu::thunks and Vcpu::self.
void install_callbacks(Vcpu& vcpu);

}  // namespace rz
