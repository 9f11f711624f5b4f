// engine_verify_test: what the translator emits for random guest code in random modes must be accepted by the verifier,
// and what the mutations make of it must be refused. Nothing that is emitted here is ever run.
// Usage: engine_verify_test [--seed N] [--blocks N] [--seconds N] [--verbose]. The same seed gives the same code.
#include <elf.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "bench_machine.h"
#include "decode/disassemble.h"
#include "mutations.h"
#include "translate/mode.h"

namespace {

using namespace rz;
using namespace rz::verify_test;

struct Options {
  u64 seed = 1;
  unsigned blocks = 2000;
  double seconds = 20;
  bool verbose = false;
};

/// Bytes of this program's own code: what compilers make, for 64-bit blocks.
std::vector<u8> own_code() {
  std::vector<u8> all;
  if (FILE* f = std::fopen("/proc/self/exe", "rb")) {
    u8 buffer[65536];
    for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, f)) > 0;) all.insert(all.end(), buffer, buffer + n);
    std::fclose(f);
  }
  Elf64_Ehdr header{};
  if (all.size() < sizeof header) return {0x90};
  std::memcpy(&header, all.data(), sizeof header);
  for (unsigned i = 0; i < header.e_phnum; i++) {
    Elf64_Phdr part;
    std::memcpy(&part, all.data() + header.e_phoff + i * sizeof part, sizeof part);
    if (part.p_type == PT_LOAD && (part.p_flags & PF_X))
      return {all.begin() + static_cast<long>(part.p_offset),
              all.begin() + static_cast<long>(part.p_offset + part.p_filesz)};
  }
  return {0x90};
}

/// Loads through a register into itself, at places where the next instruction may begin.
void add_chases(std::vector<u8>& code, Rng& rng) {
  for (size_t at = 0; at + 4 < code.size() && at < 64; at += 4 + rng() % 8) {
    static const u8 kRegs[] = {0, 1, 2, 3, 5, 6, 7};  // not RSP
    const unsigned r = kRegs[rng() % std::size(kRegs)];
    const u8 load[] = {0x48, 0x8b, static_cast<u8>(0x40 | r << 3 | r), static_cast<u8>(rng())};
    std::memcpy(code.data() + at, load, sizeof load);
    if (rng() % 2) at = code.size();
  }
}

/// A loop over arrays at the beginning: loads and stores through one or two registers, that move up or down.
void add_loop(std::vector<u8>& code, Rng& rng) {
  std::vector<u8> loop;
  const auto put = [&](std::initializer_list<u64> bytes) {
    for (u64 b : bytes) loop.push_back(static_cast<u8>(b));
  };
  static const u8 kBases[] = {0, 2, 3, 6, 7};  // not RSP, nor RCX, which counts
  const u8 first = kBases[rng() % std::size(kBases)], second = kBases[rng() % std::size(kBases)];
  const u8 step = static_cast<u8>(rng() % 4 ? 8 : rng()), back = static_cast<u8>(rng() % 2 ? step : 0u - step);
  for (unsigned n = 1 + rng() % 3; n > 0; n--) {
    const unsigned store = rng() % 2 ? 0x89 : 0x8b, of = rng() % 3 ? first : second;
    const u8 disp = static_cast<u8>(rng() % 3 ? n * 8 : rng());
    if (rng() % 3)
      put({0x4c, store, 0x40u | (rng() & 3) << 3 | of, disp});  // R8 to R11
    else
      put({0x4c, store, 0x44u | (rng() & 3) << 3, (rng() & 3) << 6 | first << 3 | second, disp});
  }
  put({0x48, 0x83, 0xc0u | first, step});
  if (rng() % 2 && second != first) put({0x48, 0x83, 0xc0u | second, back});
  put({0x83, 0xe9, 0x01, 0x75});  // SUB ECX, 1; JNE
  loop.push_back(static_cast<u8>(0u - (loop.size() + 1)));
  std::memcpy(code.data(), loop.data(), loop.size() < code.size() ? loop.size() : code.size());
}

