// engine_fuzz: differential fuzzing of user-mode code against this processor, for as long as one likes. A case is a
// number under a seed: the same two numbers give the same case. What differs is made small, printed, and written as a
// guest program.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>

#include "decoder_fuzz.h"
#include "isa/list.h"
#include "loops.h"
#include "modes.h"
#include "program.h"
#include "shrink.h"
#include "write_guest.h"

namespace {

using namespace rz;
using namespace rz::diff;

struct Options {
  u64 seed = 1;
  u64 first = 0;        // case to begin with
  u64 count = ~0ull;    // cases
  double minutes = 10;  // then stop
  unsigned failures = 5;
  int mode = -1;    // only this one
  std::string out;  // folder for guest programs
  bool verbose = false;
  bool decoder = false;  // random bytes for the decoder instead of cases
  bool loops = false;    // short loops only
};

bool parse(int argc, char** argv, Options& o) {
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--verbose") {
      o.verbose = true;
      continue;
    }
    if (a == "--decoder") {
      o.decoder = true;
      continue;
    }
    if (a == "--loops") {
      o.loops = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    if (a == "--seed") {
      o.seed = std::strtoull(value, nullptr, 0);
    } else if (a == "--case") {
      o.first = std::strtoull(value, nullptr, 0);
      o.count = 1;
    } else if (a == "--from") {
      o.first = std::strtoull(value, nullptr, 0);
    } else if (a == "--count") {
      o.count = std::strtoull(value, nullptr, 0);
    } else if (a == "--minutes") {
      o.minutes = std::atof(value);
    } else if (a == "--failures") {
      o.failures = static_cast<unsigned>(std::atoi(value));
    } else if (a == "--out") {
      o.out = value;
    } else if (a == "--mode") {
      for (unsigned m = 0; m < kModeCount; m++)
        if (!std::strcmp(kModes[m].name, value)) o.mode = static_cast<int>(m);
      if (o.mode < 0) return false;
    } else {
      return false;
    }
  }
  return true;
}

class Fuzzer {
 public:
  explicit Fuzzer(const Options& options) : o_(options), native_(make_native_runner()), engines_() {
    for (unsigned k = 0; k < 3; k++) {
      std::vector<const Row*> rows_of_size;
      for (unsigned i = 0; i < row_count(); i++)
        if (testable(rows()[i], kSizes[k])) rows_of_size.push_back(rows() + i);
      choice_.emplace_back(rows_of_size);
    }
  }

