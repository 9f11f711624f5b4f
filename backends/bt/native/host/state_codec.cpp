// Between the engine's structures and the image of a machine (state/machine_image.h), whose bytes are not its affair.
#include "state_codec.h"

#include <string.h>

#include <algorithm>

#include "assemble.h"
#include "cpu/cpuid.h"
#include "cpu/debug.h"
#include "cpu/pvclock.h"
#include "cpu/tsc.h"
#include "registers_codec.h"
#include "run/host_fpu.h"
#include "state/machine_image.h"

namespace rz {

using state::MachineImage;
using state::OneVcpu;

namespace {

constexpr u32 kMsrTsc = 0x10, kMsrKvmWallClock = 0x4b564d00, kMsrKvmClock = 0x4b564d01;
constexpr u32 kMceFirst = 0x400;  // IA32_MC0_CTL; a bank's are four apart
constexpr size_t kXsaveHeaderAt = 512, kXsaveLegacyBytes = 576;
constexpr unsigned kXsavePkru = 9;  // component

/// MSRs that are one field each. FS.base and GS.base are in the registers, the APIC's in its own state.
struct MsrField {
  u32 index;
  u64 Msrs::*field;
};
constexpr MsrField kMsrFields[] = {
    {0x3a, &Msrs::feature_control},
    {0x3b, &Msrs::tsc_adjust},
    {0x48, &Msrs::spec_ctrl},
    {0x174, &Msrs::sysenter_cs},
    {0x175, &Msrs::sysenter_esp},
    {0x176, &Msrs::sysenter_eip},
    {0x17a, &Msrs::mcg_status},
    {0x17b, &Msrs::mcg_ctl},
    {0x1a0, &Msrs::misc_enable},
    {0x1d9, &Msrs::debugctl},
    {0x277, &Msrs::pat},
    {0x2ff, &Msrs::mtrr_def_type},
    {0xda0, &Msrs::xss},
    {kMsrKvmWallClock, &Msrs::kvm_wall_clock},
    {kMsrKvmClock, &Msrs::kvm_clock},
    {0xc0000081, &Msrs::star},
    {0xc0000082, &Msrs::lstar},
    {0xc0000083, &Msrs::cstar},
    {0xc0000084, &Msrs::sfmask},
    {0xc0000102, &Msrs::kernel_gs_base},
    {0xc0000103, &Msrs::tsc_aux},
    {0xc0010010, &Msrs::syscfg},
    {0xc0010015, &Msrs::hwcr},
    {0xc0011029, &Msrs::de_cfg},
};

/// The field behind an index, MTRRs included, or null.
u64* msr_slot(Msrs& msr, u32 index) {
  for (const MsrField& known : kMsrFields) {
    if (known.index == index) return &(msr.*known.field);
  }
  if (index >= kMceFirst && index < kMceFirst + 4 * kMceBanks && (index & 3) == 0)
    return &msr.mce_ctl[(index - kMceFirst) / 4];
  if (index == 0x250) return &msr.mtrr_fixed[0];
  if (index == 0x258 || index == 0x259) return &msr.mtrr_fixed[index - 0x258 + 1];
  if (index >= 0x268 && index <= 0x26f) return &msr.mtrr_fixed[index - 0x268 + 3];
  if (index >= 0x200 && index < 0x220)
    return (index & 1) ? &msr.mtrr_mask[(index - 0x200) / 2] : &msr.mtrr_base[(index - 0x200) / 2];
  return nullptr;
}

/// @param now  host_tsc(), the same for all vCPUs, whose counters then keep their distances
std::vector<MsrImage> msrs_of(Vcpu& v, u64 now) {
  std::vector<MsrImage> list;
  list.push_back({kMsrTsc, 0, now + v.msr.tsc_offset});
  for (const MsrField& known : kMsrFields) list.push_back({known.index, 0, v.msr.*known.field});
  for (u32 index = 0x200; index < 0x270; ++index) {
    if (const u64* slot = msr_slot(v.msr, index)) list.push_back({index, 0, *slot});
  }
  for (u32 bank = 0; bank < kMceBanks; ++bank) {
    const u32 index = kMceFirst + 4 * bank;
    list.push_back({index, 0, *msr_slot(v.msr, index)});
  }
  return list;
}

size_t xsave_bytes(const Vcpu& v) {
  u64 present;
  memcpy(&present, v.xsave + kXsaveHeaderAt, 8);
  size_t end = kXsaveLegacyBytes;
  for (unsigned i = 2; i < 63; ++i) {
    if ((present >> i & 1) == 0) continue;
    const CpuidResult component = host_cpuid(0xd, i);  // size in EAX, offset in EBX
    end = std::max<size_t>(end, component.ebx + component.eax);
  }
  return std::min(end, sizeof v.xsave);
}

/// The XSAVE image with PKRU, which the engine keeps beside it.
std::vector<u8> xsave_image(const Vcpu& v) {
  std::vector<u8> image(v.xsave, v.xsave + xsave_bytes(v));
  if (v.msr.pkru == 0) return image;  // the initial value: not present
  const u32 at = v.machine->cpuid->xsave_offset[kXsavePkru];
  image.resize(std::max<size_t>(image.size(), at + 8));
  memcpy(image.data() + at, &v.msr.pkru, 8);
  image[kXsaveHeaderAt + 1] |= kXcr0Pkru >> 8;
  return image;
}

void save_vcpu(Vcpu& v, u64 now, OneVcpu& one) {
  one.registers = registers_of(v);
  VcpuImage& image = one.vcpu;
  image = {};
  image.xcr0 = v.xcr0;
  memcpy(image.dr, v.dr, sizeof image.dr);
  memcpy(image.pdpte, v.pdpte, sizeof image.pdpte);
  image.exception_cr2 = v.exception.cr2;
  image.exception_error = v.exception.error;
  image.exception_vector = v.exception.vector;
  image.exception_has_error = v.exception.has_error;
  image.exception_software = v.exception.software;
  image.halted = v.wait_for_sipi ? 2 : v.halted;
  image.nmi_blocked = v.nmi_blocked;
  if (v.shadow_rip == v.rip) image.interrupt_shadow = v.shadow_by_ss ? VcpuImage::kShadowMovSs : VcpuImage::kShadowSti;
  image.shut_down = v.shutdown;
  one.msrs = msrs_of(v, now);
  one.xsave = xsave_image(v);
}

/// What only this engine can say of an image: null, or what it cannot honour.
const char* check_vcpu(const OneVcpu& one, const CpuidProfile& cpuid) {
  if (!registers_possible(one.registers)) return "the registers hold a combination that no processor has";
  Msrs scratch;
  for (const MsrImage& msr : one.msrs) {
    if (msr.index != kMsrTsc && msr_slot(scratch, msr.index) == nullptr)
      return "the state sets an MSR that this engine does not have";
  }
  if (one.xsave.size() > sizeof Vcpu::xsave) return "the FPU state is larger than any that this engine has";
  u64 present;
  memcpy(&present, one.xsave.data() + kXsaveHeaderAt, 8);
  if ((present & kXcr0Pkru) != 0) {
    if ((cpuid.xcr0 & kXcr0Pkru) == 0) return "the state has protection keys, which this machine's CPU profile lacks";
    if (one.xsave.size() < cpuid.xsave_offset[kXsavePkru] + 8) return "the FPU state is cut off";
  }
  if ((present & ~(fpu_components() | kXcr0Pkru)) != 0)
    return "the FPU state has components that this host's processor lacks";
  return nullptr;
}

/// @param now  host_tsc(), the same for all vCPUs
void load_vcpu(Vcpu& v, u64 now, const OneVcpu& one) {
  const VcpuImage& image = one.vcpu;
  (void)put_registers(v, one.registers);  // without the pointers of a PAE directory, which the state has itself
  v.xcr0 = image.xcr0;
  memcpy(v.dr, image.dr, sizeof image.dr);
  debug_refresh(v);
  memcpy(v.pdpte, image.pdpte, sizeof image.pdpte);
  v.exception = PendingException{.vector = image.exception_vector,
                                 .has_error = image.exception_has_error != 0,
                                 .software = image.exception_software != 0,
                                 .error = image.exception_error,
                                 .cr2 = image.exception_cr2};
  v.halted = image.halted == 1;
  v.wait_for_sipi = image.halted == 2;
  v.nmi_blocked = image.nmi_blocked != 0;
  v.shutdown = image.shut_down != 0;
  v.shadow_rip = image.interrupt_shadow != 0 ? v.rip : ~0ull;
  v.shadow_by_ss = image.interrupt_shadow == VcpuImage::kShadowMovSs;
  memset(v.xsave, 0, sizeof v.xsave);
  memcpy(v.xsave, one.xsave.data(), one.xsave.size());
  v.msr.pkru = 0;
  if ((v.xsave[kXsaveHeaderAt + 1] & kXcr0Pkru >> 8) != 0) {
    memcpy(&v.msr.pkru, v.xsave + v.machine->cpuid->xsave_offset[kXsavePkru], 4);
    v.xsave[kXsaveHeaderAt + 1] &= static_cast<u8>(~(kXcr0Pkru >> 8));
  }
  memset(v.xsave + kXsaveHeaderAt + 8, 0, 56);  // XRSTOR faults on anything else in the rest of the header
  for (const MsrImage& msr : one.msrs) {
    if (msr.index == kMsrTsc)
      v.msr.tsc_offset = msr.value - now;
    else
      *msr_slot(v.msr, msr.index) = msr.value;
  }
  v.fpu_live = false;
}

}  // namespace

std::vector<u8> save_machine(Machine& machine, NativeDevices& devices) {
  MachineImage image;
  image.tsc_hz = machine.tsc_hz;
  const u64 now = host_tsc();
  image.uptime_ticks = now - machine.vcpus[0]->boot_tsc;
  image.vcpus.resize(machine.vcpus.size());
  for (Vcpu* vcpu : machine.vcpus) {
    save_vcpu(*vcpu, now, image.vcpus[vcpu->index]);
    image.vcpus[vcpu->index].vcpu.x87_ignored = devices.irq().x87_ignored();
  }
  std::vector<LapicState> apics(image.vcpus.size());
  devices.irq().save(image.chips, apics);
  for (size_t i = 0; i < apics.size(); ++i) image.vcpus[i].lapic = apics[i];
  for (const auto& uart : devices.uarts()) uart->chip().save(image.uarts.emplace_back());
  return state::encode(image);
}

const char* load_machine(Machine& machine, NativeDevices& devices, const u8* from, size_t bytes) {
  const std::vector<u8> copy(from, from + bytes);  // checked and used as one: the area may change under us
  MachineImage image;
  image.vcpus.resize(machine.vcpus.size());
  image.uarts.resize(devices.uarts().size());
  if (const char* why = state::decode(copy.data(), copy.size(), image)) return why;
  if (const char* why = state::check_tsc_rate(image, machine.tsc_hz)) return why;
  std::vector<LapicState> apics;
  for (const OneVcpu& one : image.vcpus) {
    if (const char* why = check_vcpu(one, *machine.cpuid)) return why;
    apics.push_back(one.lapic);
  }
  devices.irq().load(image.chips, apics);
  const u64 now = host_tsc();
  for (Vcpu* vcpu : machine.vcpus) load_vcpu(*vcpu, now, image.vcpus[vcpu->index]);
  devices.irq().set_x87_ignored(
      std::ranges::any_of(image.vcpus, [](const OneVcpu& one) { return one.vcpu.x87_ignored != 0; }));
  for (size_t i = 0; i < image.uarts.size(); ++i) {
    if (!devices.uarts()[i]->chip().load(image.uarts[i])) return "a UART's state is impossible";
  }
  drop_all_code(machine);
  set_tsc_rate(machine, image.tsc_hz);  // what the guest was told
  const u64 boot_tsc = now - image.uptime_ticks;
  for (Vcpu* vcpu : machine.vcpus) vcpu->boot_tsc = boot_tsc;
  // The TSC's distance to the host's changed: what was computed from it is computed again.
  for (Vcpu* vcpu : machine.vcpus) {
    devices.irq().tsc_changed(*vcpu);
    pvclock_write_system_time(*vcpu, vcpu->msr.kvm_clock);
  }
  return nullptr;
}

}  // namespace rz
