// Runs a case through the translator: a machine with a little RAM, long mode, identity mapping, an IDT
// whose handlers leave at once on their own stack. OUT to kEndPort ends a run.
#include <pthread.h>
#include <sys/mman.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <mutex>
#include <thread>

#include "cache/code_cache.h"
#include "cpu/cpuid.h"
#include "cpu/reset.h"
#include "cpu/segments.h"
#include "cpu/tsc.h"
#include "irq/platform.h"
#include "mmu/mmu.h"
#include "mmu/phys_memory.h"
#include "run/machine.h"
#include "test_case.h"
#include "translate/mode.h"
#include "translate/translator.h"

namespace rz::diff {
namespace {

constexpr u8 kEndPort = 0xf4;
// Guest-physical layout: system structures below, code and scratch at their linear addresses.
constexpr u64 kLowBytes = 0x40000;
constexpr u64 kTables = 0x1000;  // PML4, PDPT, PD, PT of the scratch megabytes
constexpr u64 kIdt = 0x8000, kGdt = 0x9000, kTss = 0xa000, kHandlers = 0xb000, kFaultStack = 0x20000;
constexpr u64 kHighBase = kCodeAt, kHighBytes = 0x200000;

class EndBus final : public Bus {
 public:
  u64 io_read(Vcpu&, u16, unsigned) override { return 0; }
  void io_write(Vcpu& v, u16 port, unsigned, u64) override {
    if (port == kEndPort) v.request(kAttnStop);
  }
  u64 mmio_read(Vcpu&, u64, unsigned) override { return ~0ull; }
  void mmio_write(Vcpu&, u64, unsigned, u64) override {}
};

// One thread for all runners: asks a vCPU to stop that has run for some seconds of its own processor time. Code that is
// translated again after every few jumps takes some.
class Watch {
 public:
  explicit Watch(Vcpu& v) {
    static std::once_flag once;
    std::call_once(once, [] { std::thread(patrol).detach(); });
    clockid_t clock;
    pthread_getcpuclockid(pthread_self(), &clock);
    late_ = false;
    clock_ = clock;
    began_ns_ = time_ns(clock);
    running_ = &v;
  }
  ~Watch() { running_ = nullptr; }
  bool late() const { return late_; }

 private:
  static constexpr u64 kMostNs = 10'000'000'000;

  static u64 time_ns(clockid_t clock) {
    timespec now = {};
    clock_gettime(clock, &now);
    return static_cast<u64>(now.tv_sec) * 1'000'000'000 + static_cast<u64>(now.tv_nsec);
  }
  static void patrol() {
    for (;;) {
      std::this_thread::sleep_for(std::chrono::seconds(1));
      const u64 began_ns = began_ns_;
      Vcpu* v = running_;
      if (!v || time_ns(clock_) - began_ns < kMostNs || began_ns != began_ns_) continue;
      late_ = true;
      v->request(kAttnStop);
    }
  }
  static inline std::atomic<Vcpu*> running_{nullptr};
  static inline std::atomic<clockid_t> clock_{0};  // of the thread that runs it
  static inline std::atomic<u64> began_ns_{0};
  static inline std::atomic<bool> late_{false};
};

class EngineRunner final : public Runner {
 public:
  EngineRunner(const EngineOptions& options, u8 ring, const char* cpu) : ring_(ring) {
    low_ = map(kLowBytes);
    high_ = map(kHighBytes);
    machine_.options = options;
    machine_.options.verify = true;
    machine_.options.code_cache_bytes = 16 << 20;
    bool good = memory_.add({0, kLowBytes, low_, false}) && memory_.add({kHighBase, kHighBytes, high_, false});
    machine_.memory = &memory_;
    machine_.tsc_hz = tsc_hz();
    good = good && cpuid_profile(cpu, 1, machine_.tsc_hz, profile_);
    machine_.cpuid = &profile_;
    vcpu_ = vcpu_create(machine_, 0);
    machine_.vcpus.push_back(vcpu_);
    good = good && code_.init(machine_, machine_.options.code_cache_bytes, kHighBase + kHighBytes);
    if (!good) {
      std::fprintf(stderr, "cannot make a machine\n");
      std::exit(2);
    }
    machine_.code = &code_;
    emit_thunks(code_);
    irq_ = std::make_unique<IrqPlatform>(machine_);
    machine_.irq = irq_.get();
    machine_.bus = &bus_;
    vcpu_reset(*vcpu_);
    jump_flush_all(*vcpu_);
    build_tables();
    enter_long_mode();
    irq_->bind_thread(*vcpu_);
  }
  const char* name() const override { return "engine"; }

