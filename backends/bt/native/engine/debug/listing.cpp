// See listing.h.
#include "listing.h"

#include <cstdio>
#include <cstdlib>

#include "../decode/disassemble.h"
#include "../verify/thunks.h"
#include "../verify/vcpu_fields.inc"

namespace rz {
namespace {

struct FieldName {
  const char* name;
  u64 first, bytes;
};
constexpr FieldName kNames[] = {
#define RZ_FIELD_NAME(name, first, bytes, writable) {name, first, bytes},
    RZ_EMITTED_FIELDS(RZ_FIELD_NAME)
#undef RZ_FIELD_NAME
};

std::string field_name(u64 offset) {
  char text[48];
  for (const FieldName& f : kNames) {
    if (offset < f.first || offset >= f.first + f.bytes) continue;
    if (offset == f.first && f.bytes <= 8) return f.name;
    std::snprintf(text, sizeof text, "%s+%llx", f.name, static_cast<unsigned long long>(offset - f.first));
    return text;
  }
  std::snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(offset));
  return text;
}

/// One host instruction, without its line end.
std::string host_text(const CodeCache& code, const Block& block, const Inst& inst, u32 at) {
  const u32 next = at + inst.length;
  char text[96];
  if (inst.row->sem == Sem::kJmpRel || inst.row->sem == Sem::kJcc || inst.row->sem == Sem::kJcxz) {
    const u32 target = next + static_cast<u32>(inst.imm);
    verify::ThunkRule space;
    const verify::ThunkRule* thunk = verify::find_thunk(target, space);
    disassemble(inst, 0, text, sizeof text);
    std::string line = text;
    line.resize(line.find(' ') + 1);
    if (thunk) return line + "<" + thunk->name + ">";
    std::snprintf(text, sizeof text, "+%x", target - block.code_indirect);
    return line + text;
  }
  if (inst.row->sem == Sem::kMovImm && !inst.has_memory && code.is_kept(inst.imm)) {
    disassemble(inst, 0, text, sizeof text);
    std::string line = text;
    line.resize(line.find(',') + 1);
    return line + "<instruction>";
  }
  if (inst.rip_relative && inst.row->sem == Sem::kLea) {
    disassemble(inst, 0, text, sizeof text);
    std::string line = text;
    line.resize(line.find('[') + 1);
    std::snprintf(text, sizeof text, "+%x]", next + static_cast<u32>(inst.disp) - block.code_indirect);
    return line + text;
  }
  disassemble(inst, 0, text, sizeof text);
  std::string line = text;
  const size_t gs = line.find("gs:[0x");
  if (gs != std::string::npos && inst.base == kNoReg) {
    const size_t end = line.find(']', gs);
    line = line.substr(0, gs + 3) + field_name(static_cast<u32>(inst.disp)) + line.substr(end + 1);
  }
  return line;
}

}  // namespace

Listing list_translation(const Translator& translator, const CodeCache& code, u32 index) {
  const Block& block = code.block(index);
  Listing out;
  unsigned next_guest = 0;
  bool told = false;
  for (u32 at = block.code_indirect; at < block.code_end;) {
    Inst inst;
    char text[160];
    const u32 room = block.code_end - at;
    if (decode(code.rw(at), room < kMaxInstBytes ? room : kMaxInstBytes, CodeSize::k64, inst) != DecodeStatus::kOk)
      break;
    while (next_guest < translator.insts() && translator.code_of(next_guest) <= at) {
      const Inst& guest = translator.inst(next_guest);
      char guest_text[96] = "(undefined)";
      if (guest.row) disassemble(guest, translator.rip_of(next_guest), guest_text, sizeof guest_text);
      std::snprintf(text, sizeof text, "%llx: %s\n", static_cast<unsigned long long>(translator.rip_of(next_guest)),
                    guest_text);
      out.text += text;
      next_guest++;
    }
    if (!told && at >= translator.out_of_line()) {
      out.text += "out of line\n";
      told = true;
    }
    std::snprintf(text, sizeof text, "  %4x  %s\n", at - block.code_indirect, host_text(code, block, inst, at).c_str());
    out.text += text;
    out.all_insts++;
    if (at >= block.code_direct && at < translator.out_of_line()) out.inline_insts++;
    at += inst.length;
  }
  return out;
}

}  // namespace rz
