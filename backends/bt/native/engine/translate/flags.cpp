// Parking: moving the guest's arithmetic flags out of the host's EFLAGS and back.
// The image is what LAHF puts in AH, with SETO's result in AL; OF comes back from an addition that overflows.
#include "translator.h"

namespace rz {

void Translator::park(Host temp) {
  emit_park(a_, temp, offsetof(Vcpu, parked_flags));
  parked_ = true;
  if (temp == kT1) t1_home_ = kNoReg;
}

void Translator::unpark(Host temp) {
  a_.mov(temp, hRax);
  a_.gs_load16z(hRax, offsetof(Vcpu, parked_flags));
  a_.b(0x04);
  a_.b(0x7f);  // add al, 7fh: overflows exactly when AL is 1
  a_.sahf();
  a_.mov(hRax, temp);
  parked_ = false;
  if (temp == kT1) t1_home_ = kNoReg;
}

}  // namespace rz