  bool run(const TestCase& test, TestState& out) override {
    Vcpu& v = *vcpu_;
    // New code: like any outside writer, drop what was translated from the page.
    code_invalidate(machine_, kCodeAt, kCodeBytes);
    u8* code = high_ + (test.code_at - kHighBase);
    std::memcpy(code, test.code.data(), test.code.size());
    const u8 end[] = {0xe6, kEndPort, 0xeb, 0xfe};  // out kEndPort, al; jmp $
    std::memcpy(code + test.code.size(), end, sizeof end);
    u8* scratch = high_ + (kScratchAt - kHighBase);
    std::memcpy(scratch, test.start.memory, kScratchBytes);
    u8* stack = high_ + (kStackUsedAt - kHighBase);
    std::memcpy(stack, test.start.stack, kStackBytes);
    std::memcpy(v.regs, test.start.gpr, sizeof v.regs);
    std::memset(v.xsave, 0, 1024);
    std::memcpy(v.xsave, test.start.vector.bytes, sizeof test.start.vector.bytes);
    v.rip = test.start.rip;
    set_segments(test.size);
    v.rflags = test.start.rflags | kFlagIF | 2;
    v.exception = {};
    v.attention = 0;
    v.halted = false;
    v.shadow_rip = ~0ull;
    RunExit why;
    {
      Watch watch(v);
      why = rz::run(v);
      if (watch.late()) return false;
    }
    if (why != RunExit::kStopped) {
      std::printf("engine stopped with %d at rip %llx\n", static_cast<int>(why),
                  static_cast<unsigned long long>(v.rip));
      v.shutdown = false;
      return false;
    }
    std::memcpy(out.gpr, v.regs, sizeof out.gpr);
    out.fault = kNoFault;
    out.error = 0;
    out.cr2 = 0;
    out.rflags = v.rflags & (kArithmetic | kDirection);
    out.rip = v.rip - 2;  // past the OUT
    if (v.rip >= kHandlers && v.rip < kHandlers + 32 * 16) {
      out.fault = static_cast<u8>((v.rip - kHandlers) / 16);
      const bool has_error = (0x27d00u >> out.fault & 1) != 0;
      u64 frame[6];
      std::memcpy(frame, low_ + kFaultStack - (has_error ? 48 : 40), sizeof frame - (has_error ? 0 : 8));
      const u64* f = has_error ? frame + 1 : frame;
      if (out.fault == 14) {
        out.error = static_cast<u32>(frame[0]) & 3;
        out.cr2 = v.cr2;
      }
      out.rip = f[0];
      out.rflags = f[2] & (kArithmetic | kDirection);
      out.gpr[4] = f[3];
    }
    std::memcpy(out.memory, scratch, kScratchBytes);
    std::memcpy(out.stack, stack, kStackBytes);
    out.code_sum = sum_of_code(code, test.code.size());
    take_vector(v, out.vector);
    return true;
  }

 private:
  static u8* map(u64 bytes) {
    void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
      std::perror("mmap");
      std::exit(2);
    }
    return static_cast<u8*>(p);
  }
  static void take_vector(const Vcpu& v, VectorState& out) {
    std::memset(out.bytes, 0, sizeof out.bytes);
    u64 present;
    std::memcpy(&present, v.xsave + 512, 8);
    std::memcpy(out.bytes, v.xsave, 28);
    if (present & 1) {
      std::memcpy(out.bytes + 32, v.xsave + 32, 128);
    } else {
      std::memset(out.bytes, 0, 24);
      out.bytes[0] = 0x7f;
      out.bytes[1] = 3;
    }
    if (present & 2) std::memcpy(out.bytes + 160, v.xsave + 160, 256);
    if (present & 4) std::memcpy(out.bytes + 576, v.xsave + 576, 256);
  }
  void set_segments(CodeSize size) {
    Vcpu& v = *vcpu_;
    for (unsigned i = 0; i < kSegCount; i++) {
      const bool code = i == kCS, small = size == CodeSize::k16;
      const u16 selector = code ? (size == CodeSize::k64 ? 0x08 : small ? 0x28 : 0x20) : small ? 0x30 : 0x10;
      v.seg[i].selector = static_cast<u16>(selector | ring_);
      v.seg[i].base = !small ? 0 : code ? kCodeAt : kScratchAt;
      v.seg[i].limit = small ? 0xffff : 0xffffffff;
      const u16 attributes = code ? (size == CodeSize::k64 ? 0xa9b : small ? 0x09b : 0xc9b) : small ? 0x093 : 0xc93;
      v.seg[i].attributes = static_cast<u16>(attributes | ring_ << 5);
    }
    v.cpl = ring_;
    refresh_segments(v);
    refresh_mode(v);
  }

