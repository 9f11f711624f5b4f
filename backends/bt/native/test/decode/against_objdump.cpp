// Cross-check against objdump: lengths and mnemonics over real binaries and over random byte strings in all
// three code sizes. What objdump and the processor (or this table) see differently on purpose is named in
// `justified`, never skipped silently; the totals of each reason are printed.
#include "check.h"

#include <elf.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "decode/disassemble.h"
#include "decode/inst.h"

namespace rz::test {
namespace {

using Bytes = std::vector<u8>;

bool starts(const std::string& s, const char* prefix) { return s.rfind(prefix, 0) == 0; }
bool ends(const std::string& s, const char* suffix) {
  const size_t n = std::strlen(suffix);
  return s.size() >= n && s.compare(s.size() - n, n, suffix) == 0;
}
bool contains(const std::string& s, const char* part) { return s.find(part) != std::string::npos; }

// objdump's mnemonic in the table's spelling.
std::string table_spelling(const std::string& text) {
  static const char* const kPrefixWords[] = {"rep",    "repz",   "repnz",  "lock",   "bnd",      "notrack",
                                             "data16", "data32", "addr32", "addr16", "cs",       "ds",
                                             "es",     "fs",     "gs",     "ss",     "xacquire", "xrelease"};
  std::string rest = text, word;
  for (;;) {
    const size_t space = rest.find(' ');
    word = rest.substr(0, space);
    bool prefix = starts(word, "rex") || word == "{vex}";
    for (const char* p : kPrefixWords) prefix |= word == p;
    if (!prefix || space == std::string::npos) break;
    rest = rest.substr(rest.find_first_not_of(' ', space));
  }
  if (ends(word, ",pt") || ends(word, ",pn")) word.resize(word.size() - 3);
  static const std::map<std::string, std::string> kNames = {{"movabs", "mov"},
                                                            {"retf", "ret far"},
                                                            {"retfw", "ret far"},
                                                            {"retfq", "ret far"},
                                                            {"lret", "ret far"},
                                                            {"retw", "ret"},
                                                            {"cwde", "cbw"},
                                                            {"cdqe", "cbw"},
                                                            {"cdq", "cwd"},
                                                            {"cqo", "cwd"},
                                                            {"jecxz", "jcxz"},
                                                            {"jrcxz", "jcxz"},
                                                            {"iretw", "iret"},
                                                            {"iretd", "iret"},
                                                            {"iretq", "iret"},
                                                            {"pushfw", "pushf"},
                                                            {"pushfq", "pushf"},
                                                            {"pushfd", "pushf"},
                                                            {"popfw", "popf"},
                                                            {"popfq", "popf"},
                                                            {"popfd", "popf"},
                                                            {"pushaw", "pusha"},
                                                            {"popaw", "popa"},
                                                            {"pushad", "pusha"},
                                                            {"popad", "popa"},
                                                            {"leavew", "leave"},
                                                            {"enterw", "enter"},
                                                            {"fwait", "fwait"},
                                                            {"sysretd", "sysret"},
                                                            {"sysretq", "sysret"},
                                                            {"sysretl", "sysret"},
                                                            {"sysexitq", "sysexit"},
                                                            {"sysexitd", "sysexit"},
                                                            {"sysexitl", "sysexit"},
                                                            {"icebp", "int1"},
                                                            {"fxsave64", "fxsave"},
                                                            {"fxrstor64", "fxrstor"},
                                                            {"xsave64", "xsave"},
                                                            {"xrstor64", "xrstor"},
                                                            {"xsaveopt64", "xsaveopt"},
                                                            {"xsavec64", "xsavec"},
                                                            {"xsaves64", "xsaves"},
                                                            {"xrstors64", "xrstors"},
                                                            {"lcall", "call far"},
                                                            {"ljmp", "jmp far"},
                                                            {"movsxd", "movsxd"},
                                                            {"fneni(8087", "fneni"},
                                                            {"fndisi(8087", "fndisi"},
                                                            {"fnsetpm(287", "fnsetpm"},
                                                            {"lgdtd", "lgdt"},
                                                            {"lgdtw", "lgdt"},
                                                            {"lidtd", "lidt"},
                                                            {"lidtw", "lidt"},
                                                            {"sgdtd", "sgdt"},
                                                            {"sgdtw", "sgdt"},
                                                            {"sidtd", "sidt"},
                                                            {"sidtw", "sidt"},
                                                            {"fsubrp", "fsubrp"},
                                                            {"wbnoinvd", "wbinvd"},
                                                            {"cldemote", "nop"},
                                                            {"rdsspd", "nop"},
                                                            {"rdsspq", "nop"},
                                                            {"pushd", "push"},
                                                            {"popd", "pop"},
                                                            {"retfd", "ret far"},
                                                            {"retd", "ret"},
                                                            {"calld", "call"},
                                                            {"jmpd", "jmp"},
                                                            {"leaved", "leave"},
                                                            {"enterd", "enter"},
                                                            {"fnstenvw", "fnstenv"},
                                                            {"fnstenvd", "fnstenv"},
                                                            {"fnsavew", "fnsave"},
                                                            {"fnsaved", "fnsave"},
                                                            {"fldenvw", "fldenv"},
                                                            {"fldenvd", "fldenv"},
                                                            {"frstorw", "frstor"},
                                                            {"frstord", "frstor"},
                                                            {"vpcmpestrmq", "vpcmpestrm"},
                                                            {"vpcmpestriq", "vpcmpestri"},
                                                            {"pcmpestrmq", "pcmpestrm"},
                                                            {"pcmpestriq", "pcmpestri"},
                                                            {"pushw", "push"},
                                                            {"popw", "pop"},
                                                            {"popq", "pop"},
                                                            {"pushq", "push"},
                                                            {"callw", "call"},
                                                            {"jmpw", "jmp"},
                                                            {"loopw", "loop"},
                                                            {"loopel", "loope"},
                                                            {"loopew", "loope"},
                                                            {"loopnew", "loopne"},
                                                            {"fstpnce", "fstp1"},
                                                            {"fcom2", "fcom2"},
                                                            {"reservednop", "nop"},
                                                            {"nopw", "nop"},
                                                            {"prefetchit0", "nop"},
                                                            {"prefetchit1", "nop"},
                                                            {"sal", "shl"}};
  const auto it = kNames.find(word);
  if (it != kNames.end()) word = it->second;
  // Pseudo-operations that spell out the immediate.
  if ((starts(word, "cmp") || starts(word, "vcmp")) && word.size() > 5 && !starts(word, "cmpxchg")) {
    for (const char* t : {"ps", "pd", "ss", "sd"})
      if (ends(word, t)) return (word[0] == 'v' ? "vcmp" : "cmp") + std::string(t);
  }
  if (starts(word, "pclmul")) return "pclmulqdq";
  if (starts(word, "vpclmul")) return "vpclmulqdq";
  if ((word == "call" || word == "jmp" || word == "calld" || word == "jmpd") && rest.find(":0x") != std::string::npos &&
      !contains(rest, "PTR"))
    return word.substr(0, word[0] == 'c' ? 4 : 3) + " far";
  if ((word == "call" || word == "jmp") && (contains(rest, "FWORD PTR") || contains(rest, "TBYTE PTR")))
    return word + " far";
  return word;
}

// The table's own name for comparison.
std::string our_name(const Inst& inst) {
  std::string name = inst.row->mnemonic;
  if (name == "sal") name = "shl";
  if (name == "xchg" && inst.opcode == 0x90) return inst.rep ? "pause" : "xchg";
  return name;
}

// Instructions that objdump knows and the table leaves out (no guest is told that they exist).
bool not_offered(const std::string& m) {
  static const char* const kStarts[] = {
      "kadd",       "kand",       "kmov",         "knot",      "kor",       "kshift",        "ktest",     "kunpck",
      "kx",         "bnd",        "vm",           "xbegin",    "xabort",    "xend",          "xtest",     "encl",
      "enclu",      "enclv",      "getsec",       "pconfig",   "wrss",      "wruss",         "incssp",    "saveprev",
      "rstorssp",   "setssbsy",   "clrssbsy",     "clui",      "stui",      "testui",        "uiret",     "senduipi",
      "tdp",        "tile",       "ldtile",       "sttile",    "aesenc128", "aesenc256",     "aesdec128", "aesdec256",
      "aesencwide", "aesdecwide", "encodekey",    "loadiwkey", "movdir",    "enqcmd",        "tpause",    "umonitor",
      "umwait",     "ptwrite",    "xsusldtrk",    "xresldtrk", "hreset",    "serialize",     "wrmsrns",   "rdmsrlist",
      "wrmsrlist",  "pbndkb",     "invept",       "invvpid",   "invlpga",   "invlpgb",       "tlbsync",   "skinit",
      "clgi",       "stgi",       "psmash",       "pvalidate", "rmp",       "monitorx",      "mwaitx",    "clzero",
      "rdpru",      "mcommit",    "femms",        "pf",        "pi2f",      "pswapd",        "pavgusb",   "pmulhrw",
      "extrq",      "insertq",    "movnts",       "vpdp",      "vpmadd52",  "vcvtneps2bf16", "vcvtne",    "vbcstne",
      "cmpccxadd",  "cmp",        "aadd",         "aand",      "axor",      "aor",           "llwp",      "slwp",
      "lwp",        "bl",         "t1mskc",       "tz",        "vpcom",     "vprot",         "vpsh",      "vfrcz",
      "vphadd",     "vphsub",     "vpmac",        "vpmadcs",   "vpperm",    "vpcmov",        "vfm",       "vfn",
      "vpermil2",   "bextr",      "jmpe",         "rdmsr",     "cl1invmb",  "xcrypt",        "xstore",    "montmul",
      "xsha",       "ccs",        "prefetchrst2", "pfrcp",     "rdsspq",    "seamcall",      "seamret",   "seamops",
      "tdcall",     "erets",      "eretu",        "lkgs",      "vp",        "umov",          "loadall",   "fcmov",
      "ibts",       "xbts",       "svldt",        "svts",      "svdc",      "rsldt",         "rsts",      "rsdc",
      "smint",      "frinear",    "frichop",      "frint2",    "fstdw",     "fstsg",         "endbr",     "v4f",
      "vmgexit",    "rdshr",      "wrshr"};
  for (const char* s : kStarts)
    if (starts(m, s)) return true;
  return false;
}

// A named reason to accept a disagreement, or null. `theirs`: objdump's whole text.
const char* justified(const u8* bytes, const std::string& theirs, unsigned their_length, DecodeStatus status,
                      const Inst& inst, CodeSize size) {
  const std::string m = table_spelling(theirs);
  const bool they_fail = contains(theirs, "(bad)");
  unsigned prefixes = 0;
  bool lock = false, rex = false, f2 = false, f3 = false, p66 = false;
  for (; prefixes < 15; prefixes++) {
    const u8 b = bytes[prefixes];
    const bool is_rex = size == CodeSize::k64 && (b & 0xf0) == 0x40;
    if (b == 0xf0)
      lock = true;
    else if (b == 0xf2)
      f2 = true;
    else if (b == 0xf3)
      f3 = true;
    else if (b == 0x66)
      p66 = true;
    else if (is_rex)
      rex = true;
    else if (!(b == 0x67 || b == 0x26 || b == 0x2e || b == 0x36 || b == 0x3e || b == 0x64 || b == 0x65))
      break;
  }
  const u8* op = bytes + prefixes;
  if (status == DecodeStatus::kTooLong || status == DecodeStatus::kNeedMoreBytes)
    return "longer than fifteen bytes or cut off";
  // objdump prints a prefix that it cannot combine as an instruction of its own.
  if (their_length == prefixes && prefixes > 0) return "objdump prints prefixes alone";
  if (their_length < prefixes) return "objdump prints prefixes alone";
  if (op[0] == 0x9b && (their_length > prefixes + 1 || starts(theirs, "rex")))
    return "objdump joins FWAIT with what follows";
  if (op[0] == 0x62 && (size == CodeSize::k64 || (op[1] & 0xc0) == 0xc0)) return "EVEX is not offered";
  if (status == DecodeStatus::kInvalid) {
    if (they_fail) return "both call it undefined";
    if (op[0] == 0x8f && (op[1] & 0x38) != 0) return "XOP is not offered";
    if (op[0] == 0x0f && op[1] == 0x0f) return "3DNow! is not offered";
    if ((op[0] == 0xc4 || op[0] == 0xc5) && (lock || rex || f2 || f3 || p66)) return "a prefix before VEX is undefined";
    if (op[0] == 0xc4 || op[0] == 0xc5) {
      if (not_offered(m)) return "not offered to guests";
      if (contains(theirs, "/(bad)")) return "objdump marks registers bad";
    }
    if (lock) return "LOCK where it is not allowed";
    if (m == "mov" && op[0] == 0x0f) return "control or debug register that does not exist";
    if (op[0] == 0x8e || op[0] == 0x8c) return "segment register that does not exist";
    if (not_offered(m)) return "not offered to guests";
    // The next three were confirmed on a processor: SIGILL.
    if (op[0] == 0x0f && (f2 || f3 || p66)) return "a mandatory prefix that selects nothing is undefined";
    if ((op[0] == 0xc5 || op[0] == 0xc4) && (starts(m, "vzero") || contains(m, "mxcsr")))
      return "VEX.pp that selects nothing is undefined";
    if (op[0] == 0xdb && op[1] == 0xe5) return "FRSTPM is undefined";
    if (size != CodeSize::k64 && contains(m, "sbase")) return "FSGSBASE exists in 64-bit mode only";
    return nullptr;
  }
  // We decode it and they do not.
  if (they_fail) {
    if (op[0] == 0x0f && (op[1] == 0x0d || (op[1] >= 0x18 && op[1] <= 0x1f))) return "reserved no-operation";
    if (op[0] >= 0xd8 && op[0] <= 0xdf) return "undocumented x87 alias";
    if (op[0] == 0xd6) return "objdump leaves SALC out";
    if (op[0] == 0x0f && op[1] == 0xae && op[2] >= 0xe8) return "fences ignore ModRM.rm";
    if (op[0] == 0x82) return "objdump leaves 82 out";
    if ((op[0] & 0xfe) == 0xf6 && (op[1] & 0x38) == 8) return "TEST alias";
    if (inst.row->prefix == Mandatory::kAny && (f2 || f3 || p66)) return "a prefix without meaning is ignored";
    if (inst.row->prefix == Mandatory::kF2 || inst.row->prefix == Mandatory::kF3) return "F2 and F3 beat 66";
    return nullptr;
  }
  if (their_length != inst.length) {
    if (inst.row->attrs & kForce64 && p66) return "objdump takes 66 on near branches as AMD does";
    if (op[0] == 0x0f && op[1] == 0xff) return "UD0 has a ModRM byte on Intel";
    if (size != CodeSize::k64 && op[0] == 0x0f && (op[1] & 0xfc) == 0x20) return "MOV CR with memory mod";
    return nullptr;
  }
  // Same length, another name.
  if (inst.row->sem == Sem::kNop || m == "nop" || m == "xchg") return "names of no-operations";
  if (op[0] == 0xff && inst.operand_bytes == 2 && contains(theirs, "DWORD PTR"))
    return "objdump writes m16:16 as DWORD";
  if (op[0] == 0x63) return "MOVSXD without REX.W";
  return nullptr;
}

struct Line {
  size_t at;
  unsigned length;
  std::string text;
};

std::vector<Line> objdump_lines(const std::string& path, CodeSize size) {
  const char* machine = size == CodeSize::k64 ? "i386:x86-64" : size == CodeSize::k32 ? "i386" : "i8086";
  const std::string command = std::string("objdump -D -b binary -M intel,intel-mnemonic --insn-width=16 -m ") +
                              machine + " " + path + " 2>/dev/null";
  std::vector<Line> lines;
  FILE* f = popen(command.c_str(), "r");
  if (!f) return lines;
  char buffer[512];
  while (std::fgets(buffer, sizeof buffer, f)) {
    char* colon = std::strstr(buffer, ":\t");
    if (!colon) continue;
    Line line{std::strtoull(buffer, nullptr, 16), 0, ""};
    char* tab = std::strchr(colon + 2, '\t');
    for (char* p = colon + 2; (!tab || p < tab) && p[0] > ' ' && p[1] > ' '; p += 3) line.length++;
    if (tab) line.text = tab + 1;
    while (!line.text.empty() && (line.text.back() == '\n' || line.text.back() == ' ')) line.text.pop_back();
    lines.push_back(line);
  }
  pclose(f);
  return lines;
}

const char* mode_name(CodeSize size) { return size == CodeSize::k64 ? "64" : size == CodeSize::k32 ? "32" : "16"; }

void compare(const char* title, const Bytes& code, CodeSize size, bool verbose) {
  char path[] = "/tmp/engine-decode-XXXXXX";
  const int fd = mkstemp(path);
  if (fd < 0 || write(fd, code.data(), code.size()) != static_cast<ssize_t>(code.size())) {
    check(false, "cannot write %s", path);
    return;
  }
  close(fd);
  const std::vector<Line> lines = objdump_lines(path, size);
  unlink(path);
  check(!lines.empty(), "%s: objdump printed nothing", title);
  Bytes padded = code;
  padded.resize(code.size() + 16, 0x90);
  std::map<std::string, unsigned> reasons;
  unsigned equal = 0, bad = 0;
  for (const Line& line : lines) {
    if (line.at + 15 > code.size()) break;
    const u8* bytes = padded.data() + line.at;
    Inst inst;
    const DecodeStatus status = decode(bytes, 15, size, inst);
    const bool they_fail = contains(line.text, "(bad)");
    if (status == DecodeStatus::kOk && !they_fail && inst.length == line.length &&
        our_name(inst) == table_spelling(line.text)) {
      equal++;
      continue;
    }
    if (const char* why = justified(bytes, line.text, line.length, status, inst, size)) {
      reasons[why]++;
      continue;
    }
    bad++;
    char hex[64] = "", ours[128] = "(invalid)";
    for (int i = 0; i < 15; i++) std::snprintf(hex + i * 3, 4, "%02x ", bytes[i]);
    if (status == DecodeStatus::kOk) disassemble(inst, line.at, ours, sizeof ours);
    check(false, "%s-bit %s: objdump '%s' (%u), we '%s' (%u): %s", mode_name(size), title, line.text.c_str(),
          line.length, ours, status == DecodeStatus::kOk ? inst.length : 0, hex);
  }
  check(equal > lines.size() / 4, "%s: only %u of %zu lines are equal", title, equal, lines.size());
  g_tally.passed += equal;
  std::printf("%s-bit %-24s %8zu lines, %8u equal, %u unexplained\n", mode_name(size), title, lines.size(), equal, bad);
  if (verbose)
    for (const auto& [why, count] : reasons) std::printf("    %8u  %s\n", count, why.c_str());
}

// The .text section of an ELF file, at most `limit` bytes of it.
Bytes text_section(const char* path, size_t limit) {
  Bytes out;
  FILE* f = std::fopen(path, "rb");
  if (!f) return out;
  Elf64_Ehdr header;
  if (std::fread(&header, sizeof header, 1, f) == 1 && !std::memcmp(header.e_ident, ELFMAG, 4) &&
      header.e_ident[EI_CLASS] == ELFCLASS64) {
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    std::fseek(f, static_cast<long>(header.e_shoff), SEEK_SET);
    if (std::fread(sections.data(), sizeof(Elf64_Shdr), sections.size(), f) == sections.size()) {
      Elf64_Shdr best{};  // the largest executable section
      for (const Elf64_Shdr& s : sections)
        if ((s.sh_flags & SHF_EXECINSTR) && s.sh_type == SHT_PROGBITS && s.sh_size > best.sh_size) best = s;
      out.resize(best.sh_size < limit ? best.sh_size : limit);
      std::fseek(f, static_cast<long>(best.sh_offset), SEEK_SET);
      if (std::fread(out.data(), 1, out.size(), f) != out.size()) out.clear();
    }
  }
  std::fclose(f);
  return out;
}

// Random instructions: prefixes, an opcode of any map, and operand bytes; biased so that every opcode turns up.
Bytes random_code(std::mt19937& rng, unsigned instructions, CodeSize size) {
  Bytes out;
  static const u8 kPrefixBytes[] = {0x66, 0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x65, 0x64, 0xf0};
  for (unsigned i = 0; i < instructions; i++) {
    if (rng() % 3 == 0) out.push_back(kPrefixBytes[rng() % std::size(kPrefixBytes)]);
    if (rng() % 12 == 0) out.push_back(kPrefixBytes[rng() % std::size(kPrefixBytes)]);
    const unsigned kind = rng() % 8;
    if (size == CodeSize::k64 && kind < 6 && rng() % 3 == 0) out.push_back(static_cast<u8>(0x40 | rng() % 16));
    if (kind >= 6) {
      while (!out.empty() && out.size() > 32 &&
             (out.back() == 0x66 || out.back() == 0xf2 || out.back() == 0xf3 || out.back() == 0xf0))
        out.pop_back();
      if (rng() % 2) {
        out.push_back(0xc5);
        out.push_back(static_cast<u8>(size == CodeSize::k64 ? rng() : rng() | 0xc0));
      } else {
        out.push_back(0xc4);
        out.push_back(static_cast<u8>((size == CodeSize::k64 ? rng() & 0xe0 : 0xe0) | (1 + rng() % 3)));
        out.push_back(static_cast<u8>(rng()));
      }
      if (rng() % 2) out.back() |= 0x78;
    } else if (kind >= 2) {
      out.push_back(0x0f);
      if (kind == 4) out.push_back(0x38);
      if (kind == 5) out.push_back(0x3a);
    }
    for (int k = 0; k < 8; k++) out.push_back(static_cast<u8>(rng()));
    for (int k = 0; k < 12; k++) out.push_back(0x90);  // lets objdump find its feet again
  }
  return out;
}

}  // namespace

void run_against_objdump(unsigned megabytes, unsigned seed, bool verbose) {
  if (std::system("objdump --version >/dev/null 2>&1") != 0) {
    std::printf("skipped: objdump\n");
    return;
  }
  char self[512] = "";
  const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
  (void)n;
  const char* const kBinaries[] = {"/bin/bash",
                                   "/lib/x86_64-linux-gnu/libc.so.6",
                                   "/lib/x86_64-linux-gnu/libm.so.6",
                                   "/lib/x86_64-linux-gnu/libcrypto.so.3",
                                   "/usr/local/bin/node",
                                   "/usr/bin/node",
                                   self};
  for (const char* path : kBinaries) {
    const Bytes code = text_section(path, static_cast<size_t>(megabytes) << 20);
    if (code.empty()) continue;
    const char* name = std::strrchr(path, '/');
    compare(name ? name + 1 : path, code, CodeSize::k64, verbose);
  }
  std::mt19937 rng(seed);
  for (CodeSize size : {CodeSize::k64, CodeSize::k32, CodeSize::k16})
    compare("random bytes", random_code(rng, 20000, size), size, verbose);
}

}  // namespace rz::test
