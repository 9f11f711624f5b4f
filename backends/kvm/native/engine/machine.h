// The KVM side of one machine: VM and vCPU descriptors, memory slots, interrupt chips in the kernel. No threads.
#pragma once

#include <memory>
#include <vector>

#include "host_kvm.h"
#include "shared/layout.h"
#include "vcpu_state.h"

namespace rz::kvm {

/// A vCPU's descriptor and the page that it shares with the kernel.
class VcpuFd {
 public:
  ~VcpuFd();
  VcpuFd() = default;
  VcpuFd(const VcpuFd&) = delete;
  VcpuFd& operator=(const VcpuFd&) = delete;
  Outcome create(int vm, u32 index, u32 run_bytes);
  int fd() const { return fd_.get(); }
  kvm_run& run() { return *run_; }

 private:
  Fd fd_;
  kvm_run* run_ = nullptr;
  u32 run_bytes_ = 0;
};

/// The 8259 pair, the IOAPIC and the 8254, as KVM has them.
struct KvmChips {
  kvm_irqchip pic[2], ioapic;
  kvm_pit_state2 pit;
};

class Machine {
 public:
  /// @param header  checked; its ranges lie in `ram`
  Outcome create(const shared::Header& header, u8* ram);

  int vm() const { return vm_.get(); }
  const HostKvm& host() const { return host_; }
  std::vector<std::unique_ptr<VcpuFd>>& vcpus() { return vcpus_; }
  std::vector<int> vcpu_fds() const;
  /// Whether a guest-physical byte is read-only memory: writes to it come out as MMIO, and are dropped.
  bool read_only(u64 gpa) const;

  /// The PAE page-directory pointers that CR3 names, by a look into memory: for a KVM that does not tell its own.
  /// False: no PAE paging, or no memory there.
  bool page_directory_pointers(const kvm_sregs& sregs, u64 (&out)[4]) const;

  /// Any thread. Lines 0 and 2 are the chips' own, and ignored.
  void set_line(u32 gsi, bool level);
  void signal_msi(u64 address, u32 data);

  /// Power-on state of everything. While no vCPU runs.
  Outcome reset();

  /// All that the kernel knows of the machine, and the kernel's clock. While no vCPU runs.
  Outcome get_chips(KvmChips& chips);
  Outcome set_chips(const KvmChips& chips);
  Outcome set_interrupt_chips(const KvmChips& chips);  // without the 8254
  Outcome set_pit(const kvm_pit_state2& pit);
  /// @param tsc  the host's counter at the moment at which the clock was read
  Outcome get_clock(u64& ns, u64& tsc);
  Outcome set_clock(u64 ns);
  /// Rate of the guests' TSC, Hz.
  Outcome tsc_hz(u64& hz);

  /// Begin or cease to note written pages. Any thread.
  Outcome track_dirty(bool on);
  bool tracking() const { return tracking_; }
  /// Bitmap of pages of range `index` written since the last call; a bit for each page.
  Outcome take_dirty(u32 index, std::vector<u64>& bitmap);

 private:
  Outcome add_memory(const shared::Header& header, u8* ram);
  Outcome set_slot(u32 index, bool log);
  Outcome add_chips();
  Outcome route_lines();

  HostKvm host_;
  Fd kvm_, vm_;
  std::vector<shared::Range> ranges_;
  u8* ram_ = nullptr;
  bool tracking_ = false;
  std::vector<std::unique_ptr<VcpuFd>> vcpus_;  // before vm_ at destruction: declared after it
  KvmChips chips_at_power_on_;
  std::vector<VcpuState> vcpus_at_power_on_;
};

}  // namespace rz::kvm
