// Between the engine's Vcpu and the bytes of its registers (shared/registers_image.h).
#pragma once

#include "cpu/vcpu.h"
#include "shared/registers_image.h"

namespace rz {

/// Returns the number of bytes written.
u32 encode_registers(const Vcpu& vcpu, u8* into);
/// False when `bytes` is not the size of an image or a value cannot be (impossible CR0, CR4, EFER combinations, no page
/// directory pointers at CR3). Nothing changes then, except in the last case.
bool decode_registers(Vcpu& vcpu, const u8* from, u32 bytes);

/// The same by structure.
RegistersImage registers_of(const Vcpu& vcpu);
/// False: no page directory pointers at CR3. @param image  possible
bool put_registers(Vcpu& vcpu, const RegistersImage& image);

/// Whether an image holds values that a processor can have.
bool registers_possible(const RegistersImage& image);

}  // namespace rz
