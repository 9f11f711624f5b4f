// engine_profile_test: under every CPUID profile, each instruction of the table whose feature the profile does not
// report is executed, in 16-, 32- and 64-bit code, in ring 3 and ring 0, with random operands: it must be #UD at its
// first byte, and nothing else may have happened. So must everything behind an EVEX prefix, which no profile reports.
// The operating system's switches (CR4.OSXSAVE, XCR0) are all on, so that only the profile can refuse.
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>

#include "cpu/cpuid.h"
#include "cpu/tsc.h"
#include "encode.h"
#include "isa/list.h"

namespace {

using namespace rz;
using namespace rz::diff;

constexpr const char* kProfiles[] = {"x86-64-v1", "x86-64-v2", "x86-64-v3", "host"};
constexpr CodeSize kSizes[] = {CodeSize::k64, CodeSize::k32, CodeSize::k16};
constexpr unsigned kCases = 4;        // of each instruction, mode and ring
constexpr unsigned kTries = 64;       // for an encoding that is this row and no other
constexpr unsigned kEvexCases = 500;  // of each mode and ring
constexpr u8 kInvalidOpcode = 6;
constexpr u64 kRflags = 2;

struct Count {
  unsigned passed = 0, failed = 0;
  std::set<const Row*> rows;
};

/// Whether the row exists in code of this size at all.
bool in_mode(const Row& row, CodeSize size) { return (row.attrs & (size == CodeSize::k64 ? kNo64 : kOnly64)) == 0; }

/// Registers with something in them, so that a change is seen.
void fill(TestState& state, Rng& rng) {
  std::memset(static_cast<void*>(&state), 0, sizeof state);
  for (u64& gpr : state.gpr) gpr = rng();
  state.gpr[4] = kStackAt + 0x800;
  state.rflags = kRflags;
  state.vector.bytes[0] = 0x7f;
  state.vector.bytes[1] = 3;
  state.vector.bytes[24] = 0x80;
  state.vector.bytes[25] = 0x1f;
  state.vector.bytes[512] = 7;
  for (u8& byte : state.memory) byte = static_cast<u8>(rng());
}

/// Empty when `test` ended by #UD before its first instruction.
std::string wrong(const TestCase& test, Runner& engine) {
  static TestState out;
  char text[120];
  if (!engine.run(test, out)) return "no result";
  if (out.fault != kInvalidOpcode) {
    std::snprintf(text, sizeof text, "exception %d (255: none), not #UD", out.fault);
    return text;
  }
  if (out.rip != test.start.rip) return "#UD is not at the first byte";
  if (std::memcmp(out.gpr, test.start.gpr, sizeof out.gpr) != 0) return "a register changed";
  if (std::memcmp(out.memory, test.start.memory, sizeof out.memory) != 0) return "memory changed";
  if (std::memcmp(out.vector.st(0), test.start.vector.st(0), 128 + 256) != 0) return "a vector register changed";
  return "";
}

bool make_case(const Row& row, Rng& rng, TestCase& test) {
  for (unsigned n = 0; n < kTries; n++) {
    test.code.clear();
    encode(row, rng, Form{}, test.size, test.code);
    Inst inst;
    test.code.resize(test.code.size() + kMaxInstBytes);
    if (decode(test.code.data(), kMaxInstBytes, test.size, inst) != DecodeStatus::kOk || inst.row != &row) continue;
    test.code.resize(inst.length);
    test.insts = {inst};
    return true;
  }
  return false;
}

void report(Count& count, const TestCase& test, Runner& engine, const std::string& where) {
  const std::string what = wrong(test, engine);
  if (what.empty()) {
    count.passed++;
    return;
  }
  if (++count.failed <= 40) std::printf("FAILED %s: %s: %s\n", where.c_str(), test.text().c_str(), what.c_str());
}

void try_rows(Count& count, const CpuidProfile& profile, TestCase& test, Runner& engine, const std::string& where) {
  for (unsigned i = 0; i < row_count(); i++) {
    const Row& row = rows()[i];
    if (row.sem == Sem::kUndefined || !in_mode(row, test.size) || profile_has(profile, row.feature)) continue;
    if (row.attrs & kElsePlain) continue;  // its prefix is ignored then; user64_bit_scans.s
    if (row.sem == Sem::kNop) continue;    // hints: processors that do not know them do nothing
    Rng rng(i * 7919ull + static_cast<u64>(test.size));
    for (unsigned n = 0; n < kCases; n++) {
      if (!make_case(row, rng, test)) {
        if (test.size != CodeSize::k64) break;  // without REX.W it is another row
        std::printf("FAILED %s: no encoding of %s found\n", where.c_str(), row.mnemonic);
        count.failed++;
        break;
      }
      fill(test.start, rng);
      test.start.rip = kCodeAt - code_base(test.size);
      count.rows.insert(&row);
      report(count, test, engine, where);
    }
  }
}

/// Four bytes of EVEX prefix and a random instruction behind it. Outside 64-bit mode 62 with a memory operand is BOUND.
void try_evex(Count& count, TestCase& test, Runner& engine, const std::string& where) {
  Rng rng(62 + static_cast<u64>(test.size));
  for (unsigned n = 0; n < kEvexCases; n++) {
    test.code = {0x62};
    for (unsigned i = 1; i < kMaxInstBytes; i++) test.code.push_back(static_cast<u8>(rng()));
    if (test.size != CodeSize::k64) test.code[1] |= 0xc0;
    if (n % 2) test.code[1] = static_cast<u8>((test.code[1] & 0xf0) | (1 + n / 2 % 3));  // a map that has instructions
    test.insts.clear();
    fill(test.start, rng);
    test.start.rip = kCodeAt - code_base(test.size);
    report(count, test, engine, where + ", EVEX");
  }
}

}  // namespace

int main() {
  Count count;
  static TestCase test;
  for (const char* const name : kProfiles) {
    CpuidProfile profile;
    if (!cpuid_profile(name, 1, tsc_hz(), profile)) {
      std::printf("skipped: %s: this processor lacks an instruction of it\n", name);
      continue;
    }
    for (const unsigned ring : {3u, 0u}) {
      const std::unique_ptr<Runner> engine(make_engine_runner(EngineOptions{}, ring, name));
      for (const CodeSize size : kSizes) {
        test.size = size;
        const std::string where = std::string(name) + ", ring " + std::to_string(ring) + ", " +
                                  (size == CodeSize::k64   ? "64"
                                   : size == CodeSize::k32 ? "32"
                                                           : "16") +
                                  "-bit code";
        try_rows(count, profile, test, *engine, where);
        try_evex(count, test, *engine, where);
      }
    }
  }
  std::printf("%zu instructions that one profile or another does not report\n", count.rows.size());
  std::printf("%u passed, %u failed\n", count.passed, count.failed);
  return count.failed ? 1 : 0;
}
