// What a machine without Node boots from: a text list of memory, files to load and registers, as flattenBootImage of
// packages/boot writes it. The format is described there.
#pragma once

#include <string>
#include <vector>

#include "cpu/types.h"

namespace rz {

struct Vcpu;

struct BootScript {
  struct Range {
    u64 at, bytes;  // guest-physical
    bool read_only;
  };
  struct Load {
    u64 at;            // guest-physical
    std::string file;  // relative ones are beside the script
  };
  struct Setting {
    std::string name;
    std::vector<u64> values;
  };
  std::vector<Range> ranges;
  std::vector<Load> loads;
  std::vector<Setting> registers;  // reg, seg and table lines
  std::string cpu = "x86-64-v2";   // name of a CPUID profile
  u64 top() const;                 // end of the highest range
};

/// False with a sentence in `error` that names the file, and the line where one is wrong.
bool read_boot_script(const std::string& path, BootScript& script, std::string& error);

/// Put the script's registers into a vCPU that was reset. False with a sentence in `error`.
bool set_boot_registers(Vcpu& vcpu, const BootScript& script, std::string& error);

}  // namespace rz
