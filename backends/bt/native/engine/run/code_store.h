// A guest store that hits translated code, carried out in C++ where that is simple. See code_store.cpp.
#pragma once

#include "../mmu/mmu.h"

namespace rz {

/// Carry out the store that missed the inline check with SlowAccess::kCode, and drop the translations under it.
/// @param block, guest_offset  the instruction that stores; guest registers are saved, vector state is live
/// @returns where the translated store may now write without effect, or null: re-execute through the bounce buffer
u8* store_onto_code(Vcpu& vcpu, const SlowResult& target, u64 linear, unsigned bytes, u32 block, u32 guest_offset);

}  // namespace rz
