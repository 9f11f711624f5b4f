// See boot_script.h.
#include "boot_script.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "cpu/segments.h"
#include "mmu/mmu.h"
#include "translate/mode.h"

namespace rz {
namespace {

constexpr const char* kGpr[16] = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                  "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
constexpr const char* kSegments[kSegCount] = {"es", "cs", "ss", "ds", "fs", "gs"};

bool parse_hex(const std::string& text, u64& value) {
  char* end = nullptr;
  value = strtoull(text.c_str(), &end, 16);
  return !text.empty() && *end == 0;
}

/// The numbers of a line, all of them.
bool parse_numbers(std::istringstream& in, std::vector<u64>& values) {
  for (std::string word; in >> word;) {
    u64 value;
    if (!parse_hex(word, value)) return false;
    values.push_back(value);
  }
  return true;
}

bool parse_line(const std::string& line, const std::string& folder, BootScript& script) {
  std::istringstream in(line);
  std::string word, name;
  in >> word;
  if (word.empty()) return true;
  if (word == "cpu") return static_cast<bool>(in >> script.cpu);
  if (word == "memory" || word == "rom") {
    std::vector<u64> v;
    if (!parse_numbers(in, v) || v.size() != 2 || v[1] == 0 || (v[0] | v[1]) % 4096 != 0) return false;
    script.ranges.push_back({v[0], v[1], word == "rom"});
    return true;
  }
  if (!(in >> name)) return false;
  if (word == "load") {
    std::string file;
    u64 at;
    std::getline(in >> std::ws, file);
    if (!parse_hex(name, at) || file.empty()) return false;
    script.loads.push_back({at, file[0] == '/' ? file : folder + file});
    return true;
  }
  std::vector<u64> values;
  if (!parse_numbers(in, values)) return false;
  const size_t wanted = word == "reg" ? 1 : word == "seg" ? 4 : word == "table" ? 2 : 0;
  if (wanted == 0 || values.size() != wanted) return false;
  script.registers.push_back({name, values});
  return true;
}

/// The register of that name which is a plain number, or null.
u64* number_of(Vcpu& v, const std::string& name) {
  for (unsigned i = 0; i < 16; i++)
    if (name == kGpr[i]) return &v.regs[i];
  if (name == "rip") return &v.rip;
  if (name == "rflags") return &v.rflags;
  if (name == "cr0") return &v.cr0;
  if (name == "cr2") return &v.cr2;
  if (name == "cr3") return &v.cr3;
  if (name == "cr4") return &v.cr4;
  if (name == "cr8") return &v.cr8;
  if (name == "efer") return &v.msr.efer;
  return nullptr;
}

Segment* segment_of(Vcpu& v, const std::string& name) {
  for (unsigned i = 0; i < kSegCount; i++)
    if (name == kSegments[i]) return &v.seg[i];
  return name == "ldtr" ? &v.ldtr : name == "tr" ? &v.tr : nullptr;
}

}  // namespace

u64 BootScript::top() const {
  u64 top = 0;
  for (const Range& r : ranges) top = std::max(top, r.at + r.bytes);
  return top;
}

bool read_boot_script(const std::string& path, BootScript& script, std::string& error) {
  std::ifstream in(path);
  if (!in) {
    error = "cannot read " + path;
    return false;
  }
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  for (std::string line; std::getline(in, line);) {
    if (parse_line(line, folder, script)) continue;
    error = path + ": this line is not understood: " + line;
    return false;
  }
  if (script.ranges.empty()) error = path + ": it has no memory";
  return error.empty();
}

bool set_boot_registers(Vcpu& v, const BootScript& script, std::string& error) {
  for (const auto& [name, values] : script.registers) {
    if (u64* number = number_of(v, name)) {
      *number = values[0];
    } else if (name == "gdtr" || name == "idtr") {
      (name == "gdtr" ? v.gdtr : v.idtr) = {values[0], static_cast<u16>(values[1])};
    } else if (Segment* s = segment_of(v, name)) {
      s->selector = static_cast<u16>(values[0]);
      s->base = values[1];
      s->limit = static_cast<u32>(values[2]);
      s->attributes = static_cast<u16>(values[3]);
    } else {
      error = "there is no register " + name;
      return false;
    }
  }
  v.cpl = 0;
  refresh_segments(v);
  refresh_mode(v);
  tlb_switch_context(v, v.cr3, false);
  return true;
}

}  // namespace rz
