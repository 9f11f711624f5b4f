// engine_bare_boot: boots a machine on the engine in this process (bare/): for debuggers, profilers and sanitizers.
// Prints what the guest writes to COM1 and to the log port, and ends when the guest powers off (ACPI S5 on port 604h),
// writes to the debug-exit port (F4h), resets or triple-faults. tools/boot-image.mjs writes the script.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "bare/bare_machine.h"
#include "cpu/tsc.h"
#include "irq/wait.h"

namespace {

using namespace rz;

constexpr const char* kUsage =
    "usage: engine_bare_boot SCRIPT [--seconds N] [--stats] [--input TEXT] [--no-opt] [--one] [--verify] [--perf-map]\n"
    "         [--stress-tlb N] [--stress-code N] [--stress-irq] [--seed N] [--cache KIB] [--until TEXT]\n";
constexpr int kTimedOut = 124;

struct Arguments {
  std::string script, input, until;
  EngineOptions options;
  int seconds = 120;
  bool stats = false;
};

bool parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; i++) {
    const std::string name = argv[i];
    const bool has_value = i + 1 < argc;
    auto number = [&] { return strtoull(argv[++i], nullptr, 0); };
    if (name == "--seconds" && has_value)
      a.seconds = static_cast<int>(number());
    else if (name == "--input" && has_value)
      a.input = argv[++i];
    else if (name == "--until" && has_value)
      a.until = argv[++i];
    else if (name == "--stats")
      a.stats = true;
    else if (name == "--no-opt")
      a.options.no_opt = true;
    else if (name == "--one")
      a.options.max_block_insts = 1;
    else if (name == "--stress-tlb" && has_value)
      a.options.stress_flush_tlb = static_cast<u32>(number());
    else if (name == "--stress-code" && has_value)
      a.options.stress_flush_code = static_cast<u32>(number());
    else if (name == "--stress-irq")
      a.options.stress_interrupts = true;
    else if (name == "--cache" && has_value)
      a.options.code_cache_bytes = number() << 10;
    else if (name == "--seed" && has_value)
      a.options.stress_seed = number();
    else if (name == "--verify")
      a.options.verify = true;
    else if (name == "--perf-map")
      a.options.perf_map = true;
    else if (name[0] != '-' && a.script.empty())
      a.script = name;
    else
      return false;
  }
  return !a.script.empty();
}

/// Writes whole lines of the guest's output, and ends the machine at a line that holds `until`.
class Output {
 public:
  Output(BareBus& bus, std::string until) : bus_(bus), until_(std::move(until)) {
    bus.on_output = [this] {
      for (std::string* text : {&bus_.uart.output, &bus_.log})
        if (!text->empty() && (text->back() == '\n' || text->size() > 512)) put(*text);
    };
  }
  void flush() {
    put(bus_.uart.output);
    put(bus_.log);
  }

 private:
  void put(std::string& text) {
    (void)!::write(1, text.data(), text.size());
    if (!until_.empty() && text.find(until_) != std::string::npos) bus_.stop("the line that was waited for", 0);
    text.clear();
  }
  BareBus& bus_;
  std::string until_;
};

void print_stats(BareMachine& bare) {
  const Vcpu& v = bare.vcpu();
  const CodeCache& code = bare.code();
  fprintf(stderr, "blocks %u, code %u KiB, flushes %llu\n", code.block_count(), code.used() >> 10,
          static_cast<unsigned long long>(code.generation()));
  for (auto& [port, times] : bare.bus().unknown) fprintf(stderr, "port %04x read %u times\n", port, times);
  for (unsigned i = 0; i < kCounters; i++)
    fprintf(stderr, "%s %llu\n", kCounterNames[i],
            static_cast<unsigned long long>(counter_sum(bare.machine(), static_cast<Counter>(i))));
  for (u32 i = v.flight_next > 24 ? v.flight_next - 24 : 0; i < v.flight_next; i++)
    fprintf(stderr, "entered %llx mode %llx\n", static_cast<unsigned long long>(v.flight[i % kFlightBlocks].rip),
            static_cast<unsigned long long>(v.flight[i % kFlightBlocks].mode));
}

}  // namespace

int main(int argc, char** argv) {
  Arguments a;
  if (!parse(argc, argv, a)) {
    fputs(kUsage, stderr);
    return 2;
  }
  BootScript script;
  BareMachine bare;
  std::string error;
  if (!read_boot_script(a.script, script, error) || !bare.build(script, a.options, tsc_hz(), host_clock(), error)) {
    fprintf(stderr, "engine_bare_boot: %s\n", error.c_str());
    return 2;
  }
  Vcpu& v = bare.vcpu();
  BareBus& bus = bare.bus();
  if (!a.input.empty()) bus.uart.feed(a.input + "\n");
  Output output(bus, a.until);
  std::thread watchdog([&] {
    for (int i = 0; i < a.seconds * 10 && bus.exit_code < 0; i++) usleep(100000);
    bus.stop("timeout", kTimedOut);
  });
  bare.irq().bind_thread(v);
  const RunExit why = run(v);
  bare.irq().unbind_thread(v);
  output.flush();
  if (why == RunExit::kShutdown) bus.stop("triple fault", 1);
  if (why == RunExit::kInternalError) bus.stop("internal error", 1);
  fprintf(stderr, "\n[%s] rip=%llx cr2=%llx\n", bus.ended, static_cast<unsigned long long>(v.rip),
          static_cast<unsigned long long>(v.cr2));
  watchdog.join();
  if (a.stats) print_stats(bare);
  return bus.exit_code;
}
