// The vCPU's side of CPUID, and which rows of the instruction table a profile has.
#include "cpuid.h"

#include "../isa/features.h"
#include "../run/machine.h"

namespace rz {

CpuidResult cpuid_read(const Vcpu& v, u32 leaf, u32 subleaf) {
  return cpuid_leaf({*v.machine->cpuid, v.index, v.cr4, (v.msr.apic_base & 1u << 11) != 0, v.xcr0, v.code64()}, leaf,
                    subleaf);
}

bool profile_has(const CpuidProfile& p, u8 feature) {
  if (feature == 0) return true;
  if (feature >= sizeof kFeatureBits / sizeof kFeatureBits[0]) return false;
  const FeatureBit& f = kFeatureBits[feature];
  u32 word = 0;
  switch (f.leaf) {
    case 1: word = f.reg == 2 ? p.f1_ecx : p.f1_edx; break;
    case 7: word = f.subleaf == 1 ? p.f7_1_eax : f.reg == 1 ? p.f7_ebx : f.reg == 2 ? p.f7_ecx : p.f7_edx; break;
    case 0xd: word = p.xd1_eax; break;
    case 0x80000001: word = f.reg == 2 ? p.x1_ecx : p.x1_edx; break;
    case 0x80000008: word = p.x8_ebx; break;
    default: return false;
  }
  return (word >> f.bit & 1) != 0;
}

}  // namespace rz
