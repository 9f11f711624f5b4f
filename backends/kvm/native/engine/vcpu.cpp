// Running the guest and serving its exits.
#include "vcpu.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace rz::kvm {

using shared::ExitKind;

namespace {

int kick_signal() { return SIGRTMIN + 6; }

void set_immediate_exit(kvm_run& run, u8 value) {
  std::atomic_ref<u8>(run.immediate_exit).store(value, std::memory_order_seq_cst);
}

u64 mask(u32 bytes) { return bytes >= 8 ? ~0ull : (1ull << (8 * bytes)) - 1; }

/// The widest access of a power of two that fits: the halves of an access across a page end may be 3, 5, 6 or 7 bytes.
u32 piece_of(u32 bytes) { return bytes >= 8 ? 8 : bytes >= 4 ? 4 : bytes >= 2 ? 2 : 1; }

}  // namespace

Outcome Vcpu::prepare_thread() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
  struct {
    u32 bytes = 8;
    u8 set[8];
  } inside;
  u64 blocked = ~(1ull << (kick_signal() - 1));  // the kernel's sigset_t: bit n - 1 is signal n
  memcpy(inside.set, &blocked, 8);
  if (Outcome set = call(fd(), kSetSignalMask, &inside); !set.ok()) return set;
  thread_id_.store(static_cast<int>(syscall(SYS_gettid)), std::memory_order_seq_cst);
  return {};
}

void Vcpu::kick() {
  set_immediate_exit(fd_.run(), 1);
  if (const int id = thread_id_.load(std::memory_order_seq_cst); id != 0) {
    syscall(SYS_tgkill, getpid(), id, kick_signal());
  }
}

void Vcpu::forget_kick() {
  sigset_t kicks;
  sigemptyset(&kicks);
  sigaddset(&kicks, kick_signal());
  const timespec now = {};
  while (sigtimedwait(&kicks, nullptr, &now) > 0) {}
  set_immediate_exit(fd_.run(), 0);
}

Stop Vcpu::run(std::string& why) {
  for (;;) {
    if (stopped_at_ != kNowhere) {
      if (Outcome set = step_over_breakpoint(); !set.ok()) {
        why = describe(set);
        return Stop::kBroken;
      }
    }
    const Outcome ran = call(fd(), kRun, u64{0});
    if (!ran.ok()) {
      if (ran.host_errno == EINTR) return Stop::kKicked;
      if (ran.host_errno == EAGAIN) continue;  // waits for its start-up IPI
      why = describe(ran);
      return Stop::kBroken;
    }
    exits_.store(exits_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    Stop stop;
    if (!serve(why, stop)) return stop;
  }
}

bool Vcpu::serve(std::string& why, Stop& stop) {
  kvm_run& run = fd_.run();
  switch (run.exit_reason) {
    case KVM_EXIT_IO: serve_ports(); return true;
    case KVM_EXIT_MMIO: serve_mmio(); return true;
    case KVM_EXIT_INTR:
    case KVM_EXIT_HLT:
    case KVM_EXIT_IRQ_WINDOW_OPEN: return true;
    case KVM_EXIT_DEBUG: return debug_exit(why, stop);
    case KVM_EXIT_SHUTDOWN:
      peer_.exit(index_, ExitKind::kTripleFault, rip(), 0, 0);
      stop = Stop::kTripleFault;
      return false;
    case KVM_EXIT_FAIL_ENTRY: {
      char text[96];
      snprintf(text, sizeof text, "the processor refused to enter the guest, reason 0x%llx",
               static_cast<unsigned long long>(run.fail_entry.hardware_entry_failure_reason));
      why = about(text);
      break;
    }
    case KVM_EXIT_INTERNAL_ERROR: {
      char text[96];
      snprintf(
          text, sizeof text, "KVM cannot go on with the guest, internal error %u%s", run.internal.suberror,
          run.internal.suberror == KVM_INTERNAL_ERROR_EMULATION ? " (an instruction that it does not emulate)" : "");
      why = about(text);
      break;
    }
    default:
      why = about(
          ("KVM left the guest for reason " + std::to_string(run.exit_reason) + ", which is unknown here").c_str());
  }
  stop = Stop::kBroken;
  return false;
}

void Vcpu::serve_ports() {
  kvm_run& run = fd_.run();
  const u16 port = run.io.port;
  const u32 width = run.io.size;
  u8* data = reinterpret_cast<u8*>(&run) + run.io.data_offset;
  for (u32 i = 0; i < run.io.count; ++i, data += width) {  // more than one for INS and OUTS
    u64 value = 0;
    if (run.io.direction == KVM_EXIT_IO_IN) {
      value = port_read(port, width);
      memcpy(data, &value, width);
    } else {
      memcpy(&value, data, width);
      port_write(port, width, value);
    }
  }
}

u64 Vcpu::port_read(u16 port, u32 width) {
  u64 value;
  if (devices_.io_read(port, width, value)) return value;
  return peer_.exit(index_, ExitKind::kPortIn, port, width, 0) & mask(width);
}

void Vcpu::port_write(u16 port, u32 width, u64 value) {
  if (devices_.io_write(port, width, value)) return;
  if (peer_.ring_doorbell(index_, false, port, width, value)) return;
  peer_.exit(index_, ExitKind::kPortOut, port, width, value);
}

void Vcpu::serve_mmio() {
  kvm_run& run = fd_.run();
  const u64 at = run.mmio.phys_addr;
  const u32 bytes = std::min<u32>(run.mmio.len, sizeof run.mmio.data);
  if (run.mmio.is_write && machine_.read_only(at)) return;  // ROM: dropped
  for (u32 done = 0; done < bytes;) {
    const u32 width = piece_of(bytes - done);
    u64 value = 0;
    if (run.mmio.is_write) {
      memcpy(&value, run.mmio.data + done, width);
      if (!peer_.ring_doorbell(index_, true, at + done, width, value))
        peer_.exit(index_, ExitKind::kMmioWrite, at + done, width, value);
    } else {
      value = peer_.exit(index_, ExitKind::kMmioRead, at + done, width, 0);
      memcpy(run.mmio.data + done, &value, width);
    }
    done += width;
  }
}

u64 Vcpu::rip() {
  kvm_regs regs = {};
  return call(fd(), kGetRegs, &regs).ok() ? regs.rip : 0;
}

std::string Vcpu::about(const char* what) {
  kvm_regs regs = {};
  kvm_sregs sregs = {};
  (void)call(fd(), kGetRegs, &regs).ok();
  (void)call(fd(), kGetSregs, &sregs).ok();
  char text[320];
  snprintf(text, sizeof text,
           "vCPU %u: %s; cs:rip=%04x:%llx cs.base=%llx rflags=%llx cr0=%llx cr3=%llx cr4=%llx efer=%llx", index_, what,
           sregs.cs.selector, static_cast<unsigned long long>(regs.rip), static_cast<unsigned long long>(sregs.cs.base),
           static_cast<unsigned long long>(regs.rflags), static_cast<unsigned long long>(sregs.cr0),
           static_cast<unsigned long long>(sregs.cr3), static_cast<unsigned long long>(sregs.cr4),
           static_cast<unsigned long long>(sregs.efer));
  return text;
}

}  // namespace rz::kvm
