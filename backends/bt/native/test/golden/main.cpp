// engine_golden_test: each file of this folder holds guest code and what the translator makes of it. A change of the
// translator shows as a difference here and is reviewed like code.
//   engine_golden_test            compares, prints the first differing line of each file that differs
//   engine_golden_test --accept   rewrites the files, budgets included
//   engine_golden_test --code BITS HEX...   lists code given as bytes, for whoever is curious
// A file: comment lines (#), `bits 16|32|64`, optionally `offset N` (in its page) and `options
// no-opt|bounce|supervisor`, `code HEX...`, `budget N` (host instructions from the direct entry to the end of the
// block's body), `---`, the listing.
#include <dirent.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "bench_machine.h"
#include "translate/mode.h"

namespace {

using namespace rz;
using namespace rz::verify_test;

struct Case {
  std::string comments, code_text, options_text, listing;
  unsigned bits = 64, offset = 0, budget = 0;
  std::vector<u8> code;
  u64 mode = 0;
  EngineOptions options;
};

std::vector<u8> parse_hex(std::istream& in) {
  std::vector<u8> bytes;
  for (std::string word; in >> word;) bytes.push_back(static_cast<u8>(std::strtoul(word.c_str(), nullptr, 16)));
  return bytes;
}

/// Flat user code with every unit available, as an operating system's programs see it; 16 bits: real mode.
u64 mode_of(unsigned bits, const std::string& options) {
  u64 mode = kModeOsfxsr | kModeOsxsave | kModeAvx;
  if (bits == 64) mode |= kModeLong;
  if (bits == 16)
    mode |= static_cast<u64>(CodeSize::k16) | kModeCpl0;
  else
    mode |= static_cast<u64>(bits == 64 ? CodeSize::k64 : CodeSize::k32) | kModeProtected | kModeFlat | kModeFlatSs |
            kModeStackBig;
  if (bits != 16) mode |= options.find("supervisor") != std::string::npos ? kModeCpl0 : kModeCpl3;
  if (options.find("bounce") != std::string::npos) mode |= kModeSingle | kModeBounce;
  return mode;
}

bool read_case(const std::string& path, Case& c) {
  std::ifstream in(path);
  if (!in) return false;
  std::string line;
  while (std::getline(in, line) && line != "---") {
    std::istringstream words(line);
    std::string word;
    words >> word;
    if (word.empty() || word[0] == '#')
      c.comments += line + "\n";
    else if (word == "bits")
      words >> c.bits;
    else if (word == "offset")
      words >> c.offset;
    else if (word == "budget")
      words >> c.budget;
    else if (word == "options")
      c.options_text = line.substr(8);
    else if (word == "code") {
      c.code_text = line.substr(5);
      c.code = parse_hex(words);
    } else
      return false;
  }
  while (std::getline(in, line)) c.listing += line + "\n";
  c.mode = mode_of(c.bits, c.options_text);
  c.options.no_opt = c.options_text.find("no-opt") != std::string::npos;
  return !c.code.empty();
}

void write_case(const std::string& path, const Case& c, const Listing& now) {
  std::ofstream out(path);
  out << c.comments << "bits " << c.bits << "\n";
  if (c.offset) out << "offset " << c.offset << "\n";
  if (!c.options_text.empty()) out << "options " << c.options_text << "\n";
  out << "code " << c.code_text << "\nbudget " << now.inline_insts << "\n---\n" << now.text;
}

void show_difference(const std::string& was, const std::string& is) {
  std::istringstream a(was), b(is);
  for (;;) {
    std::string x, y;
    const bool more_a = static_cast<bool>(std::getline(a, x)), more_b = static_cast<bool>(std::getline(b, y));
    if (x == y && more_a && more_b) continue;
    std::printf("   was: %s\n   is:  %s\n", more_a ? x.c_str() : "(end)", more_b ? y.c_str() : "(end)");
    return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  BenchMachine machine;
  if (argc > 3 && !std::strcmp(argv[1], "--code")) {
    std::stringstream hex;
    for (int i = 3; i < argc; i++) hex << argv[i] << ' ';
    Case c;
    c.bits = static_cast<unsigned>(std::atoi(argv[2]));
    const Listing l = machine.list(parse_hex(hex), 0, mode_of(c.bits, ""), c.options);
    std::printf("%s%u host instructions in the body, %u in all\n", l.text.c_str(), l.inline_insts, l.all_insts);
    return 0;
  }
  const bool accept = argc == 2 && !std::strcmp(argv[1], "--accept");
  if (argc > 1 && !accept) {
    std::fprintf(stderr, "usage: engine_golden_test [--accept | --code BITS HEX...]\n");
    return 2;
  }
  if (!__builtin_cpu_supports("bmi2")) {
    std::printf("skipped: BMI2, without which other code is emitted\n0 passed, 0 failed\n");
    return 0;
  }
  std::vector<std::string> names;
  if (DIR* folder = opendir(GOLDEN_DIR)) {
    while (const dirent* entry = readdir(folder)) {
      const std::string name = entry->d_name;
      if (name.size() > 4 && name.substr(name.size() - 4) == ".txt") names.push_back(name);
    }
    closedir(folder);
  }
  std::sort(names.begin(), names.end());
  unsigned passed = 0, failed = names.empty() ? 1 : 0;
  for (const std::string& name : names) {
    const std::string path = std::string(GOLDEN_DIR) + "/" + name;
    Case c;
    if (!read_case(path, c)) {
      std::printf("FAILED %s: not a golden file\n", name.c_str());
      failed++;
      continue;
    }
    const Listing now = machine.list(c.code, c.offset, c.mode, c.options);
    if (accept) {
      if (now.text != c.listing || now.inline_insts != c.budget)
        std::printf("%s: %u host instructions, were %u\n", name.c_str(), now.inline_insts, c.budget);
      write_case(path, c, now);
      passed++;
      continue;
    }
    if (now.inline_insts > c.budget) {
      std::printf("FAILED %s: %u host instructions, the budget is %u\n", name.c_str(), now.inline_insts, c.budget);
      failed++;
    } else if (now.text != c.listing) {
      std::printf("FAILED %s: other code (%u host instructions, budget %u); if it is meant: pnpm golden --accept\n",
                  name.c_str(), now.inline_insts, c.budget);
      show_difference(c.listing, now.text);
      failed++;
    } else {
      passed++;
    }
  }
  std::printf("%u passed, %u failed\n", passed, failed);
  return failed ? 1 : 0;
}
