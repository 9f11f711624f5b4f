// The mutations, each of a pattern that emitted code is made of. See mutations.h.
#include "mutations.h"

#include <cstring>

#include "cpu/vcpu.h"
#include "emit/registers.h"
#include "mmu/tlb.h"
#include "translate/translator.h"

namespace rz::verify_test {
namespace {

struct Forbidden {
  u8 bytes[6];
  unsigned count;
};
// SYSCALL, INT3, INT 80h, HLT, IN, OUT, WRGSBASE, WRFSBASE, SWAPGS, PUSH, POP, RET, POPF, PUSHF, STD, CLD, STI, IRET,
// LEAVE, far JMP and CALL, CALL, MOVSB, STOSQ, XLAT, CPUID, RDMSR, LGDT, MOV CR3, MOV DS, LDMXCSR, XRSTOR, FXSAVE, MOV
// moffs, UD2, JMP RAX, JMP [RAX], CALL [RAX], FS:, ENTER.
constexpr Forbidden kForbidden[] = {{{0x0f, 0x05}, 2},
                                    {{0xcc}, 1},
                                    {{0xcd, 0x80}, 2},
                                    {{0xf4}, 1},
                                    {{0xec}, 1},
                                    {{0xee}, 1},
                                    {{0xf3, 0x48, 0x0f, 0xae, 0xd8}, 5},
                                    {{0xf3, 0x48, 0x0f, 0xae, 0xd0}, 5},
                                    {{0x0f, 0x01, 0xf8}, 3},
                                    {{0x50}, 1},
                                    {{0x58}, 1},
                                    {{0xc3}, 1},
                                    {{0x9d}, 1},
                                    {{0x9c}, 1},
                                    {{0xfd}, 1},
                                    {{0xfc}, 1},
                                    {{0xfb}, 1},
                                    {{0x48, 0xcf}, 2},
                                    {{0xc9}, 1},
                                    {{0x48, 0xff, 0x28}, 3},
                                    {{0x48, 0xff, 0x18}, 3},
                                    {{0xe8, 0, 0, 0, 0}, 5},
                                    {{0xa4}, 1},
                                    {{0xf3, 0x48, 0xab}, 3},
                                    {{0xd7}, 1},
                                    {{0x0f, 0xa2}, 2},
                                    {{0x0f, 0x32}, 2},
                                    {{0x0f, 0x01, 0x10}, 3},
                                    {{0x0f, 0x22, 0xd8}, 3},
                                    {{0x8e, 0xd8}, 2},
                                    {{0x0f, 0xae, 0x10}, 3},
                                    {{0x0f, 0xae, 0x28}, 3},
                                    {{0x0f, 0xae, 0x00}, 3},
                                    {{0x0f, 0x0b}, 2},
                                    {{0xff, 0xe0}, 2},
                                    {{0xff, 0x20}, 2},
                                    {{0xff, 0x10}, 2},
                                    {{0x64, 0x48, 0x8b, 0x00}, 4},
                                    {{0xc8, 0, 0, 0}, 4}};

bool is(const Site& s, u8 opcode) {
  return s.inst.row->map == Map::kOne && s.inst.row->encoding == Encoding::kLegacy && s.inst.opcode == opcode;
}
bool group1(const Inst& i, unsigned ext) {
  return i.row->map == Map::kOne && (i.opcode == 0x81 || i.opcode == 0x83) && (i.modrm >> 3 & 7) == ext;
}
bool is_field(const Site& s) { return s.inst.has_memory && s.inst.seg_override == kGS; }
/// An access to guest memory: through T0, and not the TLB's.
bool is_access(const Site& s) {
  return s.inst.has_memory && s.inst.row->sem != Sem::kLea && s.inst.seg_override == kNoReg && s.inst.base == kT0;
}
/// The XOR with a tag that begins a check (the slow stubs have one, too, that undoes it).
bool is_tag(const Site& s) {
  return is(s, 0x33) && s.inst.has_memory && s.inst.base == kT1 && group1(s.next, 7) && s.next.rm == kT0;
}
void put32(u8* at, u32 v) { std::memcpy(at, &v, 4); }
u32 get32(const u8* at) {
  u32 v;
  std::memcpy(&v, at, 4);
  return v;
}
/// Offset of the ModRM byte of an instruction whose bytes end in ModRM, displacement and immediate.
unsigned modrm_at(const Site& s, const u8* bytes) {
  for (unsigned i = 1; i < s.inst.length; i++)
    if (bytes[i] == s.inst.modrm && bytes[i - 1] == s.inst.opcode) return i;
  return 0;
}

bool forbidden(const Site&, u8* bytes, Rng& rng) {
  const Forbidden& f = kForbidden[rng() % std::size(kForbidden)];
  std::memcpy(bytes, f.bytes, f.count);
  return true;
}
bool wider_check(const Site& s, u8* bytes, Rng&) {
  if (!group1(s.inst, 7) || s.inst.rm != kT0 || s.inst.opcode != 0x81 || s.inst.has_memory) return false;
  if (s.next.row->sem != Sem::kJcc || (s.next.opcode & 15) != 7) return false;
  put32(bytes + s.inst.length - 4, static_cast<u32>(s.inst.imm) + 1);
  return true;
}
bool other_condition(const Site& s, u8* bytes, Rng& rng) {
  if (s.inst.row->sem != Sem::kJcc || (s.inst.opcode & 15) != cA || s.inst.length != 6) return false;
  if (!((s.next.opcode == 0x03 || s.next.opcode == 0x8b) && s.next.has_memory && s.next.base == kT1))
    return false;  // behind a check
  u8 other;
  do other = rng() & 15;
  while (other == cA || other == cAE);
  bytes[1] = 0x80 | other;
  return true;
}
bool no_branch(const Site& s, u8* bytes, Rng& rng) {
  if (!other_condition(s, bytes, rng)) return false;
  const u8 nop[] = {0x66, 0x0f, 0x1f, 0x44, 0, 0};
  std::memcpy(bytes, nop, 6);
  return true;
}
bool read_tag_for_write(const Site& s, u8* bytes, Rng&) {
  if (!is_tag(s) || s.inst.disp != offsetof(TlbEntry, write_tag)) return false;
  bytes[s.inst.length - 1] = offsetof(TlbEntry, read_tag);
  return true;
}
bool no_tag(const Site& s, u8* bytes, Rng&) {
  if (!is_tag(s)) return false;
  bytes[1] = 0x3b;  // CMP: T0 stays the linear address
  return true;
}
bool is_host_page(const Site& s) {
  return (is(s, 0x03) || is(s, 0x8b)) && s.inst.has_memory && s.inst.base == kT1 && s.inst.length == 4 &&
         (s.inst.disp == offsetof(TlbEntry, read_add) || s.inst.disp == offsetof(TlbEntry, write_add));
}
bool other_page(const Site& s, u8* bytes, Rng& rng) {
  if (!is_host_page(s)) return false;
  const u8 others[] = {0, 8, 48,
                       s.inst.disp == offsetof(TlbEntry, read_add) ? u8{offsetof(TlbEntry, write_add)}
                                                                   : u8{offsetof(TlbEntry, read_add)}};
  bytes[s.inst.length - 1] = others[rng() % 4];
  return true;
}
bool wider_index(const Site& s, u8* bytes, Rng& rng) {
  if (!group1(s.inst, 4) || s.inst.rm != kT1 || s.inst.length < 6 || s.inst.has_memory) return false;
  if (s.next.opcode != 0x03) return false;  // a TLB or jump-table index
  put32(bytes + s.inst.length - 4, static_cast<u32>(s.inst.imm) | 0x40000000u << rng() % 2 | 0x200000);
  return true;
}
bool other_shift(const Site& s, u8* bytes, Rng&) {
  const bool rorx = s.inst.row->map == Map::k0F3A && s.inst.row->encoding == Encoding::kVex && s.inst.opcode == 0xf0;
  if (rorx && s.inst.reg == kT1 && !s.inst.rex_w) {
    bytes[s.inst.length - 1] ^= 1;
    return true;
  }
  if (!is(s, 0xc1) || s.inst.rm != kT1 || s.inst.rex_w || s.inst.has_memory) return false;
  bytes[s.inst.length - 1] ^= 1;
  return true;
}
bool without_gs(const Site& s, u8* bytes, Rng&) {
  if (!is_field(s) || bytes[0] != 0x65) return false;
  bytes[0] = 0x3e;
  return true;
}
bool other_field(const Site& s, u8* bytes, Rng& rng) {
  if (!is_field(s) || bytes[0] != 0x65) return false;
  constexpr u32 kOthers[] = {offsetof(Vcpu, host_rsp),
                             offsetof(Vcpu, thunks),
                             offsetof(Vcpu, machine),
                             offsetof(Vcpu, self),
                             offsetof(Vcpu, cr3),
                             sizeof(Vcpu),
                             0x7fffffff,
                             0x80000000};
  const unsigned at = modrm_at(s, bytes);
  if (!at) return false;
  put32(bytes + at + 2, kOthers[rng() % std::size(kOthers)]);  // behind ModRM and SIB
  return true;
}
bool other_base(const Site& s, u8* bytes, Rng& rng) {
  if (!is_access(s)) return false;
  const unsigned at = modrm_at(s, bytes);
  if (!at || (bytes[at] & 7) != kT0) return false;
  constexpr u8 kOthers[] = {0, 1, 2, 3, 6, 7};
  bytes[at] = static_cast<u8>((bytes[at] & ~7) | kOthers[rng() % 6]);
  return true;
}
bool beyond_check(const Site& s, u8* bytes, Rng& rng) {
  if (!is_access(s)) return false;
  const unsigned at = modrm_at(s, bytes);
  if (!at || bytes[at] >> 6 != 1 || bytes[at + 1] != 0) return false;
  bytes[at + 1] = rng() % 2 ? 0x7f : 0xff;  // one byte before, or far behind
  return true;
}
bool jump_astray(const Site& s, u8* bytes, Rng& rng) {
  if (s.inst.row->sem != Sem::kJmpRel || s.inst.length != 5) return false;
  const u32 target = s.offset + 5 + get32(bytes + 1);
  if (target > g_thunks_layout.raise) return false;  // inside the block: another place there is not wrong by itself
  put32(bytes + 1, get32(bytes + 1) + (rng() % 2 ? 1 : 0x100000));
  return true;
}
bool branch_astray(const Site& s, u8* bytes, Rng&) {
  if (s.inst.row->sem != Sem::kJcc || s.inst.length != 6) return false;
  put32(bytes + 2, get32(bytes + 2) + 0x100000);
  return true;
}
bool beyond_table(const Site& s, u8* bytes, Rng& rng) {
  if (s.inst.row->sem != Sem::kJmpRm || !s.inst.has_memory || s.inst.base != kT1) return false;
  if (s.inst.length < 7) return false;
  put32(bytes + s.inst.length - 4, rng() % 2 ? static_cast<u32>(sizeof(JumpTable::host)) : get32(bytes + 3) | 4);
  return true;
}
bool other_constant(const Site& s, u8* bytes, Rng& rng) {
  const bool to_thunk = s.next.row->sem == Sem::kJmpRel;
  if (s.inst.row->sem != Sem::kMovImm || s.inst.has_memory || s.inst.rm != kT1 || s.inst.length != 6 || !to_thunk)
    return false;
  put32(bytes + 2, (get32(bytes + 2) | 0xe0) + 0x100000u * (1 + rng() % 9));  // link, block, exception
  return true;
}
bool other_descriptor(const Site& s, u8* bytes, Rng&) {
  if (!is_field(s) || s.inst.opcode != 0xc7) return false;
  if (static_cast<u32>(s.inst.disp) == offsetof(Vcpu, exit_meta) + 4)
    put32(bytes + s.inst.length - 4, get32(bytes + s.inst.length - 4) + 1);  // another block
  else if (static_cast<u32>(s.inst.disp) == offsetof(Vcpu, exit_meta))
    put32(bytes + s.inst.length - 4, get32(bytes + s.inst.length - 4) & ~0xff000u);  // no bytes
  else
    return false;
  return true;
}
bool other_instruction(const Site& s, u8* bytes, Rng& rng) {
  if (s.inst.row->sem != Sem::kMovImm || s.inst.rm != kT0 || s.inst.length != 10) return false;
  if (!(s.next.opcode == 0x89 && static_cast<u32>(s.next.disp) == offsetof(Vcpu, scratch) + 16)) return false;
  put32(bytes + 2, get32(bytes + 2) + (rng() % 2 ? 1 : 0x1000000));
  return true;
}
bool return_astray(const Site& s, u8* bytes, Rng&) {
  if (!is(s, 0x8d) || !s.inst.rip_relative || s.inst.reg != kT1) return false;
  put32(bytes + s.inst.length - 4, 0x200000);
  return true;
}
bool address_changed(const Site& s, u8* bytes, Rng&) {
  // The address of a checked operand replaced by a guest register between check and access: MOV RBP, RSI.
  if (!is_host_page(s)) return false;
  const u8 other[] = {0x48, 0x8b, 0xee, 0x90};
  std::memcpy(bytes, other, 4);
  return true;
}
bool is_memo(const Site& s) {
  const u32 at = static_cast<u32>(s.inst.disp) - static_cast<u32>(offsetof(Vcpu, last_page));
  return is_field(s) && at < sizeof(Vcpu::last_page);
}
bool other_memo(const Site& s, u8* bytes, Rng& rng) {
  if (!is_memo(s)) return false;
  const u32 by = static_cast<u32>(sizeof(LastPage)) * (1 + rng() % 7);
  const u32 first = static_cast<u32>(offsetof(Vcpu, last_page));
  const u32 at = static_cast<u32>(s.inst.disp);
  put32(bytes + s.inst.length - 4, at - first >= by ? at - by : at + by);
  return true;
}
bool other_part(const Site& s, u8* bytes, Rng& rng) {
  if (!is_memo(s)) return false;
  put32(bytes + s.inst.length - 4, static_cast<u32>(s.inst.disp) ^ (rng() % 2 ? 8 : 16));
  return true;
}
bool other_room(const Site& s, u8* bytes, Rng& rng) {
  if (!is_field(s) || s.inst.opcode != 0xc7 || static_cast<u32>(s.inst.disp) != offsetof(Vcpu, last_page_at))
    return false;
  constexpr u32 kOthers[] = {1u << 16, 8, sizeof(LastPage) * kLastPages, sizeof(LastPage) * kLastPages / 2};
  u8* const at = bytes + s.inst.length - 4;
  u32 by = kOthers[rng() % std::size(kOthers)];
  const u32 memo = ((get32(at) & 0xffff) - static_cast<u32>(offsetof(Vcpu, last_page))) / sizeof(LastPage);
  if (by == kOthers[3] && last_page_writes(memo)) by = 0u - by;  // the memo of the other kind of access
  put32(at, get32(at) + by);
  return true;
}
bool any_room(const Site& s, u8* bytes, Rng& rng) {
  if (s.inst.row->sem != Sem::kJcc || (s.inst.opcode & 15) != cAE || s.inst.length != 6) return false;
  if (s.next.opcode != 0x8b || s.next.seg_override != kGS || s.next.reg != kT0) return false;  // behind a memo's check
  if (static_cast<u32>(s.next.disp) - offsetof(Vcpu, last_page) >= sizeof(Vcpu::last_page))
    return false;  // a guest's own
  u8 other;
  do other = rng() & 15;
  while (other == cAE);
  bytes[1] = 0x80 | other;
  return true;
}
/// Of loops that run on: what makes a limit, and the compare with it.
bool is_limit(const Inst& i, u8 opcode) {
  const u32 at = static_cast<u32>(i.disp) - static_cast<u32>(offsetof(Vcpu, merged));
  return i.row->map == Map::kOne && i.opcode == opcode && i.has_memory && i.seg_override == kGS &&
         at >= sizeof(Vcpu::merged) / 2 && at < sizeof(Vcpu::merged);
}
/// The displacement of a LEA changes by one.
bool nudge(const Inst& lea, u8* bytes, int by) {
  u8* const end = bytes + lea.length;
  if ((lea.modrm >> 6) == 2) {
    put32(end - 4, get32(end - 4) + static_cast<u32>(by));
    return true;
  }
  if ((lea.modrm >> 6) != 1) return false;
  end[-1] = static_cast<u8>(end[-1] + by);
  return true;
}
bool is_lea(const Inst& i) { return i.row->map == Map::kOne && i.opcode == 0x8d && i.reg == kT1 && !i.rip_relative; }
bool limit_of_memo(const Site& s, u8* bytes, Rng&) {
  if (!is_memo(s) || !is_lea(s.next) || s.inst.reg != kT1) return false;
  return nudge(s.next, bytes + s.inst.length, s.inst.opcode == 0x03 ? 1 : -1);  // behind its end, or before its start
}
bool limit_of_page(const Site& s, u8* bytes, Rng&) {
  if (!is_lea(s.inst) || !is_limit(s.next, 0x2b)) return false;
  return nudge(s.inst, bytes, s.inst.disp >= static_cast<i32>(kPageBytes / 2) ? 1 : -1);
}
/// Before the loop goes on. (At its head the check may have been of enough.)
bool is_last_compare(const Site& s) {
  return is_limit(s.inst, 0x3b) && s.next.row->sem == Sem::kJcc && static_cast<i64>(s.next.imm) < 0;
}
bool any_limit(const Site& s, u8* bytes, Rng& rng) {
  if (!is_last_compare(s)) return false;
  u8* const condition = bytes + s.inst.length + 1;
  const u8 was = *condition;
  do *condition = static_cast<u8>(0x80 | (rng() & 15));
  while (*condition == was);
  return true;
}
bool other_limit(const Site& s, u8* bytes, Rng&) {
  if (!is_last_compare(s)) return false;
  put32(bytes + s.inst.length - 4, static_cast<u32>(s.inst.disp) ^ 8);
  return true;
}

}  // namespace

const std::vector<Mutation>& mutations() {
  static const std::vector<Mutation> kAll = {
      {"a forbidden instruction", forbidden},
      {"a check of fewer bytes", wider_check},
      {"another condition behind a check", other_condition},
      {"no branch behind a check", no_branch},
      {"the read tag for a write", read_tag_for_write},
      {"a check without a tag", no_tag},
      {"another word of the TLB entry as host page", other_page},
      {"an index beyond a table", wider_index},
      {"an index with another shift", other_shift},
      {"a vCPU field without GS", without_gs},
      {"a field that is not for emitted code", other_field},
      {"an access through another register", other_base},
      {"an access beyond what was checked", beyond_check},
      {"a jump astray", jump_astray},
      {"a branch astray", branch_astray},
      {"a jump through what is no slot of the table", beyond_table},
      {"another constant for a thunk", other_constant},
      {"another access descriptor", other_descriptor},
      {"another instruction for a helper", other_instruction},
      {"another return address for a thunk", return_astray},
      {"a checked address replaced", address_changed},
      {"another memo of a last page", other_memo},
      {"another part of a memo", other_part},
      {"a memo filled with too much", other_room},
      {"a memo used whatever its check says", any_room},
      {"a limit beyond what a memo holds", limit_of_memo},
      {"a limit beyond a page", limit_of_page},
      {"a limit passed whatever its compare says", any_limit},
      {"another limit", other_limit},
  };
  return kAll;
}

}  // namespace rz::verify_test
