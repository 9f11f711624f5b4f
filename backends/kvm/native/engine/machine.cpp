// Making the machine in the kernel, memory slot by memory slot and chip by chip.
#include "machine.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <algorithm>

#include "cpuid.h"
#include "cpuid/control_bits.h"
#include "registers.h"
#include "tsc.h"

namespace rz::kvm {

using shared::Range;

namespace {

// Intel processors without unrestricted guests need four pages that the guest leaves alone: where PCs have firmware
// tables' end and nothing else.
constexpr u64 kIdentityMapAt = 0xfeffc000, kTssAt = 0xfeffd000, kReservedEnd = 0xff000000;
constexpr u32 kPins = 24;

}  // namespace

VcpuFd::~VcpuFd() {
  if (run_ != nullptr) munmap(run_, run_bytes_);
}

Outcome VcpuFd::create(int vm, u32 index, u32 run_bytes) {
  int fd = -1;
  if (Outcome made = call(vm, kCreateVcpu, u64{index}, &fd); !made.ok()) return made;
  fd_ = Fd(fd);
  void* at = mmap(nullptr, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED) return Outcome::failed("mmap of a vCPU", errno);
  madvise(at, run_bytes, MADV_DONTFORK);
  run_ = static_cast<kvm_run*>(at);
  run_bytes_ = run_bytes;
  return {};
}

Outcome Machine::create(const shared::Header& header, u8* ram) {
  ram_ = ram;
  if (Outcome opened = open_kvm(kvm_, host_); !opened.ok()) return opened;
  if (header.vcpus > host_.max_vcpus) return Outcome::failed("number of vCPUs over KVM_CAP_MAX_VCPUS", EINVAL);
  int vm = -1;
  if (Outcome made = call(kvm_.get(), kCreateVm, u64{0}, &vm); !made.ok()) return made;
  vm_ = Fd(vm);
  if (Outcome made = add_memory(header, ram); !made.ok()) return made;
  if (Outcome made = add_chips(); !made.ok()) return made;
  for (u32 i = 0; i < header.vcpus; ++i) {
    auto vcpu = std::make_unique<VcpuFd>();
    if (Outcome made = vcpu->create(vm, i, host_.run_bytes); !made.ok()) return made;
    vcpus_.push_back(std::move(vcpu));
    const int fd = vcpus_.back()->fd();
    u64 hz = 0;
    if (Outcome asked = tsc_hz(hz); !asked.ok()) return asked;
    std::vector<kvm_cpuid_entry2> leaves;
    if (Outcome asked = cpuid_leaves(kvm_.get(), header.cpu_profile, i, header.vcpus, hz, leaves); !asked.ok())
      return asked;
    if (Outcome set = set_cpuid(fd, leaves); !set.ok()) return set;
    u64 machine_check = kMcgCap;
    if (Outcome set = call(fd, kSetupMce, &machine_check); !set.ok()) return set;
    VcpuState state;
    if (Outcome got = get_vcpu_state(fd, host_, state); !got.ok()) return got;
    vcpus_at_power_on_.push_back(std::move(state));
  }
  return get_chips(chips_at_power_on_);
}

Outcome Machine::add_memory(const shared::Header& header, u8*) {
  for (u32 i = 0; i < header.ranges; ++i) {
    const Range& range = header.range[i];
    if (range.base < kReservedEnd && range.base + range.bytes > kIdentityMapAt)
      return Outcome::failed("memory at FEFFC000h..FEFFFFFFh, which KVM keeps for itself", EINVAL);
    ranges_.push_back(range);
    if (Outcome set = set_slot(i, false); !set.ok()) return set;
  }
  u64 identity = kIdentityMapAt;
  if (Outcome set = call(vm_.get(), kSetIdentityMapAddr, &identity); !set.ok()) return set;
  return call(vm_.get(), kSetTssAddr, kTssAt);
}

Outcome Machine::set_slot(u32 index, bool log) {
  const Range& range = ranges_[index];
  kvm_userspace_memory_region region = {};
  region.slot = index;
  region.flags = (range.read_only != 0 ? KVM_MEM_READONLY : 0) | (log ? KVM_MEM_LOG_DIRTY_PAGES : 0);
  region.guest_phys_addr = range.base;
  region.memory_size = range.bytes;
  region.userspace_addr = reinterpret_cast<u64>(ram_ + range.ram_offset);
  return call(vm_.get(), kSetUserMemoryRegion, &region);
}

Outcome Machine::add_chips() {
  if (Outcome made = call(vm_.get(), kCreateIrqchip, u64{0}); !made.ok()) return made;
  kvm_pit_config pit = {};
  pit.flags = KVM_PIT_SPEAKER_DUMMY;  // port 61h too
  if (Outcome made = call(vm_.get(), kCreatePit2, &pit); !made.ok()) return made;
  return route_lines();
}

/// As on a PC: 0..15 to the 8259 pair and the IOAPIC, the timer to pin 2, 16..23 to the IOAPIC alone.
Outcome Machine::route_lines() {
  struct {
    u32 count, flags;
    kvm_irq_routing_entry entry[2 * kPins];
  } table = {};
  const auto add = [&](u32 gsi, u32 chip, u32 pin) {
    kvm_irq_routing_entry& entry = table.entry[table.count++];
    entry.gsi = gsi;
    entry.type = KVM_IRQ_ROUTING_IRQCHIP;
    entry.u.irqchip = {chip, pin};
  };
  for (u32 gsi = 0; gsi < kPins; ++gsi) {
    if (gsi == 2) continue;  // the cascade
    if (gsi < 16) add(gsi, gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, gsi % 8);
    add(gsi, KVM_IRQCHIP_IOAPIC, gsi == 0 ? 2 : gsi);
  }
  return call(vm_.get(), kSetGsiRouting, &table);
}

bool Machine::read_only(u64 gpa) const {
  return std::any_of(ranges_.begin(), ranges_.end(), [gpa](const Range& range) {
    return range.read_only != 0 && gpa >= range.base && gpa - range.base < range.bytes;
  });
}

bool Machine::page_directory_pointers(const kvm_sregs& sregs, u64 (&out)[4]) const {
  if (!pae_paging(sregs.cr0, sregs.cr4, sregs.efer)) return false;
  const u64 at = sregs.cr3 & 0xffffffe0;
  for (const Range& range : ranges_) {
    if (at < range.base || at - range.base + sizeof out > range.bytes) continue;
    memcpy(out, ram_ + range.ram_offset + (at - range.base), sizeof out);
    return true;
  }
  return false;
}

void Machine::set_line(u32 gsi, bool level) {
  if (gsi == 0 || gsi == 2 || gsi >= kPins) return;
  kvm_irq_level line = {};
  line.irq = gsi;
  line.level = level;
  (void)call(vm_.get(), kIrqLine, &line).ok();  // cannot fail for a routed line of a machine with chips
}

void Machine::signal_msi(u64 address, u32 data) {
  kvm_msi message = {};
  message.address_lo = static_cast<u32>(address);
  message.address_hi = static_cast<u32>(address >> 32);
  message.data = data;
  (void)call(vm_.get(), kSignalMsi, &message).ok();  // a message to nobody is the guest's affair
}

Outcome Machine::get_chips(KvmChips& chips) {
  chips = {};
  chips.pic[0].chip_id = KVM_IRQCHIP_PIC_MASTER;
  chips.pic[1].chip_id = KVM_IRQCHIP_PIC_SLAVE;
  chips.ioapic.chip_id = KVM_IRQCHIP_IOAPIC;
  for (kvm_irqchip* chip : {&chips.pic[0], &chips.pic[1], &chips.ioapic}) {
    if (Outcome got = call(vm_.get(), kGetIrqchip, chip); !got.ok()) return got;
  }
  return call(vm_.get(), kGetPit2, &chips.pit);
}

Outcome Machine::set_chips(const KvmChips& chips) {
  if (Outcome set = set_interrupt_chips(chips); !set.ok()) return set;
  return set_pit(chips.pit);
}

Outcome Machine::set_pit(const kvm_pit_state2& pit) {
  kvm_pit_state2 copy = pit;
  return call(vm_.get(), kSetPit2, &copy);
}

Outcome Machine::set_interrupt_chips(const KvmChips& chips) {
  KvmChips copy = chips;
  for (kvm_irqchip* chip : {&copy.pic[0], &copy.pic[1], &copy.ioapic}) {
    if (Outcome set = call(vm_.get(), kSetIrqchip, chip); !set.ok()) return set;
  }
  return {};
}

Outcome Machine::reset() {
  if (Outcome set = set_chips(chips_at_power_on_); !set.ok()) return set;
  const u64 now = host_tsc();
  for (size_t i = 0; i < vcpus_.size(); ++i) {
    (void)set_tsc_distance(vcpus_[i]->fd(), 0 - now);  // 0 at power-on, where KVM lets it be set
    if (Outcome set = set_vcpu_state(vcpus_[i]->fd(), host_, vcpus_at_power_on_[i]); !set.ok()) return set;
  }
  return set_clock(0);
}

std::vector<int> Machine::vcpu_fds() const {
  std::vector<int> fds;
  for (const auto& vcpu : vcpus_) fds.push_back(vcpu->fd());
  return fds;
}

Outcome Machine::get_clock(u64& ns, u64& tsc) {
  kvm_clock_data clock = {};
  const u64 before = host_tsc();
  const Outcome got = call(vm_.get(), kGetClock, &clock);
  ns = clock.clock;
  tsc = (clock.flags & KVM_CLOCK_HOST_TSC) != 0 ? clock.host_tsc : before + (host_tsc() - before) / 2;
  return got;
}

Outcome Machine::set_clock(u64 ns) {
  kvm_clock_data clock = {};
  clock.clock = ns;
  return call(vm_.get(), kSetClock, &clock);
}

Outcome Machine::tsc_hz(u64& hz) {
  int khz = 0;
  const Outcome got = call(vcpus_[0]->fd(), kGetTscKhz, u64{0}, &khz);
  hz = static_cast<u64>(khz) * 1000;
  return got;
}

Outcome Machine::track_dirty(bool on) {
  for (u32 i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].read_only != 0) continue;
    if (Outcome set = set_slot(i, on); !set.ok()) return set;
  }
  tracking_ = on;
  return {};
}

Outcome Machine::take_dirty(u32 index, std::vector<u64>& bitmap) {
  bitmap.assign((ranges_[index].bytes / 4096 + 63) / 64, 0);
  if (ranges_[index].read_only != 0) return {};
  kvm_dirty_log log = {};
  log.slot = index;
  log.dirty_bitmap = bitmap.data();
  return call(vm_.get(), kGetDirtyLog, &log);
}

}  // namespace rz::kvm
