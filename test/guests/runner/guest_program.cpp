// Header parsing, assembling and ELF loading of guest test programs; see guest_program.h.
#include "guest_program.h"

#include <dirent.h>
#include <elf.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

extern char** environ;

namespace guests {
namespace {

bool run_tool(std::vector<std::string> args) {
  std::vector<char*> argv;
  for (std::string& a : args) argv.push_back(a.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  if (posix_spawnp(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0) return false;
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool parse_number(const std::string& text, std::uint64_t& out) {
  if (text.empty()) return false;
  char* end = nullptr;
  out = text[0] == '-' ? static_cast<std::uint64_t>(strtoll(text.c_str(), &end, 0)) : strtoull(text.c_str(), &end, 0);
  return *end == 0;
}

bool parse_flags(const std::string& list, std::uint64_t& mask) {
  static const std::map<std::string, std::uint64_t> kFlags = {
      {"CF", 1},    {"PF", 4},    {"AF", 16},      {"ZF", 64},      {"SF", 128},     {"TF", 256},     {"IF", 512},
      {"DF", 1024}, {"OF", 2048}, {"NT", 1 << 14}, {"RF", 1 << 16}, {"VM", 1 << 17}, {"AC", 1 << 18}, {"ID", 1 << 21}};
  std::stringstream in(list);
  for (std::string flag; std::getline(in, flag, '|');) {
    const auto found = kFlags.find(flag);
    if (found == kFlags.end()) return false;
    mask |= found->second;
  }
  return true;
}

/// One word of an expect line, but `mem[...]`, whose address may be a symbol known only after linking.
bool parse_expectation(const std::string& word, Expectation& e, std::vector<std::string>& memory_words) {
  const size_t equals = word.find('=');
  if (word.rfind("mem[", 0) == 0) {
    memory_words.push_back(word);
    return equals != std::string::npos;
  }
  if (word == "done") return true;
  if (word == "shutdown") {
    e.ending = Ending::kShutdown;
    return true;
  }
  if (equals == std::string::npos) return false;
  const std::string key = word.substr(0, equals), value = word.substr(equals + 1);
  if (key == "set") return parse_flags(value, e.flags_set);
  if (key == "clear") return parse_flags(value, e.flags_clear);
  std::uint64_t number = 0;
  if (!parse_number(value, number)) return false;
  if (key == "exception") {
    e.ending = Ending::kException;
    e.vector = static_cast<unsigned>(number);
    return true;
  }
  if (key == "error") {
    e.has_error = true;
    e.error = number;
    return true;
  }
  static const char* kNames[] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8",
                                 "r9",  "r10", "r11", "r12", "r13", "r14", "r15", "rip"};
  if (std::find(std::begin(kNames), std::end(kNames), key) == std::end(kNames)) return false;
  e.registers[key] = number;
  return true;
}

bool parse_header(const std::string& path, Program& p, std::vector<std::string>& memory_words, std::string& why) {
  std::ifstream in(path);
  if (!in) {
    why = "cannot read " + path;
    return false;
  }
  bool has_start = false, has_expect = false;
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("#!", 0) != 0) continue;
    std::istringstream words(line.substr(2));
    std::string key, word;
    words >> key;
    if (key == "start:") {
      words >> word;
      has_start = true;
      if (word == "real16")
        p.start = StartMode::kReal16;
      else if (word == "protected32")
        p.start = StartMode::kProtected32;
      else if (word == "long64")
        p.start = StartMode::kLong64;
      else {
        why = "unknown start mode " + word;
        return false;
      }
    } else if (key == "cpus:") {
      std::uint64_t cpus = 0;
      words >> word;
      if (!parse_number(word, cpus) || cpus < 1 || cpus > kMaxCpus) {
        why = "cpus must be 1.." + std::to_string(kMaxCpus);
        return false;
      }
      p.cpus = static_cast<unsigned>(cpus);
    } else if (key == "expect:") {
      has_expect = true;
      while (words >> word)
        if (!parse_expectation(word, p.expect, memory_words)) {
          why = "cannot parse expectation " + word;
          return false;
        }
    } else if (key == "cpu:") {
      words >> p.cpu;
    } else if (key == "steps:") {
      p.steps = words >> word && word == "itself";
      if (!p.steps) {
        why = "steps must be: itself";
        return false;
      }
    } else if (key == "kvm-differs:") {
      std::getline(words, p.kvm_differs);
      while (!p.kvm_differs.empty() && p.kvm_differs[0] == ' ') p.kvm_differs.erase(0, 1);
    } else {
      why = "unknown header line " + key;
      return false;
    }
  }
  if (!has_start || !has_expect) {
    why = "header must have `#! start:` and `#! expect:`";
    return false;
  }
  return true;
}

/// Collect the loadable bytes, and the value of every symbol.
bool read_elf(const std::string& path, Program& p, std::map<std::string, std::uint64_t>& symbols, std::string& why) {
  std::ifstream in(path, std::ios::binary);
  const std::vector<char> file{std::istreambuf_iterator<char>(in), {}};
  Elf64_Ehdr head;
  if (file.size() < sizeof head) {
    why = "no ELF file from the linker";
    return false;
  }
  memcpy(&head, file.data(), sizeof head);
  for (unsigned i = 0; i < head.e_phnum; i++) {
    Elf64_Phdr ph;
    memcpy(&ph, file.data() + head.e_phoff + i * sizeof ph, sizeof ph);
    if (ph.p_type != PT_LOAD || ph.p_memsz == 0) continue;
    Segment s{ph.p_paddr, std::vector<std::uint8_t>(ph.p_memsz)};
    memcpy(s.bytes.data(), file.data() + ph.p_offset, ph.p_filesz);
    p.segments.push_back(std::move(s));
  }
  for (unsigned i = 0; i < head.e_shnum; i++) {
    Elf64_Shdr sh, strings;
    memcpy(&sh, file.data() + head.e_shoff + i * sizeof sh, sizeof sh);
    if (sh.sh_type != SHT_SYMTAB) continue;
    memcpy(&strings, file.data() + head.e_shoff + sh.sh_link * sizeof strings, sizeof strings);
    for (size_t at = 0; at + sizeof(Elf64_Sym) <= sh.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym symbol;
      memcpy(&symbol, file.data() + sh.sh_offset + at, sizeof symbol);
      symbols[file.data() + strings.sh_offset + symbol.st_name] = symbol.st_value;
    }
  }
  return true;
}

/// `mem[ADDRESS:BYTES]=VALUE`, ADDRESS a number or a symbol, VALUE a number.
bool parse_memory(const std::string& word, const std::map<std::string, std::uint64_t>& symbols, ExpectedMemory& m) {
  const size_t colon = word.find(':'), close = word.find("]=");
  if (colon == std::string::npos || close == std::string::npos || colon > close) return false;
  const std::string address = word.substr(4, colon - 4);
  std::uint64_t bytes = 0;
  if (!parse_number(word.substr(colon + 1, close - colon - 1), bytes) || bytes < 1 || bytes > 8) return false;
  m.bytes = static_cast<unsigned>(bytes);
  const auto symbol = symbols.find(address);
  if (symbol != symbols.end())
    m.address = symbol->second;
  else if (!parse_number(address, m.address))
    return false;
  return parse_number(word.substr(close + 2), m.value);
}

}  // namespace

std::vector<std::string> list_programs(const std::string& directory) {
  std::vector<std::string> files;
  DIR* dir = opendir(directory.c_str());
  if (!dir) {
    fprintf(stderr, "cannot read directory %s\n", directory.c_str());
    return files;
  }
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name.size() > 2 && name.substr(name.size() - 2) == ".s") files.push_back(directory + "/" + name);
  }
  closedir(dir);
  std::sort(files.begin(), files.end());
  return files;
}

