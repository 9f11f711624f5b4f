// See verdict.h.
#include "verdict.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "start_state.h"

namespace guests {
namespace {

const char* const kGprNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                 "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};

__attribute__((format(printf, 2, 3))) void append(std::string& to, const char* format, ...) {
  char line[512];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  to += line;
}

unsigned long long load(const std::uint8_t* ram, std::uint64_t address, unsigned bytes) {
  unsigned long long value = 0;
  memcpy(&value, ram + address, bytes);
  return value;
}

void append_registers(std::string& report, const FinalState& s) {
  for (unsigned i = 0; i < 16; i++)
    append(report, "    %-3s %016llx%s", kGprNames[i], static_cast<unsigned long long>(s.gpr[i]),
           i % 4 == 3 ? "\n" : "");
  append(
      report,
      "    rip %016llx    rflags %08llx    cs %04x ss %04x    cr2 %llx\n    cr0 %08llx cr3 %llx cr4 %llx efer %llx\n",
      static_cast<unsigned long long>(s.rip), static_cast<unsigned long long>(s.rflags), s.cs, s.ss,
      static_cast<unsigned long long>(s.cr2), static_cast<unsigned long long>(s.cr0),
      static_cast<unsigned long long>(s.cr3), static_cast<unsigned long long>(s.cr4),
      static_cast<unsigned long long>(s.efer));
}

void append_caught(std::string& report, const std::uint8_t* ram) {
  append(report, "    caught: vector %llu error %llx rip %llx cs %llx rflags %llx rsp %llx cr2 %llx\n",
         load(ram, kCaughtRecord, 8), load(ram, kCaughtRecord + 8, 8), load(ram, kCaughtRecord + 16, 8),
         load(ram, kCaughtRecord + 24, 8), load(ram, kCaughtRecord + 32, 8), load(ram, kCaughtRecord + 40, 8),
         load(ram, kCaughtRecord + 48, 8));
}

/// The ending itself; true when the final registers are worth comparing.
bool ending_agrees(const Program& p, const FinalState& s, const std::uint8_t* ram, std::string& report) {
  const Ending want = p.expect.ending;
  if (s.why == FinalState::Why::kTimeout)
    append(report, "  did not end in time, at %s\n", source_line(p, s.rip).c_str());
  else if (s.why == FinalState::Why::kEngineError)
    append(report, "  the engine gave up: %s, at %s\n", s.note.c_str(), source_line(p, s.rip).c_str());
  else if (s.why == FinalState::Why::kShutdown) {
    if (want == Ending::kShutdown) return true;
    append(report, "  triple fault at %s\n", source_line(p, s.rip).c_str());
    append_caught(report, ram);
  } else if (s.end == End::kCheckFailed) {
    const std::uint64_t in_ring3 = load(ram, kFailedInRing3, 8);
    append(report, "  check failed at %s\n", source_line(p, in_ring3 ? in_ring3 : s.rip).c_str());
    append_caught(report, ram);
  } else if (s.end == End::kException) {
    const unsigned long long vector = load(ram, kCaughtRecord, 8), error = load(ram, kCaughtRecord + 8, 8);
    if (want == Ending::kException && vector == p.expect.vector && (!p.expect.has_error || error == p.expect.error))
      return true;
    append(report, "  unexpected exception at %s\n", source_line(p, load(ram, kCaughtRecord + 16, 8)).c_str());
    append_caught(report, ram);
  } else if (want == Ending::kDone) {
    return true;
  } else {
    append(report, "  ended normally, but %s was expected\n",
           want == Ending::kShutdown ? "a shutdown" : "an exception");
  }
  return false;
}

}  // namespace

Verdict judge(const Program& p, const FinalState& s, const std::uint8_t* ram, std::string& report) {
  if (s.why == FinalState::Why::kEnd && s.end == End::kSkipped) return Verdict::kSkipped;
  bool good = ending_agrees(p, s, ram, report);
  const Expectation& e = p.expect;
  if (good && e.ending != Ending::kShutdown) {
    auto differs = [&](const std::string& what, unsigned long long got, unsigned long long want) {
      good = false;
      append(report, "  %s is %#llx, expected %#llx\n", what.c_str(), got, want);
    };
    for (const auto& [name, want] : e.registers) {
      std::uint64_t got = s.rip;
      for (unsigned i = 0; i < 16; i++)
        if (name == kGprNames[i]) got = s.gpr[i];
      if (got != want) differs(name, got, want);
    }
    if ((s.rflags & e.flags_set) != e.flags_set)
      differs("rflags, of the flags to be set,", s.rflags & e.flags_set, e.flags_set);
    if ((s.rflags & e.flags_clear) != 0) differs("rflags, of the flags to be clear,", s.rflags & e.flags_clear, 0);
    for (const ExpectedMemory& m : e.memory) {
      const unsigned long long got = m.address + m.bytes <= kRamBytes ? load(ram, m.address, m.bytes) : 0;
      char name[64];
      snprintf(name, sizeof name, "mem[%#llx:%u]", static_cast<unsigned long long>(m.address), m.bytes);
      if (got != m.value) differs(name, got, m.value);
    }
  }
  if (!good) append_registers(report, s);
  return good ? Verdict::kPassed : Verdict::kFailed;
}

}  // namespace guests
