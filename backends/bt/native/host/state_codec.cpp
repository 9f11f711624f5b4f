// Writing and reading the state's chunks.
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
#include "state/state_chunks.h"

namespace rz {

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

class Writer {
 public:
  void chunk(u32 tag, u32 instance, const void* payload, size_t bytes) {
    const ChunkHeader header = {tag, 1, instance, static_cast<u32>(bytes)};
    append(&header, sizeof header);
    append(payload, bytes);
    bytes_.resize((bytes_.size() + 7) & ~size_t{7});
    ++chunks_;
  }
  void append(const void* from, size_t bytes) {
    const auto* first = static_cast<const u8*>(from);
    bytes_.insert(bytes_.end(), first, first + bytes);
  }
  std::vector<u8> bytes_;
  u32 chunks_ = 0;
};

void write_msrs(Writer& out, Vcpu& v) {
  std::vector<MsrImage> list;
  list.push_back({kMsrTsc, 0, guest_tsc(v)});
  for (const MsrField& known : kMsrFields) list.push_back({known.index, 0, v.msr.*known.field});
  for (u32 index = 0x200; index < 0x270; ++index) {
    if (const u64* slot = msr_slot(v.msr, index)) list.push_back({index, 0, *slot});
  }
  for (u32 bank = 0; bank < kMceBanks; ++bank) {
    const u32 index = kMceFirst + 4 * bank;
    list.push_back({index, 0, *msr_slot(v.msr, index)});
  }
  out.chunk(kChunkMsrs, v.index, list.data(), list.size() * sizeof(MsrImage));
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

void write_vcpu(Writer& out, Vcpu& v) {
  u8 registers[sizeof(RegistersImage)];
  out.chunk(kChunkRegisters, v.index, registers, encode_registers(v, registers));
  VcpuImage image = {};
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
  image.interrupt_shadow = v.shadow_rip == v.rip;
  image.shut_down = v.shutdown;
  out.chunk(kChunkVcpu, v.index, &image, sizeof image);
  write_msrs(out, v);
  const std::vector<u8> xsave = xsave_image(v);
  out.chunk(kChunkXsave, v.index, xsave.data(), xsave.size());
}

/// The chunks of a state, found and checked against the machine, before anything is changed.
struct Parsed {
  struct Span {
    const u8* data = nullptr;
    size_t bytes = 0;
  };
  struct OneVcpu {
    Span registers, vcpu, msrs, xsave;
  };
  std::vector<OneVcpu> vcpus;
  std::vector<Span> uarts;
  Span irq;
};

const char* place(Parsed& state, const ChunkHeader& header, const u8* payload) {
  Parsed::Span* slot = nullptr;
  if (header.version != 1) return "a part of the state is of a version that is unknown here";
  if (header.tag == kChunkIrq && header.instance == 0)
    slot = &state.irq;
  else if (header.tag == kChunkUart && header.instance < state.uarts.size())
    slot = &state.uarts[header.instance];
  else if (header.instance < state.vcpus.size()) {
    Parsed::OneVcpu& one = state.vcpus[header.instance];
    if (header.tag == kChunkRegisters)
      slot = &one.registers;
    else if (header.tag == kChunkVcpu)
      slot = &one.vcpu;
    else if (header.tag == kChunkMsrs)
      slot = &one.msrs;
    else if (header.tag == kChunkXsave)
      slot = &one.xsave;
  }
  if (slot == nullptr)
    return "the state has a part that is unknown here, or belongs to a vCPU or UART that this machine lacks";
  if (slot->data != nullptr) return "the state has a part twice";
  *slot = {payload, header.bytes};
  return nullptr;
}

const char* check_vcpu(const Parsed::OneVcpu& one, const CpuidProfile& cpuid) {
  if (one.registers.bytes != sizeof(RegistersImage) || one.vcpu.bytes != sizeof(VcpuImage))
    return "the registers are missing or of the wrong size";
  if (!registers_possible(one.registers.data)) return "the registers hold a combination that no processor has";
  if (one.msrs.data == nullptr || one.msrs.bytes % sizeof(MsrImage) != 0) return "the MSRs are missing or cut off";
  Msrs scratch;
  for (size_t at = 0; at < one.msrs.bytes; at += sizeof(MsrImage)) {
    MsrImage image;
    memcpy(&image, one.msrs.data + at, sizeof image);
    if (image.index != kMsrTsc && msr_slot(scratch, image.index) == nullptr)
      return "the state sets an MSR that this engine does not have";
  }
  if (one.xsave.bytes < kXsaveLegacyBytes || one.xsave.bytes > sizeof Vcpu::xsave)
    return "the FPU state is missing or of the wrong size";
  u64 present, compacted;
  memcpy(&present, one.xsave.data + kXsaveHeaderAt, 8);
  memcpy(&compacted, one.xsave.data + kXsaveHeaderAt + 8, 8);
  if ((present & kXcr0Pkru) != 0) {
    if ((cpuid.xcr0 & kXcr0Pkru) == 0) return "the state has protection keys, which this machine's CPU profile lacks";
    if (one.xsave.bytes < cpuid.xsave_offset[kXsavePkru] + 8) return "the FPU state is cut off";
  }
  if ((present & ~(fpu_components() | kXcr0Pkru)) != 0)
    return "the FPU state has components that this host's processor lacks";
  if (compacted != 0) return "the FPU state is in the compacted format";
  return nullptr;
}

const char* parse(Parsed& state, const CpuidProfile& cpuid, const u8* from, size_t bytes) {
  StateHeader header;
  if (bytes < sizeof header) return "the state is shorter than its header";
  memcpy(&header, from, sizeof header);
  if (header.magic != kStateMagic) return "this is not the saved state of a machine";
  if (header.version != kStateVersion) return "the state is of a version that is unknown here";
  if (header.total_bytes != bytes) return "the state is cut off or has something appended";
  if (header.vcpus != state.vcpus.size() || header.uarts != state.uarts.size())
    return "the state is of a machine with another number of vCPUs or UARTs";
  size_t at = sizeof header;
  for (u32 i = 0; i < header.chunks; ++i) {
    ChunkHeader chunk;
    if (bytes - at < sizeof chunk) return "the state ends inside a part";
    memcpy(&chunk, from + at, sizeof chunk);
    at += sizeof chunk;
    const size_t padded = (static_cast<size_t>(chunk.bytes) + 7) & ~size_t{7};
    if (padded > bytes - at) return "the state ends inside a part";
    if (const char* why = place(state, chunk, from + at)) return why;
    at += padded;
  }
  if (at != bytes) return "the state has more bytes than its parts";
  for (const auto& one : state.vcpus) {
    if (const char* why = check_vcpu(one, cpuid)) return why;
  }
  for (const auto& uart : state.uarts) {
    UartState image;
    if (uart.bytes != sizeof image) return "a UART's state is missing or of the wrong size";
    memcpy(&image, uart.data, sizeof image);
    if (image.version != kUartStateVersion || image.rx_count > 16 || image.tx_count > 16)
      return "a UART's state is impossible";
  }
  return state.irq.data == nullptr ? "the interrupt controllers' state is missing" : nullptr;
}

void read_vcpu(Vcpu& v, const Parsed::OneVcpu& one) {
  VcpuImage image;
  memcpy(&image, one.vcpu.data, sizeof image);
  decode_registers(v, one.registers.data, sizeof(RegistersImage));
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
  memset(v.xsave, 0, sizeof v.xsave);
  memcpy(v.xsave, one.xsave.data, one.xsave.bytes);
  v.msr.pkru = 0;
  if ((v.xsave[kXsaveHeaderAt + 1] & kXcr0Pkru >> 8) != 0) {
    memcpy(&v.msr.pkru, v.xsave + v.machine->cpuid->xsave_offset[kXsavePkru], 4);
    v.xsave[kXsaveHeaderAt + 1] &= static_cast<u8>(~(kXcr0Pkru >> 8));
  }
  memset(v.xsave + kXsaveHeaderAt + 8, 0, 56);  // XRSTOR faults on anything else in the rest of the header
  for (size_t at = 0; at < one.msrs.bytes; at += sizeof(MsrImage)) {
    MsrImage msr;
    memcpy(&msr, one.msrs.data + at, sizeof msr);
    if (msr.index == kMsrTsc)
      v.msr.tsc_offset = msr.value - host_tsc();
    else
      *msr_slot(v.msr, msr.index) = msr.value;
  }
  v.fpu_live = false;
}

}  // namespace

std::vector<u8> save_machine(Machine& machine, NativeDevices& devices) {
  Writer out;
  StateHeader header = {kStateMagic,
                        kStateVersion,
                        0,
                        0,
                        static_cast<u32>(machine.vcpus.size()),
                        static_cast<u32>(devices.uarts().size()),
                        machine.tsc_hz,
                        host_tsc() - machine.vcpus[0]->boot_tsc};
  out.append(&header, sizeof header);
  for (Vcpu* vcpu : machine.vcpus) write_vcpu(out, *vcpu);
  std::vector<u8> irq(devices.irq().state_bytes());
  devices.irq().save(irq.data());
  out.chunk(kChunkIrq, 0, irq.data(), irq.size());
  for (u32 i = 0; i < header.uarts; ++i) {
    UartState uart = {};
    devices.uarts()[i]->chip().save(uart);
    out.chunk(kChunkUart, i, &uart, sizeof uart);
  }
  header.total_bytes = static_cast<u32>(out.bytes_.size());
  header.chunks = out.chunks_;
  memcpy(out.bytes_.data(), &header, sizeof header);
  return std::move(out.bytes_);
}

const char* load_machine(Machine& machine, NativeDevices& devices, const u8* from, size_t bytes) {
  const std::vector<u8> copy(from, from + bytes);  // checked and used as one: the area may change under us
  Parsed state;
  state.vcpus.resize(machine.vcpus.size());
  state.uarts.resize(devices.uarts().size());
  if (const char* why = parse(state, *machine.cpuid, copy.data(), copy.size())) return why;
  const char* why = nullptr;
  if (!devices.irq().load(state.irq.data, state.irq.bytes, &why)) return why;
  for (Vcpu* vcpu : machine.vcpus) read_vcpu(*vcpu, state.vcpus[vcpu->index]);
  for (size_t i = 0; i < state.uarts.size(); ++i) {
    UartState uart;
    memcpy(&uart, state.uarts[i].data, sizeof uart);
    if (!devices.uarts()[i]->chip().load(uart)) return "a UART's state is impossible";
  }
  drop_all_code(machine);
  StateHeader header;
  memcpy(&header, copy.data(), sizeof header);
  const u64 boot_tsc = host_tsc() - header.uptime_ticks;
  for (Vcpu* vcpu : machine.vcpus) vcpu->boot_tsc = boot_tsc;
  // The TSC's distance to the host's changed: what was computed from it is computed again.
  for (Vcpu* vcpu : machine.vcpus) {
    devices.irq().tsc_changed(*vcpu);
    pvclock_write_system_time(*vcpu, vcpu->msr.kvm_clock);
  }
  return nullptr;
}

}  // namespace rz
