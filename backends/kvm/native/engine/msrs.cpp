// The table of MSRs.
#include "msrs.h"

#include <iterator>

#include "cpuid/control_bits.h"

namespace rz::kvm {

namespace {

constexpr u32 kMceFirst = 0x400;  // IA32_MC0_CTL; a bank's are four apart

constexpr MsrRow kRows[] = {
    {0x3a, 0},                    // IA32_FEATURE_CONTROL
    {0x3b, 0},                    // IA32_TSC_ADJUST
    {0x48, 0},                    // IA32_SPEC_CTRL
    {0x174, 0},                   // IA32_SYSENTER_CS, _ESP, _EIP
    {0x175, 0},                   //
    {0x176, 0},                   //
    {0x17a, 0},                   // IA32_MCG_STATUS
    {0x17b, ~0ull},               // IA32_MCG_CTL
    {0x1a0, 1},                   // IA32_MISC_ENABLE
    {0x1d9, 0},                   // IA32_DEBUGCTL
    {0x277, 0x0007040600070406},  // IA32_PAT
    {0x2ff, 0},                   // IA32_MTRR_DEF_TYPE
    {0xda0, 0},                   // IA32_XSS
    {0x4b564d00, 0},              // KVM's wall clock
    {0x4b564d01, 0},              // and system time
    {0xc0000081, 0},              // STAR, LSTAR, CSTAR, SFMASK
    {0xc0000082, 0},              //
    {0xc0000083, 0},              //
    {0xc0000084, 0},              //
    {0xc0000102, 0},              // KERNEL_GS_BASE
    {0xc0000103, 0},              // TSC_AUX
    {0xc0010010, 0},              // SYSCFG
    {0xc0010015, 0},              // HWCR
    {0xc0011029, 2},              // DE_CFG
};

struct OneMsr {
  u32 count = 1, pad = 0;
  kvm_msr_entry entry = {};
};

}  // namespace

const std::vector<MsrRow>& msr_rows() {
  static const std::vector<MsrRow> kAll = [] {
    std::vector<MsrRow> rows(std::begin(kRows), std::end(kRows));
    for (u32 index = 0x200; index < 0x220; ++index) rows.push_back({index, 0});  // variable MTRRs
    for (u32 index : {0x250, 0x258, 0x259}) rows.push_back({index, 0});          // fixed ones
    for (u32 index = 0x268; index < 0x270; ++index) rows.push_back({index, 0});
    for (u32 bank = 0; bank < kMceBanks; ++bank) rows.push_back({kMceFirst + 4 * bank, ~0ull});
    return rows;
  }();
  return kAll;
}

bool get_msr(int vcpu, u32 index, u64& value) {
  OneMsr one;
  one.entry.index = index;
  int done = 0;
  if (!call(vcpu, kGetMsrs, &one, &done).ok() || done != 1) return false;
  value = one.entry.data;
  return true;
}

bool set_msr(int vcpu, u32 index, u64 value) {
  OneMsr one;
  one.entry.index = index;
  one.entry.data = value;
  int done = 0;
  return call(vcpu, kSetMsrs, &one, &done).ok() && done == 1;
}

}  // namespace rz::kvm
