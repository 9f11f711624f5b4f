// engine_diff_test: every user-mode instruction that this processor has, with random operands, on the processor
// and through the translator; random programs and loops of them; and the table's claims about flags and registers, on
// the processor alone. Open-ended fuzzing is engine_fuzz. Prints `N passed, N failed` and exits non-zero on failure.
// The same seed gives the same cases.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "decoder_fuzz.h"
#include "generate.h"
#include "isa/list.h"
#include "loops.h"
#include "modes.h"
#include "program.h"
#include "table_check.h"

namespace {

using namespace rz;
using namespace rz::diff;

struct Options {
  u64 seed = 1;
  unsigned count = 8;  // cases for each row
  unsigned sequences = 6000;
  unsigned programs = 6000;
  unsigned loops = 6000;
  unsigned strings = 20000;  // of random bytes, for the decoder
  double seconds = 25;
  const char* row = nullptr;  // only rows of this mnemonic
  unsigned bits = 0;          // only code of this size: 16, 32 or 64
  bool table_only = false, no_opt = false, verbose = false;
};

struct Totals {
  unsigned passed = 0, failed = 0;
  std::map<std::string, unsigned> failures;  // by mnemonic

  void fail(const std::string& who, const char* kind, const TestCase& test, const std::string& what, bool verbose) {
    failed++;
    if (++failures[who] > (verbose ? 1000u : 2u)) return;
    std::printf("FAILED %s: %s\n   %s\n", kind, test.text().c_str(), what.c_str());
    std::fflush(stdout);
  }
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    const bool more = i + 1 < argc;
    if (a == "--seed" && more)
      o.seed = std::strtoull(argv[++i], nullptr, 0);
    else if (a == "--count" && more)
      o.count = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--sequences" && more)
      o.sequences = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--programs" && more)
      o.programs = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--loops" && more)
      o.loops = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--seconds" && more)
      o.seconds = std::atof(argv[++i]);
    else if (a == "--row" && more)
      o.row = argv[++i];
    else if (a == "--bits" && more)
      o.bits = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--table-only")
      o.table_only = true, o.strings = 0;
    else if (a == "--no-opt")
      o.no_opt = true;
    else if (a == "--verbose")
      o.verbose = true;
    else
      return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) {
    std::fprintf(
        stderr,
        "usage: engine_diff_test [--seed N] [--count N] [--sequences N] [--programs N] [--loops N] [--seconds N] "
        "[--row MNEMONIC] [--bits 16|32|64] [--table-only] [--no-opt] [--verbose]\n");
    return 2;
  }
  std::unique_ptr<Runner> native(make_native_runner());  // first: the engine chains to its signal handlers
  EngineOptions options;
  options.no_opt = o.no_opt;
  std::unique_ptr<Runner> engine(o.table_only ? nullptr : make_engine_runner(options));
  constexpr CodeSize kSizes[] = {CodeSize::k64, CodeSize::k32, CodeSize::k16};
  std::vector<const Row*> tested[3];
  unsigned skipped = 0;
  for (unsigned i = 0; i < row_count(); i++) {
    const Row& row = rows()[i];
    if (o.row && std::strcmp(o.row, row.mnemonic)) continue;
    bool any = false;
    for (unsigned k = 0; k < 3; k++) {
      if (o.bits && o.bits != 64u >> k) continue;
      if (testable(row, kSizes[k])) {
        tested[k].push_back(&row);
        any = true;
      }
    }
    if (!any) skipped++;
  }
  const auto start = std::chrono::steady_clock::now();
  auto out_of_time = [&](double part) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > o.seconds * part;
  };
  Totals totals;
  static TestCase test;
  static TestState expected, actual;
  std::map<unsigned, unsigned> faults;  // cases that end in this exception
  unsigned barren = 0, cases = 0, sequences = 0, programs = 0, loops = 0, unavailable = 0;

  // Rounds over all rows, so that running out of time costs depth and not coverage.
  for (unsigned round = 0; round < 3 * o.count && !out_of_time(0.5); round++) {
    test.size = kSizes[round % 3];
    for (const Row* row : tested[round % 3]) {
      Rng rng(o.seed * 1000003 + row_number(*row) * 4099ull + round);
      if (!generate_single(*row, rng, test)) {
        if (round < 3) {
          barren++;
          if (o.verbose) std::printf("no case for %s %s\n", row->mnemonic, row->operands);
        }
        continue;
      }
      cases++;
      if (!native->run(test, expected)) {
        unavailable++;
        continue;
      }
      if (expected.fault != kNoFault) faults[expected.fault]++;
      const std::string lie = check_row_claims(test, *native);
      if (lie.empty())
        totals.passed++;
      else
        totals.fail(std::string("table ") + row->mnemonic, "the table says otherwise", test, lie, o.verbose);
      if (!engine) continue;
      if (o.verbose) {
        std::printf("%s\n", test.text().c_str());
        std::fflush(stdout);
      }
      if (!engine->run(test, actual)) {
        totals.fail(row->mnemonic, "no result", test, "", o.verbose);
        continue;
      }
      const std::string difference = compare(test, expected, actual);
      if (difference.empty())
        totals.passed++;
      else
        totals.fail(row->mnemonic, "native/engine", test, difference, o.verbose);
    }
  }
  for (unsigned n = 0; engine && n < o.sequences && !out_of_time(0.7); n++) {
    Rng rng(o.seed * 7919 + n);
    test.size = kSizes[n % 2 ? 0 : n / 2 % 3];
    const auto& choice = tested[static_cast<unsigned>(std::find(kSizes, kSizes + 3, test.size) - kSizes)];
    if (choice.empty() || !generate_sequence(choice, rng, test) || !native->run(test, expected)) continue;
    sequences++;
    if (!engine->run(test, actual)) {
      totals.fail("sequence", "no result", test, "", o.verbose);
      continue;
    }
    const std::string difference = compare(test, expected, actual);
    if (difference.empty())
      totals.passed++;
    else
      totals.fail("sequence", "native/engine, sequence", test, difference, o.verbose);
  }
  // Programs and loops, in every mode of the engine by turns.
  if (engine && (o.programs || o.loops)) {
    ModeRunners modes;
    const RowChoice choice[] = {RowChoice(tested[0]), RowChoice(tested[1]), RowChoice(tested[2])};
    const auto in_a_mode = [&](const char* who, unsigned n) {
      if (!native->run(test, expected)) return false;
      const unsigned mode = n % kModeCount;
      const bool ran = modes.run(mode, test, actual);
      const std::string difference = ran ? compare(test, expected, actual) : "  no result";
      if (difference.empty())
        totals.passed++;
      else
        totals.fail(who, kModes[mode].name, test, difference, o.verbose);
      return true;
    };
    for (unsigned n = 0; n < o.programs && !out_of_time(1); n++) {
      Rng rng(o.seed * 104729 + n);
      const unsigned k = n % 2 ? 0 : n / 2 % 3;
      test.size = kSizes[k];
      if (!choice[k].all.empty() && generate_program(choice[k], rng, test)) programs += in_a_mode("program", n);
    }
    for (unsigned n = 0; n < o.loops && !choice[0].all.empty() && !out_of_time(1.2); n++) {
      Rng rng(o.seed * 15485863 + n);
      if (generate_loop(choice[0], rng, test)) loops += in_a_mode("loop", n);
    }
  }
  unsigned strings = 0;
  for (; strings < o.strings && !out_of_time(1.4); strings++) {
    Rng rng(o.seed * 6700417 + strings);
    u8 bytes[kMaxInstBytes];
    test.size = kSizes[strings % 3];
    random_bytes(rng, test.size, bytes);
    const std::string what = check_decoder(bytes, test.size, *native);
    test.insts.clear();
    test.code.assign(bytes, bytes + kMaxInstBytes);
    if (what.empty())
      totals.passed++;
    else
      totals.fail("decoder", "random bytes", test, what, o.verbose);
  }
  if (!totals.failures.empty()) {
    std::printf("failures by instruction:");
    for (const auto& [who, count] : totals.failures) std::printf(" %s:%u", who.c_str(), count);
    std::printf("\n");
  }
  std::printf("exceptions:");
  for (const auto& [vector, count] : faults) std::printf(" %u in %u cases;", vector, count);
  std::printf(
      "\n%zu rows tried, %u not user-mode or not on this processor, %u without a case; %u cases, %u sequences, "
      "%u programs, %u loops, %u byte strings\n",
      tested[0].size() + tested[1].size() + tested[2].size(), skipped, barren, cases, sequences, programs, loops,
      strings);
  if (unavailable) std::printf("skipped: %u cases of 16-bit code (modify_ldt is not available)\n", unavailable);
  std::printf("%u passed, %u failed\n", totals.passed, totals.failed);
  return totals.failed ? 1 : 0;
}
