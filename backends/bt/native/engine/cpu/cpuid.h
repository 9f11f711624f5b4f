// CPUID as a vCPU of this engine sees it; profiles and leaves are shared by all engines (cpuid/cpuid_profile.h).
#pragma once

#include "cpuid/cpuid_profile.h"

namespace rz {

struct Vcpu;

/// One leaf as this vCPU sees it now (OSXSAVE, APIC id and XSAVE size depend on its state).
CpuidResult cpuid_read(const Vcpu& vcpu, u32 leaf, u32 subleaf);

/// True when a row of the instruction table gated by `feature` (isa/features.h) exists under this profile.
bool profile_has(const CpuidProfile& profile, u8 feature);

}  // namespace rz
