// The engine in one process with no Node, no shared memory and no device but the native ones: for debuggers,
// profilers and sanitizers. Reads a boot script (tools/boot-image.mjs writes one), prints the guest's serial
// output, and ends when the guest powers off (ACPI S5 on port 604h), writes to the debug-exit port (F4h) or
// triple-faults.
//
// Usage: engine_bare_boot SCRIPT [--seconds N] [--stats] [--no-opt] [--perf-map] [--input TEXT]
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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

namespace {

using namespace rz;

/// COM1 with an always-empty transmitter: enough for a console.
class TinyUart {
 public:
  explicit TinyUart(IrqPlatform& irq) : irq_(irq) {}
  void feed(const std::string& text) {
    input_ += text;
    update();
  }
  u8 read(unsigned r) {
    switch (r) {
      case 0: {
        if (lcr_ & 0x80) return dll_;
        u8 c = 0;
        if (at_ < input_.size()) c = static_cast<u8>(input_[at_++]);
        update();
        return c;
      }
      case 1: return lcr_ & 0x80 ? dlm_ : ier_;
      case 2: {
        u8 iir = 1;
        if ((ier_ & 1) && at_ < input_.size())
          iir = 4;
        else if ((ier_ & 2) && thre_) {
          iir = 2;
          thre_ = false;
          update();
        }
        return static_cast<u8>(iir | 0xc0);
      }
      case 3: return lcr_;
      case 4: return mcr_;
      case 5: return static_cast<u8>(0x60 | (at_ < input_.size() ? 1 : 0));
      case 6: return mcr_ & 0x10 ? static_cast<u8>((mcr_ & 3) << 4 | (mcr_ & 12) << 4) : 0xb0;
      default: return scr_;
    }
  }
  void write(unsigned r, u8 v) {
    switch (r) {
      case 0:
        if (lcr_ & 0x80) {
          dll_ = v;
          break;
        }
        output += static_cast<char>(v);
        if (v == '\n' || output.size() > 512) flush();
        thre_ = true;
        update();
        break;
      case 1:
        if (lcr_ & 0x80) {
          dlm_ = v;
          break;
        }
        if (!(ier_ & 2) && (v & 2)) thre_ = true;
        ier_ = v & 15;
        update();
        break;
      case 3: lcr_ = v; break;
      case 4:
        mcr_ = v;
        update();
        break;
      case 7: scr_ = v; break;
      default: break;
    }
  }
  void flush() {
    if (!output.empty()) {
      (void)!::write(1, output.data(), output.size());
      output.clear();
    }
  }

 private:
  void update() { irq_.set_line(4, (mcr_ & 8) && (((ier_ & 1) && at_ < input_.size()) || ((ier_ & 2) && thre_))); }
  IrqPlatform& irq_;
  std::string input_, output;
  size_t at_ = 0;
  u8 ier_ = 0, lcr_ = 0, mcr_ = 0, scr_ = 0, dll_ = 0, dlm_ = 0;
  bool thre_ = false;
};

class BareBus final : public Bus {
 public:
  BareBus(Machine& m, IrqPlatform& irq) : m_(m), irq_(irq), uart(irq) {}
  u64 io_read(Vcpu& v, u16 port, unsigned width) override {
    u64 value = 0;
    if (irq_.io_read(port, width, value)) return value;
    HostFpuScope scope(v);
    if (port >= 0x3f8 && port < 0x400) return uart.read(port - 0x3f8u);
    if (port == 0x70 || port == 0x71) return 0;
    if (port == 0x64) return 0xff;
    if (port == 0x92) return 2;
    unknown_[port]++;
    return width == 1 ? 0xff : width == 2 ? 0xffff : 0xffffffff;
  }
  void io_write(Vcpu& v, u16 port, unsigned width, u64 value) override {
    if (irq_.io_write(port, width, value)) return;
    HostFpuScope scope(v);
    if (port >= 0x3f8 && port < 0x400) {
      uart.write(port - 0x3f8u, static_cast<u8>(value));
      return;
    }
    if (port == 0x604 && (value & 0x2000)) stop("power off", 0);
    if (port == 0xf4) stop("debug exit", static_cast<int>(value & 0xff));
    if (port == 0xcf9 && (value & 4)) stop("reset", 3);
    if (port == 0x64 && value == 0xfe) stop("reset", 3);
  }
  u64 mmio_read(Vcpu& v, u64 gpa, unsigned width) override {
    u64 value = 0;
    if (irq_.mmio_read(v, gpa, width, value)) return value;
    return ~0ull;
  }
  void mmio_write(Vcpu& v, u64 gpa, unsigned width, u64 value) override { (void)irq_.mmio_write(v, gpa, width, value); }
  void stop(const char* why, int code) {
    uart.flush();
    fprintf(stderr, "\n[%s]\n", why);
    exit_code = code;
    for (Vcpu* v : m_.vcpus) notify(*v, kAttnStop);
  }
  void dump_unknown() {
    for (auto& [p, n] : unknown_) fprintf(stderr, "port %04x read %u times\n", p, n);
  }
  std::atomic<int> exit_code{-1};