std::vector<u8> random_code(Rng& rng, const std::vector<u8>& real) {
  std::vector<u8> code(16 + rng() % 240);
  if (rng() % 3 && real.size() > code.size()) {
    const size_t at = rng() % (real.size() - code.size());
    std::memcpy(code.data(), real.data() + at, code.size());
    for (unsigned n = rng() % 4; n > 0; n--) code[rng() % code.size()] = static_cast<u8>(rng());
    return code;
  }
  static const u8 kFrequent[] = {0x66, 0xf2, 0xf3, 0x65, 0x64, 0x2e, 0xf0, 0x0f,
                                 0xc5, 0xc4, 0x48, 0x4c, 0x41, 0x67, 0x8b, 0x89};
  for (u8& b : code) b = rng() % 4 ? static_cast<u8>(rng()) : kFrequent[rng() % std::size(kFrequent)];
  return code;
}

u64 random_mode(Rng& rng) {
  u64 mode = rng() & 0x3fffc;
  const u64 size = rng() % 4 ? rng() % 3 : 2;
  mode |= size;
  if (mode & kModeCpl0) mode &= ~u64{kModeCpl3};
  if (size == 2) {
    mode |= kModeLong | kModeProtected | kModeFlat | kModeFlatSs | kModeStackBig;
    mode &= ~u64{kModeV86};
  } else if (rng() % 4) {
    mode &= ~u64{kModeV86};
  }
  if (rng() % 4 == 0)  // what most programs run in, and has checks of its own
    mode = (mode & ~u64{3 | kModeCpl0 | kModeV86 | kModeAlign}) | 2 | kModeCpl3 | kModeLong | kModeProtected |
           kModeFlat | kModeFlatSs | kModeStackBig;
  if (rng() % 3) mode = (mode & ~u64{kModeFpuTrap | kModeFpuEm}) | kModeOsfxsr | kModeOsxsave | kModeAvx;
  if (rng() % 8 == 0) mode |= kModeSingle;
  if (rng() % 8 == 0) mode |= kModeSingle | kModeBounce;
  return mode;
}

bool decode_at(const CodeCache& code, u32 at, u32 end, Inst& inst) {
  const u32 room = end - at;
  return at < end &&
         decode(code.rw(at), room < kMaxInstBytes ? room : kMaxInstBytes, CodeSize::k64, inst) == DecodeStatus::kOk;
}

void print(const CodeCache& code, const EmittedCode& piece, u32 mark) {
  Inst inst;
  for (u32 at = piece.begin; decode_at(code, at, piece.end, inst); at += inst.length) {
    char text[96];
    disassemble(inst, at - piece.begin, text, sizeof text);
    std::printf("%s %4x  %s\n", at == mark ? ">>" : "  ", at - piece.begin, text);
  }
}

struct Tally {
  unsigned passed = 0, failed = 0, empty = 0, unreached = 0;
  std::map<std::string, unsigned> tried;
};

bool all_tried(Tally& tally) {
  for (const Mutation& mutation : mutations())
    if (tally.tried[mutation.name] == 0) return false;
  return true;
}

