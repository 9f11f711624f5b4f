// Parsing of the option lines.
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include <string_view>

#include "debug/trace.h"
#include "irq/clock.h"

namespace rz {

namespace {

constexpr u64 kMinCodeCacheBytes = 1 << 20;     // room for the longest block and the thunks, many times over
constexpr u64 kMaxCodeCacheBytes = 1ull << 31;  // blocks are linked by 32-bit displacements

bool parse_number(std::string_view text, u64& value) {
  const std::string copy(text);
  if (copy == "true")
    value = 1;
  else if (copy == "false")
    value = 0;
  else {
    char* end = nullptr;
    errno = 0;
    value = strtoull(copy.c_str(), &end, 0);
    if (copy.empty() || copy[0] == '-' || *end != 0 || errno != 0) return false;
  }
  return true;
}

bool apply(std::string_view name, std::string_view value, HostOptions& options) {
  if (name == "fakeRun") {
    options.fake_run = value;
    return true;
  }
  if (name == "trace") return parse_trace(std::string(value).c_str(), options.engine.trace);
  if (name == "traceFile") {
    options.trace_file = value;
    return true;
  }
  u64 number;
  if (!parse_number(value, number)) return false;
  EngineOptions& engine = options.engine;
  if (name == "codeCacheBytes") {
    if (number < kMinCodeCacheBytes || number > kMaxCodeCacheBytes) return false;
    engine.code_cache_bytes = number;
  } else if (name == "noOpt")
    engine.no_opt = number != 0;
  else if (name == "maxBlockInsts")
    engine.max_block_insts = static_cast<u32>(number);
  else if (name == "stressFlushTlb")
    engine.stress_flush_tlb = static_cast<u32>(number);
  else if (name == "stressFlushCode")
    engine.stress_flush_code = static_cast<u32>(number);
  else if (name == "stressInterrupts")
    engine.stress_interrupts = number != 0;
  else if (name == "stressSeed")
    engine.stress_seed = number;
  else if (name == "verify")
    engine.verify = number != 0;
  else if (name == "perfMap")
    engine.perf_map = number != 0;
  else if (name == "testCommands")
    options.test_commands = number != 0;
  else
    return false;
  return true;
}

}  // namespace

bool parse_options(const char* text, HostOptions& options, std::string& error) {
  std::string_view rest(text);
  while (!rest.empty()) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.empty()) continue;
    const size_t equals = line.find('=');
    if (equals == std::string_view::npos || !apply(line.substr(0, equals), line.substr(equals + 1), options)) {
      error = line;
      return false;
    }
  }
  return true;
}

bool start_trace(HostOptions& options, std::string& error) {
  EngineOptions& engine = options.engine;
  engine.trace_start_ns = monotonic_ns();
  if (engine.trace == 0 || options.trace_file.empty()) return true;
  engine.trace_fd = open(options.trace_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (engine.trace_fd >= 0) return true;
  error = "cannot open the trace file " + options.trace_file + ": " + strerror(errno);
  return false;
}

}  // namespace rz