bool load_program(const std::string& path, const std::string& scratch_directory, Program& out, std::string& why) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  out = {};
  out.path = path;
  out.name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  out.name.resize(out.name.size() - 2);
  std::vector<std::string> memory_words;
  if (!parse_header(path, out, memory_words, why)) return false;
  const std::string stem = scratch_directory + "/" + out.name;
  out.elf_path = stem + ".elf";
  if (!run_tool({"as", "--64", "-g", "-I", directory + "/include", "-o", stem + ".o", path})) {
    why = "as failed";
    return false;
  }
  char base[32];
  snprintf(base, sizeof base, "-Ttext=%#llx", static_cast<unsigned long long>(kProgramBase));
  if (!run_tool({"ld", "-m", "elf_x86_64", "-N", "--no-warn-rwx-segments", "-e", "start", base, "-o", out.elf_path,
                 stem + ".o"})) {
    why = "ld failed";
    return false;
  }
  std::map<std::string, std::uint64_t> symbols;
  if (!read_elf(out.elf_path, out, symbols, why)) return false;
  if (symbols["start"] != kProgramBase) {
    why = "`start` must be the first byte of the program";
    return false;
  }
  for (const std::string& word : memory_words) {
    ExpectedMemory m{};
    if (!parse_memory(word, symbols, m)) {
      why = "cannot parse expectation " + word;
      return false;
    }
    out.expect.memory.push_back(m);
  }
  return true;
}

std::string source_line(const Program& program, std::uint64_t address) {
  char command[4096];
  snprintf(command, sizeof command, "addr2line -e '%s' %#llx", program.elf_path.c_str(),
           static_cast<unsigned long long>(address));
  FILE* pipe = popen(command, "r");
  if (!pipe) return "?";
  char line[1024] = "?";
  if (!fgets(line, sizeof line, pipe)) strcpy(line, "?");
  pclose(pipe);
  std::string text = line;
  while (!text.empty() && text.back() == '\n') text.pop_back();
  const size_t slash = text.rfind('/');
  return slash == std::string::npos ? text : text.substr(slash + 1);
}

}  // namespace guests
