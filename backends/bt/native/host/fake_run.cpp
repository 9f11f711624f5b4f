// The scripted stand-in.
#include "fake_run.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sstream>
#include <vector>

#include "mmu/phys_memory.h"

namespace rz {

namespace {

struct Statement {
  std::string verb;
  u64 operand[3] = {};
  bool once = false;
};

std::vector<Statement> parse(const std::string& script) {
  std::vector<Statement> program;
  std::istringstream lines(script);
  std::string line;
  while (std::getline(lines, line, ';')) {
    std::istringstream words(line);
    Statement statement;
    words >> statement.verb;
    if (statement.verb == "once") {
      statement.once = true;
      words >> statement.verb;
    }
    std::string word;
    for (int i = 0; i < 3 && words >> word; ++i) statement.operand[i] = strtoull(word.c_str(), nullptr, 0);
    if (!statement.verb.empty()) program.push_back(statement);
  }
  return program;
}

bool stop_asked(Vcpu& vcpu) { return (vcpu.attention.load(std::memory_order_acquire) & kAttnStop) != 0; }

}  // namespace

RunExit FakeRun::run(Vcpu& vcpu) {
  const std::vector<Statement> program = parse(script_);
  Bus& bus = *vcpu.machine->bus;
  u64 value = 0;
  for (u64 round = 0;; ++round) {
    for (const Statement& s : program) {
      if (stop_asked(vcpu)) return RunExit::kStopped;
      if (s.once && vcpu.counters[0] != 0) continue;
      const u64 a = s.operand[0];
      const unsigned size = static_cast<unsigned>(s.operand[1]);
      if (s.verb == "in")
        value = bus.io_read(vcpu, static_cast<u16>(a), size);
      else if (s.verb == "out")
        bus.io_write(vcpu, static_cast<u16>(a), size, s.operand[2]);
      else if (s.verb == "echo")
        bus.io_write(vcpu, static_cast<u16>(a), size, value);
      else if (s.verb == "load")
        value = bus.mmio_read(vcpu, a, size);
      else if (s.verb == "store")
        bus.mmio_write(vcpu, a, size, s.operand[2]);
      else if (s.verb == "print") {
        for (u64 i = 0; i < a && !stop_asked(vcpu); ++i) {
          while ((bus.io_read(vcpu, 0x3fd, 1) & 0x20) == 0 && !stop_asked(vcpu)) usleep(100);
          bus.io_write(vcpu, 0x3f8, 1, 'a' + i % 26);
        }
      } else if (s.verb == "tick") {
        if (u8* host = vcpu.machine->memory->host(0)) {
          u64 count;
          memcpy(&count, host, 8);
          ++count;
          memcpy(host, &count, 8);
        }
      } else if (s.verb == "rest")
        usleep(static_cast<useconds_t>(a * 1000));
      else if (s.verb == "spin") { /* falls into the next round */
      } else if (s.verb == "shutdown")
        return RunExit::kShutdown;
      else if (s.verb == "segv")
        *reinterpret_cast<volatile char*>(a) = 1;
      else if (s.verb == "abort")
        abort();
      else
        return RunExit::kInternalError;
    }
    ++vcpu.counters[0];
  }
}

}  // namespace rz