  void put(u64 gpa, u64 value) { std::memcpy(low_ + gpa, &value, 8); }

  void build_tables() {
    constexpr u64 kTable = 0x27;
    put(kTables, (kTables + 0x1000) | kTable);
    put(kTables + 0x1000, (kTables + 0x2000) | kTable);
    put(kTables + 0x2000, 0xe3);  // the first 2 MiB
    put(kTables + 0x2000 + 8 * (kHighBase >> 21 & 511), (kTables + 0x3000) | kTable);
    for (u64 at : {kCodeAt, kCodeAt + kPageBytes, kStackAt}) put(kTables + 0x3000 + 8 * (at >> 12 & 511), at | 0x67);
    for (u64 at = kScratchAt; at < kScratchAt + kScratchBytes; at += kPageBytes)
      put(kTables + 0x3000 + 8 * (at >> 12 & 511), at | (at < kScratchAt + kWritableBytes ? 0x67 : 0x25));
    put(kGdt + 8, 0x00af9b000000ffff);
    put(kGdt + 16, 0x00cf93000000ffff);
    put(kGdt + 32, 0x00cf9b000000ffff);  // 20h: 32-bit code
    put(kGdt + 40, 0x20009b000000ffff);  // 28h: 16-bit code at kCodeAt
    put(kGdt + 48, 0x200093010000ffff);  // 30h: 16-bit data at kScratchAt
    put(kTss + 36, kFaultStack);         // IST1
    put(kTss + 0x60, 0x68ull << 48);     // the I/O bitmap, of zeros: OUT ends a run in ring 3 too
    for (unsigned vector = 0; vector < 32; vector++) {
      const u64 handler = kHandlers + vector * 16;
      put(kIdt + vector * 16,
          (handler & 0xffff) | 8u << 16 | 1ull << 32 | 0x8eull << 40 | (handler >> 16 & 0xffff) << 48);
      const u8 code[] = {0xe6, kEndPort, 0xeb, 0xfe};
      std::memcpy(low_ + handler, code, sizeof code);
    }
  }

  void enter_long_mode() {
    Vcpu& v = *vcpu_;
    v.cr0 = kCr0PE | kCr0MP | kCr0ET | kCr0NE | kCr0WP | kCr0AM | kCr0PG;
    v.cr3 = kTables;
    v.cr4 = kCr4PAE | kCr4OSFXSR | kCr4OSXMMEXCPT | kCr4OSXSAVE;
    v.xcr0 = 7;
    v.msr.efer = kEferSCE | kEferLME | kEferLMA | kEferNXE;
    v.gdtr = {kGdt, 55};
    v.idtr = {kIdt, 511};
    v.tr.selector = 0x18;
    v.tr.base = kTss;
    v.tr.limit = 0x68 + 0x40;
    v.tr.attributes = 0x8b;
    set_segments(CodeSize::k64);
    tlb_switch_context(v, v.cr3, false);
  }

  u8 *low_, *high_;
  PhysMemory memory_;
  CpuidProfile profile_{};
  CodeCache code_;
  Machine machine_;
  Vcpu* vcpu_ = nullptr;
  EndBus bus_;
  std::unique_ptr<IrqPlatform> irq_;
  u8 ring_;
};

}  // namespace

Runner* make_engine_runner(const EngineOptions& options, unsigned ring, const char* cpu) {
  return new EngineRunner(options, static_cast<u8>(ring), cpu);
}

}  // namespace rz::diff
