// Architectural registers between KVM's structures and the bytes of the register commands (shared/registers_image.h).
#pragma once

#include "ioctls.h"
#include "shared/registers_image.h"

namespace rz::kvm {

Outcome get_registers(int vcpu, RegistersImage& out);
/// A combination that no processor has is refused by KVM: EINVAL.
Outcome set_registers(int vcpu, const RegistersImage& image);

/// The same between structures. `sregs` keeps what the image does not hold.
RegistersImage image_of(const kvm_regs& regs, const kvm_sregs& sregs);
void apply_image(const RegistersImage& image, kvm_regs& regs, kvm_sregs& sregs);

/// Whether PAE paging is on, whose four directory pointers are the processor's own.
bool pae_paging(u64 cr0, u64 cr4, u64 efer);

}  // namespace rz::kvm