void mutate(BenchMachine& machine, const EmittedCode& piece, Rng& rng, Tally& tally) {
  std::vector<Site> sites;
  Inst inst;
  for (u32 at = piece.begin; decode_at(machine.code, at, piece.end, inst); at += inst.length)
    sites.push_back({inst, inst, at});
  for (size_t i = 0; i + 1 < sites.size(); i++) sites[i].next = sites[i + 1].inst;
  if (sites.size() < 2) return;
  sites.pop_back();
  for (const Mutation& mutation : mutations()) {
    const size_t first = rng() % sites.size();
    for (size_t n = 0; n < sites.size(); n++) {
      const Site& site = sites[(first + n) % sites.size()];
      u8* bytes = machine.code.rw(site.offset);
      u8 saved[16];
      std::memcpy(saved, bytes, sizeof saved);
      bytes[0] = 0xcc;
      const bool reached = static_cast<bool>(verify_code(machine.code, piece));
      std::memcpy(bytes, saved, sizeof saved);
      if (!reached) {
        tally.unreached++;
        continue;
      }
      if (!mutation.apply(site, bytes, rng)) continue;
      const bool refused = static_cast<bool>(verify_code(machine.code, piece));
      tally.tried[mutation.name]++;
      if (!refused && ++tally.failed < 10) {
        std::printf("FAILED accepted: %s at +%x of\n", mutation.name, site.offset - piece.begin);
        print(machine.code, piece, site.offset);
      }
      std::memcpy(bytes, saved, sizeof saved);
      if (refused) tally.passed++;
      break;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  for (int i = 1; i < argc; i++) {
    const std::string a = argv[i];
    if (a == "--seed" && i + 1 < argc)
      o.seed = std::strtoull(argv[++i], nullptr, 0);
    else if (a == "--blocks" && i + 1 < argc)
      o.blocks = static_cast<unsigned>(std::atoi(argv[++i]));
    else if (a == "--seconds" && i + 1 < argc)
      o.seconds = std::atof(argv[++i]);
    else if (a == "--verbose")
      o.verbose = true;
    else {
      std::fprintf(stderr, "usage: engine_verify_test [--seed N] [--blocks N] [--seconds N] [--verbose]\n");
      return 2;
    }
  }
  const std::vector<u8> real = own_code();
  BenchMachine machine;
  Tally tally;
  const auto start = std::chrono::steady_clock::now();
  unsigned n = 0;
  for (; n < o.blocks; n++) {
    const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (spent > o.seconds && (all_tried(tally) || spent > 8 * o.seconds)) break;  // a loaded machine gets time
    Rng rng(o.seed * 1000003 + n);
    std::vector<u8> code = random_code(rng, real);
    const bool wandering = rng() % 8 == 0;
    if (wandering) add_chases(code, rng);
    const bool looping = !wandering && rng() % 4 == 0;
    if (looping) add_loop(code, rng);
    EngineOptions options;
    options.no_opt = rng() % 8 == 0;
    u64 mode = random_mode(rng);
    if (looping && rng() % 4)
      mode = (mode & ~u64{3 | kModeV86 | kModeAlign | kModeCareful | kModeSingle | kModeBounce}) | 2 | kModeLong |
             kModeProtected | kModeFlat | kModeFlatSs | kModeStackBig;
    const unsigned offset = rng() % 4 ? 0x100 : 4096 - 1 - rng() % 64;  // near a page's end, too
    const EmittedCode piece = machine.translate(code, offset, mode, options, wandering);
    if (!piece.end) {
      tally.empty++;
      continue;
    }
    if (const Violation bad = verify_code(machine.code, piece)) {
      if (++tally.failed < 10) {
        std::printf("FAILED refused: seed %llu, number %u, mode %llx: %s\n", static_cast<unsigned long long>(o.seed), n,
                    static_cast<unsigned long long>(mode), bad.reason);
        print(machine.code, piece, bad.offset);
      }
      continue;
    }
    if (const Violation bad = verify_links(machine.code)) {
      if (++tally.failed < 10) std::printf("FAILED links: number %u: %s\n", n, bad.reason);
      continue;
    }
    tally.passed++;
    if (n % 8 == 0 || (looping && n % 3 == 0)) mutate(machine, piece, rng, tally);
  }
  for (const Mutation& mutation : mutations()) {
    if (o.verbose) std::printf("%6u  %s\n", tally.tried[mutation.name], mutation.name);
    if (tally.tried[mutation.name] == 0) {
      std::printf("FAILED never tried: %s\n", mutation.name);
      tally.failed++;
    }
  }
  if (o.verbose) std::printf("%u blocks, %u without code, %u places never reached\n", n, tally.empty, tally.unreached);
  std::printf("%u passed, %u failed\n", tally.passed, tally.failed);
  return tally.failed ? 1 : 0;
}
