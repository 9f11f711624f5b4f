// Decode a run, work out flag liveness, emit. See translator.h for the conventions.
#include "translator.h"

#include "../cpu/cpuid.h"
#include "../cpu/bytes.h"
#include "../decode/flags.h"
#include "../mmu/mmu.h"
#include "../mmu/phys_memory.h"
#include "../verify/verify.h"
#include "mode.h"

namespace rz {
namespace {

bool ends_block(const Inst& inst) {
  switch (inst.row->sem) {
    case Sem::kCallRel:
    case Sem::kCallRm:
    case Sem::kJmpRel:
    case Sem::kJmpRm:
    case Sem::kRet:
    case Sem::kRetImm:
    case Sem::kLoop:
    case Sem::kLoope:
    case Sem::kLoopne:
    case Sem::kJcxz:
    case Sem::kHelperEnds:
    case Sem::kUndefined: return true;
    default: return false;
  }
}

constexpr u8 kOneByteNop = 0x90;  // with no prefix in front, in any mode

// Must look like one access to the other vCPUs. XCHG with memory is locked without saying so.
bool indivisible(const Inst& inst) {
  if (!inst.row || !inst.has_memory) return false;
  if (inst.lock) return true;
  const Row& row = *inst.row;
  return row.encoding == Encoding::kLegacy && row.map == Map::kOne && (inst.opcode & 0xfe) == 0x86;
}

/// Instructions that say themselves what they do to T1 and to the homes of demoted registers: t1_home_.
bool keeps_t1(Sem sem) {
  switch (sem) {
    case Sem::kIdentity:
    case Sem::kX87Identity:
    case Sem::kMovImm:
    case Sem::kNop:
    case Sem::kLea:
    case Sem::kJcc: return true;
    default: return false;
  }
}

}  // namespace

/// Instructions that have one access at most, and leave T0 as that left it unless they call leave_t0().
bool Translator::keeps_t0(Sem sem) {
  switch (sem) {
    case Sem::kIdentity:
    case Sem::kX87Identity:
    case Sem::kMovImm:
    case Sem::kNop:
    case Sem::kLea:
    case Sem::kJcc:
    case Sem::kJmpRel:
    case Sem::kCallRel:
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPopReg: return true;
    default: return false;
  }
}

/// Copies to source_ what is not there yet of these bytes of the page: other vCPUs may be storing to it.
void Translator::copy_source(const u8* page, unsigned at, unsigned bytes) {
  for (unsigned piece = at / 64; piece <= (at + bytes - 1) / 64; piece++) {
    if (copied_ >> piece & 1) continue;
    copied_ |= 1ull << piece;
    for (unsigned i = piece * 64; i < piece * 64 + 64; i += 8) copy_bytes(source_ + i, page + i, 8);
  }
}

// Fills insts_/offsets_/count_. False: the first instruction cannot be fetched, exception pending.
bool Translator::decode_block(u64 linear, u64 gpa) {
  const CodeSize size = static_cast<CodeSize>(mode_ & kModeSizeMask);
  const EngineOptions& options = vcpu_.machine->options;
  unsigned limit = single() ? 1 : options.max_block_insts < kMaxInsts ? options.max_block_insts : kMaxInsts;
  if (limit == 0) limit = 1;
  auto end_piece = [&](unsigned end) {
    GuestRange& piece = pieces_[piece_count_ - 1];
    piece.bytes = static_cast<u16>((end < kPageBytes ? end : kPageBytes) - piece.at);
  };
  static const u8 kNothing[kPageBytes + 16] = {};  // code outside RAM and ROM reads as zeros
  const u8* page = vcpu_.machine->memory->host(gpa & kPageMask);
  if (!page) page = kNothing;
  unsigned at = static_cast<unsigned>(gpa & 4095);
  const unsigned start = at;
  copied_ = 0;
  gpa2_ = ~0ull;
  count_ = 0;
  followed_ = 0;
  run_each_ = run_turns_ = run_groups_ = 0;
  pieces_[0] = {static_cast<u16>(start), 0};
  piece_count_ = 1;
  while (count_ < limit && at < kPageBytes) {
    Inst& inst = insts_[count_];
    const unsigned room = kPageBytes - at;
    unsigned available = room < kMaxInstBytes ? room : kMaxInstBytes;
    copy_source(page, at, available);
    if (source_[at] == kOneByteNop && count_ > 0) {  // padding
      at++;
      continue;
    }
    DecodeStatus status = decode(source_ + at, available, size, inst);
    if (status == DecodeStatus::kNeedMoreBytes && available < kMaxInstBytes) {
      if (count_ > 0) break;  // begins the next block
      u64 second = 0;
      if (!fetch_translate(vcpu_, (linear & kPageMask) + kPageBytes, second)) return false;
      if (!code_.covers(second)) {
        vcpu_.raise(kUD);
        return false;
      }
      const u8* next = vcpu_.machine->memory->host(second);
      if (!next) next = kNothing;
      copy_bytes(source_ + kPageBytes, next, kMaxInstBytes - room);
      status = decode(source_ + at, kMaxInstBytes, size, inst);
      gpa2_ = second & kPageMask;
      limit = 1;
    }
    if (status == DecodeStatus::kOk && (inst.row->attrs & kElsePlain) &&
        !profile_has(*vcpu_.machine->cpuid, inst.row->feature))
      decode_plain(source_ + at, size, inst);
    if (status == DecodeStatus::kOk && inst.row->sem == Sem::kNop && count_ > 0) {  // the block is as good without it
      at += inst.length;
      continue;
    }
    offsets_[count_] = static_cast<u16>(at);
    count_++;
    if (status != DecodeStatus::kOk) {
      inst.row = nullptr;
      inst.length = status == DecodeStatus::kTooLong ? kMaxInstBytes + 1 : 1;
      at += 1;
      break;
    }
    // An instruction that reaches beyond CS: nothing of it may be executed.
    // (`at` may lie before `start`: a block goes on at the target of a jump back.)
    if ((mode_ & kModeCsLimit) && rip_ + at - start + inst.length - 1 > code_limit(mode_)) {
      inst.row = nullptr;
      inst.length = kMaxInstBytes + 1;
      at += 1;
      break;
    }
    at += inst.length;
    if (inst.row->sem == Sem::kJcc) repeat_loop(inst, limit);
    if (!ends_block(inst)) continue;
    unsigned target;
    if (count_ == limit || !follows(inst, at, target)) break;
    end_piece(at);
    pieces_[piece_count_++] = {static_cast<u16>(target), 0};
    followed_ |= 1ull << (count_ - 1);
    at = target;
  }
  end_piece(at);
  offsets_[count_] = static_cast<u16>(at);
  return true;
}

/// The last decoded instruction is a direct jump or call to a place in this page where the block may go on.
/// @param at  where the instruction behind it would be
/// @param target  likewise, the place
bool Translator::follows(const Inst& inst, unsigned at, unsigned& target) {
  if (inst.row->sem != Sem::kJmpRel && inst.row->sem != Sem::kCallRel) return false;
  if (single() || vcpu_.machine->options.no_opt || piece_count_ > Block::kMaxMore) return false;
  inst_rip_ = rip_of(count_ - 1);
  inst_ = &inst;
  const u64 to = branch_target(inst);
  if (at > kPageBytes || !same_page(to) || !valid_target(to)) return false;
  target = static_cast<unsigned>((to + linear_ - rip_) & ~kPageMask);
  for (unsigned i = 0; i < count_; i++)
    if (offsets_[i] == target) return false;
  return true;
}

bool Translator::claim_source() {
  const u64 first_page = gpa_ & kPageMask;
  bool read_too_early = false;
  for (unsigned i = 0; i < piece_count_; i++)
    read_too_early |= code_.claim(vcpu_, first_page + pieces_[i].at, pieces_[i].bytes);
  const unsigned end = offsets_[count_];
  const bool second = gpa2_ != ~0ull && end > kPageBytes;
  if (second) read_too_early |= code_.claim(vcpu_, gpa2_, end - kPageBytes);
  if (!read_too_early) return true;
  const u8* page = vcpu_.machine->memory->host(first_page);
  for (unsigned i = 0; page && i < piece_count_; i++)
    if (!equal_bytes(page + pieces_[i].at, source_ + pieces_[i].at, pieces_[i].bytes)) return false;
  if (!second) return true;
  page = vcpu_.machine->memory->host(gpa2_);
  return !page || equal_bytes(page, source_ + kPageBytes, end - kPageBytes);
}

Counter Translator::why_ended() const {
  const Inst& last = insts_[count_ - 1];
  if (gpa2_ != ~0ull) return Counter::kEndsCrossing;
  if (single()) return Counter::kEndsSingle;
  if (!last.row || last.row->sem == Sem::kUndefined) return Counter::kEndsUndefined;
  if (last.row->sem == Sem::kHelperEnds) return Counter::kEndsHelper;
  if (ends_block(last)) return Counter::kEndsBranch;
  return count_ == kMaxInsts || count_ == vcpu_.machine->options.max_block_insts ? Counter::kEndsLongest
                                                                                 : Counter::kEndsPage;
}

// live_before_[i]: flags that some later reader may see unchanged from before instruction i. What is read at a place
// outside of the block is not known.
void Translator::compute_liveness() {
  for (unsigned i = 0; i <= count_; i++) live_before_[i] = kAllFlags;
  if (vcpu_.machine->options.no_opt) return;
  u8 live = kAllFlags;
  for (unsigned i = count_; i-- > 0;) {
    const Inst& inst = insts_[i];
    if (inst.row == nullptr) {
      live = kAllFlags;
    } else if (inst.row->sem == Sem::kJcc) {
      live = kAllFlags;  // the taken path may read anything
    } else {
      const Flags flags = flags_of(inst);
      live = static_cast<u8>((live & ~(flags.written | flags.undefined)) | flags.read);
      if (inst.row->sem == Sem::kHelperEnds || inst.row->sem == Sem::kPushf) live = kAllFlags;
    }
    live_before_[i] = live;
  }
}

void Translator::emit_inst(unsigned i) {
  i_ = i;
  inst_ = &insts_[i];
  inst_rip_ = rip_of(i);
  live_ = live_before_[i];
  const Inst& inst = *inst_;
  if (stack_owed_ && (inst.row == nullptr || !owes_stack(i))) settle_stack();
  if (inst.row == nullptr || !keeps_t1(inst.row->sem)) t1_home_ = kNoReg;
  if (inst.row && !keeps_t0(inst.row->sem)) keep_t0();
  if (emit_availability_check(inst)) {
    ended_ = true;
    return;
  }
  switch (inst.row->sem) {
    case Sem::kUndefined:
      emit_raise(kUD);
      ended_ = true;
      break;
    case Sem::kIdentity:
    case Sem::kX87Identity: emit_identity(inst); break;
    case Sem::kMovImm:
      if (!emit_patched_immediate(inst)) emit_identity(inst);
      break;
    case Sem::kClc:
    case Sem::kStc:
    case Sem::kCmc:
      flags_to_host();
      a_.b(inst.opcode);
      break;
    case Sem::kLahf:
      flags_to_host();
      a_.lahf();
      break;
    case Sem::kSahf:
      if (live_)
        flags_to_host();
      else
        parked_ = false;
      a_.sahf();
      break;
    case Sem::kNop: break;
    case Sem::kIncDecShort: emit_incdec_short(inst); break;
    case Sem::kMovOffs: emit_mov_offs(inst); break;
    case Sem::kLea: emit_lea(inst); break;
    case Sem::kBitTest: emit_bit_test(inst); break;
    case Sem::kPushReg:
    case Sem::kPushImm:
    case Sem::kPushRm: emit_push(inst); break;
    case Sem::kPopReg:
    case Sem::kPopRm: emit_pop(inst); break;
    case Sem::kLeave: emit_leave(inst); break;
    case Sem::kCallRel:
    case Sem::kCallRm: emit_call(inst); break;
    case Sem::kJmpRel:
    case Sem::kJmpRm: emit_jump(inst); break;
    case Sem::kJcc: emit_jcc(inst); break;
    case Sem::kLoop:
    case Sem::kLoope:
    case Sem::kLoopne:
    case Sem::kJcxz: emit_loop(inst); break;
    case Sem::kRet:
    case Sem::kRetImm: emit_ret(inst); break;
    case Sem::kPushf: emit_pushf(inst); break;
    case Sem::kCld:
    case Sem::kStd:
      may_clobber_flags();
      a_.b(0x65);
      a_.b(0x81);
      if (inst.row->sem == Sem::kCld) {
        a_.gs_mem(4, offsetof(Vcpu, rflags));
        a_.d(~static_cast<u32>(kFlagDF));
      } else {
        a_.gs_mem(1, offsetof(Vcpu, rflags));
        a_.d(static_cast<u32>(kFlagDF));
      }
      break;
    case Sem::kHelper:
      if (inst.row->helper == Helper::k_cli)
        emit_cli(inst);
      else if (inst.row->helper == Helper::k_stac || inst.row->helper == Helper::k_clac)
        emit_ac(inst.row->helper == Helper::k_stac);
      else if (inst.row->helper == Helper::k_pause)
        emit_pause(inst);
      else if (inst.row->helper == Helper::k_swapgs && code64())
        emit_swapgs();
      else
        emit_helper(inst);
      break;
    case Sem::kHelperEnds: emit_helper(inst); break;
  }
  if (!keeps_t0(inst.row->sem)) t0_group_ = kNoGroup;
  if (!keeps_t1(inst.row->sem)) t1_home_ = kNoReg;
}

// Three entries: through a jump table (RIP in T0, flags parked), by a backward link (polls), by a forward link.
void Translator::emit_entries(u32 index) {
  Block& block = code_.block(index);
  block.code_indirect = code_.offset_of(a_.at());
  const u8 live_in = live_before_[0];
  if (single()) {
    if (live_in) unpark();
    block.code_polled = block.code_direct = code_.offset_of(a_.at());
    return;
  }
  if (static_cast<i64>(rip_) == static_cast<i32>(rip_)) {
    a_.op_imm(true, 7, kT0, static_cast<i32>(rip_));
  } else {
    a_.mov_imm(kT1, rip_);
    a_.rr(true, 0x3b, kT0, kT1);
  }
  a_.jcc_to(cNE, code_.rw(mode_ & kModeFlat ? g_thunks_layout.jump_lookup : g_thunks_layout.exit_lookup));
  auto poll = [&] {
    a_.gs_cmp_imm8(offsetof(Vcpu, attention), 0);
    poll_[poll_count_++] = a_.jcc(cNE);
  };
  if (live_in && parks_first()) {  // they stay parked for who comes through the table
    poll();
    u8* over = a_.jmp();
    block.code_polled = code_.offset_of(a_.at());
    park();
    poll();
    u8* over_too = a_.jmp();
    block.code_direct = code_.offset_of(a_.at());
    park();
    a_.bind(over);
    a_.bind(over_too);
    return;
  }
  if (live_in) {
    poll();
    unpark();
    u8* over = a_.jmp();
    block.code_polled = code_.offset_of(a_.at());
    park();
    poll();
    unpark();
    a_.bind(over);
  } else {
    block.code_polled = code_.offset_of(a_.at());
    poll();
  }
  block.code_direct = code_.offset_of(a_.at());
}

/// Flags that live into the block are parked before anything uses them: a check or a jump through the table comes
/// first.
bool Translator::parks_first() const {
  for (unsigned i = 0; i < count_; i++) {
    const Inst& inst = insts_[i];
    if (inst.row == nullptr) return true;
    switch (inst.row->sem) {
      case Sem::kIdentity:
      case Sem::kX87Identity: {
        if (inst.has_memory) return true;
        const Flags& flags = inst.row->flags;
        if (flags.read | flags.written | flags.undefined | flags.maybe) return false;
        break;
      }
      case Sem::kMovImm:
      case Sem::kLea:
        if (inst.has_memory && inst.row->sem == Sem::kMovImm) return true;
        break;
      case Sem::kNop: break;
      case Sem::kJmpRel:
        if (!(followed_ >> i & 1)) return false;
        break;
      case Sem::kPushReg:
      case Sem::kPushImm:
      case Sem::kPushRm:
      case Sem::kPopReg:
      case Sem::kPopRm:
      case Sem::kLeave:
      case Sem::kCallRel:
      case Sem::kCallRm:
      case Sem::kJmpRm:
      case Sem::kRet:
      case Sem::kRetImm:
      case Sem::kPushf:
      case Sem::kHelper:
      case Sem::kHelperEnds: return true;
      default: return false;
    }
  }
  return false;
}

void Translator::emit_out_of_line() {
  emit_run_alone();
  for (unsigned i = 0; i < side_count_; i++) {
    a_.bind(side_[i].from);
    parked_ = false;
    const u64 target = side_[i].target;
    if (!single() && !vcpu_.machine->options.no_opt && same_page(target)) {
      emit_link_stub(side_[i].from, target, side_[i].backward, false);
    } else {
      exit_next(target);
    }
  }
  for (unsigned i = 0; i < bad_target_count_; i++) {
    a_.bind(bad_target_[i].from);
    parked_ = bad_target_[i].parked;
    inst_rip_ = bad_target_[i].rip;
    emit_raise(kGP, true);
  }
  emit_forgotten_pages();
  emit_slow_stubs();
  for (unsigned i = 0; i < careful_count_; i++) {
    a_.bind(careful_[i].from);
    u8* field = careful_[i].from;
    if (careful_[i].unpark) {
      unpark();
      field = a_.jmp();
      a_.bind(field);
    }
    emit_link_stub(field, careful_[i].rip, false, true);
  }
  for (unsigned i = 0; i < bounce_count_; i++) {
    a_.bind(bounce_[i].from);
    a_.mov_imm(kT0, bounce_[i].rip);
    a_.jmp_to(code_.rw(g_thunks_layout.exit_bounce));
  }
  if (poll_count_) {
    for (unsigned i = 0; i < poll_count_; i++) a_.bind(poll_[i]);
    a_.mov_imm(kT1, block_);
    a_.jmp_to(code_.rw(g_thunks_layout.exit_poll));
  }
}

u32 Translator::translate(u64 rip, u64 linear, u64 gpa, u64 mode, u32 former) {
  former_ = former;
  rip_ = rip;
  linear_ = linear;
  gpa_ = gpa;
  mode_ = mode;
  do {
    if (!decode_block(linear, gpa)) return 0;
  } while (!claim_source());
  compute_liveness();
  plan_merges();
  block_ = code_.new_block();
  Block& block = code_.block(block_);
  block.rip = rip;
  block.gpa = gpa;
  block.gpa2 = gpa2_;
  block.mode = mode;
  block.guest_bytes = static_cast<u16>(gpa2_ == ~0ull ? pieces_[0].bytes : offsets_[count_] - offsets_[0]);
  block.more_count = static_cast<u8>(piece_count_ - 1);
  for (unsigned i = 1; i < piece_count_; i++) block.more[i - 1] = pieces_[i];
  block.insts = static_cast<u16>(count_);
  block.live_in = live_before_[0];
  block.linkable = gpa2_ == ~0ull && !single();
  block.exclusive = bounce() && indivisible(insts_[0]);
  block.map = code_.map_count();
  // What just-in-time compilers write, and where else code was written that had run.
  if (block.linkable && ((mode & kModeCpl3) || code_.rewritten(gpa))) code_.keep_source(block_, source_);
  emit_entries(block_);
  block.code_body = code_.offset_of(a_.at());
  if (run_each_) emit_run();
  for (unsigned i = run_insts(); i < count_; i++) {
    code_at_[i] = ended_ ? ~0u : code_.offset_of(a_.at());
    if (!ended_) emit_inst(i);
  }
  settle_stack();
  if (!ended_) exit_behind(wrap_rip(rip_of(count_)));
  code_at_[count_] = code_.offset_of(a_.at());
  for (unsigned i = 0; i <= count_; i++) {
    const u32 start = code_.add_start({code_at_[i] - block.code_indirect, offsets_[i]});
    if (i == 0) block.starts = start;
  }
  emit_out_of_line();
  const u32 end = code_.offset_of(a_.at());
  if (vcpu_.machine->options.verify)
    verify_or_abort(vcpu_, code_,
                    {block.code_indirect,
                     end,
                     {block.code_indirect, block.code_polled, block.code_direct, block.code_body},
                     block_});
  code_.publish(block_, a_.at());
  return block_;
}

}  // namespace rz
