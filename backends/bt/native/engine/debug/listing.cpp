// See listing.h.
#include "listing.h"

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "../decode/disassemble.h"
#include "../mmu/phys_memory.h"
#include "../translate/mode.h"
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

/// A guest instruction of a block, and the offset where its host code begins.
struct GuestLine {
  u32 host;
  std::string text;
};

/// The host code of a block, and in it its guest instructions.
/// @param out_of_line  offset of what lies behind the block's body
Listing list(const CodeCache& code, const Block& block, const std::vector<GuestLine>& guest, u32 out_of_line) {
  Listing out;
  size_t next_guest = 0;
  bool told = false;
  for (u32 at = block.code_indirect; at < block.code_end;) {
    Inst inst;
    char text[160];
    const u32 room = block.code_end - at;
    if (decode(code.rw(at), room < kMaxInstBytes ? room : kMaxInstBytes, CodeSize::k64, inst) != DecodeStatus::kOk)
      break;
    for (; next_guest < guest.size() && guest[next_guest].host <= at; next_guest++) out.text += guest[next_guest].text;
    if (!told && at >= out_of_line) {
      out.text += "out of line\n";
      told = true;
    }
    std::snprintf(text, sizeof text, "  %4x  %s\n", at - block.code_indirect, host_text(code, block, inst, at).c_str());
    out.text += text;
    out.all_insts++;
    if (at >= block.code_direct && at < out_of_line) out.inline_insts++;
    at += inst.length;
  }
  return out;
}

std::string guest_text(u64 rip, const Inst* inst) {
  char text[96] = "(undefined)", line[128];
  if (inst && inst->row) disassemble(*inst, rip, text, sizeof text);
  std::snprintf(line, sizeof line, "%llx: %s\n", static_cast<unsigned long long>(rip), text);
  return line;
}

u64 rip_at(const Block& block, const InstStart& start) {
  return block.rip - (block.gpa & (kPageBytes - 1)) + start.guest;
}

/// The instruction of the block at `at` bytes from the start of its page, as it is in memory now; what is not RAM is
/// zeros.
bool guest_inst(const Machine& machine, const Block& block, unsigned at, Inst& inst) {
  u8 bytes[kMaxInstBytes] = {};
  for (unsigned i = 0; i < kMaxInstBytes; i++) {
    const unsigned offset = at + i;
    if (offset >= kPageBytes && block.gpa2 == ~0ull) break;
    const u64 gpa = offset < kPageBytes ? (block.gpa & kPageMask) + offset : block.gpa2 + (offset - kPageBytes);
    if (const u8* host = machine.memory->host(gpa)) bytes[i] = *host;
  }
  return decode(bytes, sizeof bytes, static_cast<CodeSize>(block.mode & kModeSizeMask), inst) == DecodeStatus::kOk;
}

}  // namespace

Listing list_translation(const Translator& translator, const CodeCache& code, u32 index) {
  std::vector<GuestLine> guest;
  for (unsigned i = 0; i < translator.insts(); i++)
    guest.push_back({translator.code_of(i), guest_text(translator.rip_of(i), &translator.inst(i))});
  return list(code, code.block(index), guest, translator.out_of_line());
}

Listing list_block(const Machine& machine, u32 index) {
  const CodeCache& code = *machine.code;
  const Block& block = code.block(index);
  std::vector<GuestLine> guest;
  for (u32 i = 0; i < block.insts; i++) {
    const InstStart& start = code.start(block.starts + i);
    Inst inst;
    const bool good = guest_inst(machine, block, start.guest, inst);
    guest.push_back({block.code_indirect + start.host, guest_text(rip_at(block, start), good ? &inst : nullptr)});
  }
  return list(code, block, guest, block.code_indirect + code.start(block.starts + block.insts).host);
}

std::string list_blocks_at(const Machine& machine, u64 address, unsigned most) {
  const CodeCache& code = *machine.code;
  std::string text;
  for (u32 i = code.block_count() - 1; i > 0 && most > 0; i--) {
    const Block& block = code.block(i);
    bool has = false;
    for (u32 k = 0; block.valid && k < block.insts; k++) has |= rip_at(block, code.start(block.starts + k)) == address;
    if (!has) continue;
    const Listing listing = list_block(machine, i);
    char line[200];
    std::snprintf(
        line, sizeof line,
        "block %u at %llx, physical %llx, mode %llx: %u guest instructions, %u host instructions of %u bytes\n", i,
        static_cast<unsigned long long>(block.rip), static_cast<unsigned long long>(block.gpa),
        static_cast<unsigned long long>(block.mode), block.insts, listing.all_insts,
        block.code_end - block.code_indirect);
    text += line + listing.text;
    most--;
  }
  return text.empty() ? "no block has been made of it, or it was dropped\n" : text;
}

}  // namespace rz
