// The table of helpers, in the order of enum Helper.
#include "ops.h"

namespace rz {

OpResult (*const kHelpers[])(Vcpu&, const Inst&) = {
#define RZ_HELPER_ENTRY(name) op_##name,
    RZ_HELPERS(RZ_HELPER_ENTRY)
#undef RZ_HELPER_ENTRY
};

}  // namespace rz
