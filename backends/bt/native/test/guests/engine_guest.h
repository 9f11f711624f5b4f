// A machine for one guest test program on the bare engine, in this process: RAM, the engine's own interrupt controllers
// and the programs' test devices.
#pragma once

#include <sys/mman.h>

#include <cstring>
#include <memory>
#include <mutex>
#include <thread>

#include "../../../../../test/guests/runner/guest_program.h"
#include "../../../../../test/guests/runner/start_state.h"
#include "../../../../../test/guests/runner/test_devices.h"
#include "../../../../../test/guests/runner/verdict.h"
#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "cpu/reset.h"
#include "cpu/segments.h"
#include "cpu/tsc.h"
#include "irq/platform.h"
#include "mmu/mmu.h"
#include "mmu/phys_memory.h"
#include "run/host_fpu.h"
#include "run/machine.h"
#include "translate/mode.h"
#include "translate/translator.h"

namespace rz {

using guests::FinalState;

/// In functions of it, vector registers stay as the guest has them until a HostFpuScope: a compiler may use them
/// anywhere else, and does with sanitizers.
#define RZ_KEEPS_VECTORS [[gnu::target("general-regs-only")]]

/// The test devices in front of the engine's own interrupt controllers. Ends the program for all vCPUs when one says
/// so.
class GuestBus final : public Bus {
 public:
  GuestBus(IrqPlatform& irq, Machine& machine) : irq_(irq), machine_(machine) {}
  RZ_KEEPS_VECTORS u64 io_read(Vcpu& v, u16 port, unsigned width) override {
    u64 value = 0;
    if (irq_.io_read(port, width, value)) return value;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    return devices_.port_read(port, width);
  }
  RZ_KEEPS_VECTORS void io_write(Vcpu& v, u16 port, unsigned width, u64 value) override {
    if (irq_.io_write(port, width, value)) return;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    const guests::End said = devices_.port_write(port, width, value);
    if (said == guests::End::kNone || end != guests::End::kNone) return;
    end = said;
    ended = v.index;
    stop_all(machine_);  // the program jumps in place until the engine looks
  }
  RZ_KEEPS_VECTORS u64 mmio_read(Vcpu& v, u64 gpa, unsigned width) override {
    u64 value = 0;
    if (irq_.mmio_read(v, gpa, width, value)) return value;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    return guests::TestDevices::is_mmio(gpa) ? devices_.mmio_read(gpa, width) : ~0ull >> (64 - 8 * width);
  }
  RZ_KEEPS_VECTORS void mmio_write(Vcpu& v, u64 gpa, unsigned width, u64 value) override {
    if (irq_.mmio_write(v, gpa, width, value)) return;
    HostFpuScope scope(v);
    std::lock_guard lock(mutex_);
    if (guests::TestDevices::is_mmio(gpa)) devices_.mmio_write(gpa, width, value);
  }
  static void stop_all(Machine& machine) {
    for (Vcpu* vcpu : machine.vcpus) notify(*vcpu, kAttnStop);
  }
  guests::End end = guests::End::kNone;
  unsigned ended = 0;  // the vCPU that said so

 private:
  IrqPlatform& irq_;
  Machine& machine_;
  std::mutex mutex_;  // guards devices_, end, ended
  guests::TestDevices devices_;
};

inline void set_state(Vcpu& v, const guests::StartState& s) {
  auto set = [](Segment& segment, const guests::StartSegment& from) {
    segment = {};
    segment.selector = from.selector;
    segment.attributes = from.attributes;
    segment.limit = from.limit;
    segment.base = from.base;
  };
  v.cr0 = s.cr0;
  v.cr3 = s.cr3;
  v.cr4 = s.cr4;
  v.msr.efer = s.efer;
  v.rip = s.rip;
  v.rflags = s.rflags;
  memset(v.regs, 0, sizeof v.regs);
  v.regs[4] = s.rsp;
  v.gdtr = {s.gdt_base, s.gdt_limit};
  v.idtr = {s.idt_base, s.idt_limit};
  v.cpl = 0;
  for (unsigned i = 0; i < 6; i++) set(v.seg[i], i == kCS ? s.cs : s.data);
  set(v.ldtr, s.ldtr);
  set(v.tr, s.tr);
  refresh_segments(v);
  refresh_mode(v);
  tlb_switch_context(v, v.cr3, false);
}

/// Everything one program needs, made new for it.
class Guest {
 public:
  Guest(const EngineOptions& options, const char* cpu, unsigned cpus = 1, u64 hz = tsc_hz(),
        Clock clock = host_clock()) {
    machine_.options = options;
    ram = static_cast<u8*>(mmap(nullptr, guests::kRamBytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    if (ram == MAP_FAILED || !memory_.add({0, guests::kRamBytes, ram, false})) return;
    machine_.memory = &memory_;
    machine_.tsc_hz = hz;
    if (!cpuid_profile(cpu, cpus, machine_.tsc_hz, profile_)) return;
    machine_.cpuid = &profile_;
    for (unsigned i = 0; i < cpus; i++) machine_.vcpus.push_back(vcpu_create(machine_, i));
    machine_.oversubscribed = cpus > std::thread::hardware_concurrency();
    if (!code_.init(machine_, options.code_cache_bytes, guests::kRamBytes)) return;
    machine_.code = &code_;
    emit_thunks(code_);
    irq_ = std::make_unique<IrqPlatform>(machine_, clock);
    machine_.irq = irq_.get();
    bus_ = std::make_unique<GuestBus>(*irq_, machine_);
    machine_.bus = bus_.get();
    for (Vcpu* v : machine_.vcpus) {
      vcpu_reset(*v);
      jump_flush_all(*v);
    }
    good = true;
  }
  ~Guest() {
    for (Vcpu* v : machine_.vcpus) vcpu_destroy(v);
    code_.destroy();
    if (ram != MAP_FAILED) munmap(ram, guests::kRamBytes);
  }
  /// Load a program and stand at its beginning.
  void load(const guests::Program& program) { set_state(vcpu(), guests::prepare(program, ram)); }
  /// How the program ended, when run() came back.
  /// @param teller  the vCPU whose registers are of interest
  FinalState final_state(FinalState::Why why, unsigned teller = 0) const {
    const Vcpu& v = *machine_.vcpus[teller];
    FinalState f;
    f.why = why;
    if (why == FinalState::Why::kEngineError) f.note = "internal error";
    f.end = bus_->end;
    memcpy(f.gpr, v.regs, sizeof f.gpr);
    f.rip = v.rip;
    f.rflags = v.rflags;
    f.cr0 = v.cr0;
    f.cr2 = v.cr2;
    f.cr3 = v.cr3;
    f.cr4 = v.cr4;
    f.efer = v.msr.efer;
    f.cs = v.seg[kCS].selector;
    f.ss = v.seg[kSS].selector;
    return f;
  }
  Vcpu& vcpu() { return *machine_.vcpus[0]; }  // the boot processor
  Machine& machine() { return machine_; }
  IrqPlatform& irq() { return *irq_; }
  guests::End end() const { return bus_->end; }
  void go_on() { bus_->end = guests::End::kNone; }  // run() has a next end
  unsigned ended() const { return bus_->ended; }    // the vCPU that said end()
  bool good = false;
  u8* ram = nullptr;

 private:
  PhysMemory memory_;
  CpuidProfile profile_{};
  CodeCache code_;
  Machine machine_;
  std::unique_ptr<IrqPlatform> irq_;
  std::unique_ptr<GuestBus> bus_;
};

}  // namespace rz
