// Architectural registers between KVM's structures and the bytes of the register commands (shared/registers_image.h).
#pragma once

#include "ioctls.h"
#include "shared/registers_image.h"

namespace rz::kvm {

Outcome get_registers(int vcpu, RegistersImage& out);
/// A combination that no processor has is refused by KVM: EINVAL.
Outcome set_registers(int vcpu, const RegistersImage& image);

}  // namespace rz::kvm