  int run() {
    const auto start = std::chrono::steady_clock::now();
    auto minutes = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / 60; };
    double said = 0;
    u64 n = o_.first;
    for (; n - o_.first < o_.count && minutes() < o_.minutes && failed_ < o_.failures; n++) {
      if (o_.decoder)
        bytes(n);
      else
        one(n);
      if (minutes() - said > 1) {
        said = minutes();
        std::printf("%.0f min: case %llu, %u failed\n", said, static_cast<unsigned long long>(n), failed_);
        std::fflush(stdout);
      }
    }
    std::printf("seed %llu, cases %llu..%llu, %u end in an exception, %u could not be tried\n",
                static_cast<unsigned long long>(o_.seed), static_cast<unsigned long long>(o_.first),
                static_cast<unsigned long long>(n), exceptions_, untried_);
    std::printf("%llu passed, %u failed\n", static_cast<unsigned long long>(passed_), failed_);
    return failed_ ? 1 : 0;
  }

 private:
  static constexpr CodeSize kSizes[] = {CodeSize::k64, CodeSize::k32, CodeSize::k16};

  bool generate(u64 n, TestCase& test) const {
    Rng rng(o_.seed * 0x9e3779b97f4a7c15 ^ (n + 1) * 0xd1342543de82ef95);
    const unsigned kind = rng() % 10, size = n % 8 < 5 ? 0 : n % 8 < 7 ? 1 : 2;
    if (o_.loops || kind >= 8) return generate_loop(choice_[0], rng, test);
    test.size = kSizes[size];
    const RowChoice& rows = choice_[size];
    if (kind < 2) return generate_single(*rows.all[rng() % rows.all.size()], rng, test);
    if (kind < 3) return generate_sequence(rows.all, rng, test);
    return generate_program(rows, rng, test);
  }

  // What differs between the processor and the engine in one mode; empty when nothing does.
  std::string difference(const TestCase& test, unsigned mode, TestState& expected) {
    if (!native_->run(test, expected)) return "";
    static TestState actual;
    return engines_.run(mode, test, actual) ? compare(test, expected, actual) : "  no result";
  }

  void one(u64 n) {
    static TestCase test;
    static TestState expected, actual;
    if (!generate(n, test)) return;
    if (o_.verbose) {
      std::printf("case %llu: %s\n", static_cast<unsigned long long>(n), test.text().c_str());
      std::fflush(stdout);
    }
    if (!native_->run(test, expected)) {
      untried_++;
      return;
    }
    exceptions_ += expected.fault != kNoFault;
    for (unsigned m = 0; m < kModeCount; m++) {
      // The plain engine always, one of the others in turn.
      if (o_.mode >= 0 ? static_cast<int>(m) != o_.mode : m && m != 1 + n % (kModeCount - 1)) continue;
      const bool ran = engines_.run(m, test, actual);
      const std::string what = ran ? compare(test, expected, actual) : "  no result";
      if (what.empty()) {
        passed_++;
        continue;
      }
      report(n, m, test, what, ran);
      return;
    }
    if (o_.count == 1) write(n, test, expected);  // asked for by name
  }

  void bytes(u64 n) {
    Rng rng(o_.seed * 0x9e3779b97f4a7c15 ^ (n + 1) * 0xd1342543de82ef95);
    u8 bytes[kMaxInstBytes];
    const CodeSize size = kSizes[n % 3];
    random_bytes(rng, size, bytes);
    const std::string what = check_decoder(bytes, size, *native_);
    if (what.empty()) {
      passed_++;
      return;
    }
    failed_++;
    std::printf("FAILED --decoder --seed %llu --case %llu: %u-bit code", static_cast<unsigned long long>(o_.seed),
                static_cast<unsigned long long>(n), 64u >> (n % 3));
    for (u8 b : bytes) std::printf(" %02x", b);
    std::printf(": %s\n", what.c_str());
    std::fflush(stdout);
  }

  void report(u64 n, unsigned mode, const TestCase& test, const std::string& what, bool ran) {
    failed_++;
    std::printf("FAILED --seed %llu --case %llu --mode %s: %s\n   %s\n", static_cast<unsigned long long>(o_.seed),
                static_cast<unsigned long long>(n), kModes[mode].name, test.text().c_str(), what.c_str());
    std::fflush(stdout);
    if (!ran) return;  // each try would take as long
    TestState expected;
    const TestCase small = shrink(test, [&](const TestCase& t) { return !difference(t, mode, expected).empty(); });
    const std::string left = difference(small, mode, expected);
    std::printf("   smallest: %s\n   %s\n", small.text().c_str(), left.c_str());
    write(n, small, expected);
    std::fflush(stdout);
  }

  void write(u64 n, const TestCase& test, const TestState& expected) const {
    char name[96];
    std::snprintf(name, sizeof name, "user64_fuzz_%llu_%llu", static_cast<unsigned long long>(o_.seed),
                  static_cast<unsigned long long>(n));
    const std::string text = guest_program(test, expected, name);
    if (o_.out.empty() || text.empty()) return;
    const std::string path = o_.out + "/" + name + ".s";
    std::ofstream(path) << text;
    std::printf("   as a guest program: %s\n", path.c_str());
  }

  Options o_;
  std::unique_ptr<Runner> native_;  // first: the engine chains to its signal handlers
  ModeRunners engines_;
  std::vector<RowChoice> choice_;
  u64 passed_ = 0;
  unsigned failed_ = 0, exceptions_ = 0, untried_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  if (!parse(argc, argv, o)) {
    std::fprintf(stderr,
                 "usage: %s [--seed N] [--case N | --from N] [--count N] [--minutes N] [--failures N] [--mode MODE] "
                 "[--out FOLDER] [--decoder | --loops] [--verbose]\n",
                 argv[0]);
    return 2;
  }
  return Fuzzer(o).run();
}