 private:
  Machine& m_;
  IrqPlatform& irq_;
  std::map<u16, unsigned> unknown_;

 public:
  TinyUart uart;
};

std::vector<u8> slurp(const std::string& path) {
  std::ifstream f(path, std::ios::binary);
  if (!f) {
    fprintf(stderr, "cannot read %s\n", path.c_str());
    exit(2);
  }
  return {std::istreambuf_iterator<char>(f), {}};
}

void set_cache(Segment& s, u64 selector, u64 base, u64 limit, u64 attributes) {
  s.selector = static_cast<u16>(selector);
  s.base = base;
  s.limit = static_cast<u32>(limit);
  s.attributes = static_cast<u16>(attributes);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: %s SCRIPT [--seconds N] [--stats] [--no-opt] [--input TEXT]\n", argv[0]);
    return 2;
  }
  int seconds = 120;
  bool stats = false;
  std::string input;
  Machine machine;
  for (int i = 2; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--seconds" && i + 1 < argc)
      seconds = atoi(argv[++i]);
    else if (a == "--input" && i + 1 < argc)
      input = argv[++i];
    else if (a == "--stats")
      stats = true;
    else if (a == "--no-opt")
      machine.options.no_opt = true;
    else if (a == "--one")
      machine.options.max_block_insts = 1;
    else if (a == "--stress-tlb" && i + 1 < argc)
      machine.options.stress_flush_tlb = static_cast<u32>(atoi(argv[++i]));
    else if (a == "--stress-code" && i + 1 < argc)
      machine.options.stress_flush_code = static_cast<u32>(atoi(argv[++i]));
    else if (a == "--stress-irq")
      machine.options.stress_interrupts = true;
    else if (a == "--cache" && i + 1 < argc)
      machine.options.code_cache_bytes = static_cast<u64>(atoi(argv[++i])) << 10;
    else if (a == "--seed" && i + 1 < argc)
      machine.options.stress_seed = static_cast<u64>(atoll(argv[++i]));
    else if (a == "--verify")
      machine.options.verify = true;
    else if (a == "--perf-map")
      machine.options.perf_map = true;
  }
  u64 memory_bytes = 0;
  std::vector<std::pair<u64, u64>> ranges;
  std::string cpu = "x86-64-v2";
  struct Load {
    u64 at;
    std::string file;
  };
  std::vector<Load> loads;
  std::vector<std::pair<std::string, std::string>> regs, tables;
  std::ifstream script(argv[1]);
  if (!script) {
    fprintf(stderr, "cannot read %s\n", argv[1]);
    return 2;
  }
  const std::string script_path = argv[1];
  const std::string dir =
      script_path.find('/') == std::string::npos ? "" : script_path.substr(0, script_path.rfind('/') + 1);
  for (std::string line; std::getline(script, line);) {
    std::istringstream in(line);
    std::string word, a, b;
    in >> word >> a;
    std::getline(in, b);
    while (!b.empty() && b[0] == ' ') b.erase(0, 1);
    if (word == "memory") {
      ranges.push_back({strtoull(a.c_str(), nullptr, 16), strtoull(b.c_str(), nullptr, 16)});
      memory_bytes = std::max(memory_bytes, ranges.back().first + ranges.back().second);
    } else if (word == "load")
      loads.push_back({strtoull(a.c_str(), nullptr, 16), b.empty() || b[0] == '/' ? b : dir + b});
    else if (word == "reg" || word == "seg")
      regs.push_back({a, b});
    else if (word == "table")
      tables.push_back({a, b});
    else if (word == "cpu")
      cpu = a;
  }
  u8* ram = static_cast<u8*>(
      mmap(nullptr, memory_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  PhysMemory memory;
  for (auto& [at, bytes] : ranges)
    if (!memory.add({at, bytes, ram + at, false})) {
      fprintf(stderr, "cannot add memory\n");
      return 2;
    }
  machine.memory = &memory;
  for (const Load& l : loads) {
    const std::vector<u8> bytes = slurp(l.file);
    memcpy(ram + l.at, bytes.data(), bytes.size());
  }
  CodeCache code;
  machine.tsc_hz = tsc_hz();
  CpuidProfile profile;
  if (!cpuid_profile(cpu.c_str(), 1, machine.tsc_hz, profile)) {
    fprintf(stderr, "unknown CPU profile %s\n", cpu.c_str());
    return 2;
  }
  machine.cpuid = &profile;
  Vcpu* v = vcpu_create(machine, 0);
  machine.vcpus.push_back(v);
  if (!code.init(machine, machine.options.code_cache_bytes, 8ull << 30)) {
    fprintf(stderr, "no code cache\n");
    return 2;
  }
  machine.code = &code;
  emit_thunks(code);
  IrqPlatform irq(machine);
  machine.irq = &irq;
  BareBus bus(machine, irq);
  machine.bus = &bus;
  vcpu_reset(*v);
  jump_flush_all(*v);

  static const char* kGpr[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                               "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  static const char* kSegs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
  auto hex = [](const std::string& s) { return strtoull(s.c_str(), nullptr, 16); };
  for (auto& [name, value] : regs) {
    bool done = false;
    for (int i = 0; i < 16; i++)
      if (name == kGpr[i]) {
        v->regs[i] = hex(value);
        done = true;
      }
    for (int i = 0; i < 6; i++)
      if (name == kSegs[i]) {  // selector base limit attributes
        std::istringstream in(value);
        std::string s, b, l, at;
        in >> s >> b >> l >> at;
        set_cache(v->seg[i], hex(s), hex(b), hex(l), hex(at));
        done = true;
      }
    if (name == "rip")
      v->rip = hex(value);
    else if (name == "rflags")
      v->rflags = hex(value);
    else if (name == "cr0")
      v->cr0 = hex(value);
    else if (name == "cr3")
      v->cr3 = hex(value);
    else if (name == "cr4")
      v->cr4 = hex(value);
    else if (name == "efer")
      v->msr.efer = hex(value);
    else if (name == "ldtr" || name == "tr") {
      std::istringstream in(value);
      std::string s, b, l, at;
      in >> s >> b >> l >> at;
      set_cache(name == "tr" ? v->tr : v->ldtr, hex(s), hex(b), hex(l), hex(at));
    } else if (!done && name != "cr2" && name != "cr8")
      fprintf(stderr, "ignored: reg %s\n", name.c_str());
  }
  for (auto& [name, value] : tables) {
    std::istringstream in(value);
    std::string b, l;
    in >> b >> l;
    (name == "gdtr" ? v->gdtr : v->idtr) = {hex(b), static_cast<u16>(hex(l))};
  }
  v->cpl = 0;
  refresh_segments(*v);
  refresh_mode(*v);
  tlb_switch_context(*v, v->cr3, false);
  if (!input.empty()) bus.uart.feed(input + "\n");

  std::thread watchdog([&] {
    for (int i = 0; i < seconds * 10 && bus.exit_code < 0; i++) usleep(100000);
    if (bus.exit_code < 0) {
      fprintf(stderr, "\n[timeout] rip=%llx\n", static_cast<unsigned long long>(v->rip));
      bus.stop("timeout", 124);
    }
  });
  irq.bind_thread(*v);
  const RunExit why = run(*v);
  irq.unbind_thread(*v);
  bus.uart.flush();
  if (why != RunExit::kStopped) {
    fprintf(stderr, "[%s] rip=%llx cr2=%llx\n", why == RunExit::kShutdown ? "triple fault" : "internal error",
            static_cast<unsigned long long>(v->rip), static_cast<unsigned long long>(v->cr2));
    bus.exit_code = 1;
  }
  watchdog.join();
  if (stats) {
    fprintf(stderr, "blocks %u, code %u KiB, flushes %llu\n", code.block_count(), code.used() >> 10,
            static_cast<unsigned long long>(code.generation()));
    bus.dump_unknown();
    fprintf(stderr, "exits: lookup %llu link %llu poll %llu fault %llu bounce %llu\n",
            (unsigned long long)v->counters[0], (unsigned long long)v->counters[1], (unsigned long long)v->counters[2],
            (unsigned long long)v->counters[3], (unsigned long long)v->counters[4]);
    for (u32 i = v->flight_next > 24 ? v->flight_next - 24 : 0; i < v->flight_next; i++)
      fprintf(stderr, "entered %llx mode %llx\n", static_cast<unsigned long long>(v->flight[i % kFlightBlocks].rip),
              static_cast<unsigned long long>(v->flight[i % kFlightBlocks].mode));
    for (int i = 0; i < 16; i++)
      fprintf(stderr, "%s=%llx%c", kGpr[i], static_cast<unsigned long long>(v->regs[i]), i % 4 == 3 ? '\n' : ' ');
    fprintf(stderr, "rip=%llx rflags=%llx cr0=%llx cr2=%llx cr3=%llx cr4=%llx efer=%llx\n",
            static_cast<unsigned long long>(v->rip), static_cast<unsigned long long>(v->rflags),
            static_cast<unsigned long long>(v->cr0), static_cast<unsigned long long>(v->cr2),
            static_cast<unsigned long long>(v->cr3), static_cast<unsigned long long>(v->cr4),
            static_cast<unsigned long long>(v->msr.efer));
    Translation t;
    if (peek_walk(*v, v->rip, t) && memory.host(t.gpa)) {
      FILE* f = fopen("/tmp/rip.bin", "wb");
      if (f) {
        fwrite(memory.host(t.gpa & ~0xfffull), 1, 4096, f);
        fclose(f);
      }
    }
  }
  return bus.exit_code;
}
