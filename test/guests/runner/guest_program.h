// One guest test program: a GNU as source file (Intel syntax) that states its own start mode and expected result in
// `#!` header lines. Parses the header, assembles the file with the host's binutils and gives the bytes to load.
// Knows nothing of any engine: the KVM oracle and the binary translator's runner both sit on top of it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace guests {

/// Processor mode in which a program begins; start_state.h says what each one is exactly.
enum class StartMode { kReal16, kProtected32, kLong64 };

/// How a program is expected to end.
enum class Ending { kDone, kShutdown, kException };

/// `mem[ADDRESS:BYTES]=VALUE` of an expect line.
struct ExpectedMemory {
  std::uint64_t address;  // guest-physical
  unsigned bytes;         // 1..8
  std::uint64_t value;
};

/// What the header's `expect` lines say.
struct Expectation {
  Ending ending = Ending::kDone;
  unsigned vector = 0;     // of kException
  bool has_error = false;  // of kException
  std::uint64_t error = 0;
  std::map<std::string, std::uint64_t> registers;  // by lower-case 64-bit name, "rip" too
  std::uint64_t flags_set = 0, flags_clear = 0;    // EFLAGS masks
  std::vector<ExpectedMemory> memory;
};

struct Segment {
  std::uint64_t address;  // guest-physical
  std::vector<std::uint8_t> bytes;
};

/// Most processors that a program may ask for.
inline constexpr unsigned kMaxCpus = 8;

struct Program {
  std::string name;  // file name without ".s"
  std::string path;
  StartMode start = StartMode::kLong64;
  unsigned cpus = 1;  // the first begins at `start`, the others wait for INIT and SIPI
  Expectation expect;
  std::string cpu;          // CPU profile that it needs of the translator; empty: any
  std::string kvm_differs;  // why the KVM of some hosts is wrong here; empty: it must agree
  bool steps = false;       // it sets TF, and KVM hides it from a guest that the host steps through
  std::vector<Segment> segments;
  std::string elf_path;  // the linked program, for addr2line
};

/// First address of every program; also its entry.
inline constexpr std::uint64_t kProgramBase = 0x8000;

/// Files `*.s` of a directory, sorted by name; empty and a message on stderr when it cannot be read.
std::vector<std::string> list_programs(const std::string& directory);

/// Parse, assemble and link one file into `scratch_directory`. False with a message in `why`.
bool load_program(const std::string& path, const std::string& scratch_directory, Program& out, std::string& why);

/// "file.s:123" for an address inside the program, or "?".
std::string source_line(const Program& program, std::uint64_t address);

}  // namespace guests
