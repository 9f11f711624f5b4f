// A guest store that hits translated code and may go on in its block. See code_store.cpp.
#pragma once

#include "../mmu/mmu.h"

namespace rz {

/// Drop the translations under a store that missed the inline check with SlowAccess::kCode. May wait for the code lock,
/// which is a safe point: then the store has to be looked at again.
/// @param block  which stores
/// @returns where to store, or null: re-execute through the bounce buffer
u8* store_onto_code(Vcpu& vcpu, const SlowResult& target, unsigned bytes, u32 block);

}  // namespace rz
