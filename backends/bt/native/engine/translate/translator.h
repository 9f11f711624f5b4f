// Turns a run of guest instructions into a Block of host code. One Translator object exists per translation;
// it holds what is known while emitting: the decoded instructions, flag liveness, where the guest's flags are.
//
// Conventions of translated code (emit/registers.h has the register map):
//   - guest arithmetic flags are in the host's EFLAGS, or "parked" in Vcpu::parked_flags (LAHF/SETO image);
//   - T0 carries the host address of a memory operand, or the target RIP of a jump through the table;
//   - an instruction does everything that can fault before it changes guest state.
#pragma once

#include "../cache/code_cache.h"
#include "../cpu/vcpu.h"
#include "../emit/assembler.h"
#include "../emit/registers.h"
#include "../run/machine.h"

namespace rz {

/// Reasons that leave translated code, in the low byte of Vcpu::exit_meta while C++ looks at it.
enum ExitReason : u8 {
  kExitLookup,    // vcpu.rip says where to go on
  kExitLink,      // exit_meta >> 8 is a link to connect
  kExitPoll,      // exit_meta >> 8 is a block whose poll saw attention
  kExitFault,     // vcpu.exception is pending, vcpu.rip is the instruction
  kExitBounce,    // re-execute the instruction at vcpu.rip through the bounce buffer
  kExitInternal,  // an invariant failed
};

/// With kExitLookup: the same instruction goes on (REP).
inline constexpr u64 kExitAgain = 1 << 8;

/// Fields of the access descriptor passed to the slow path.
struct AccessMeta {
  static constexpr u32 make(u32 guest_offset, u32 bytes, Access access, u8 seg, bool aligned = false,
                            bool waits = false) {
    return guest_offset | bytes << 12 | static_cast<u32>(access) << 20 | static_cast<u32>(seg) << 24 |
           (waits ? 1u << 30 : 0u) | (aligned ? 1u << 31 : 0u);
  }
  static u32 guest_offset(u32 m) { return m & 0xfff; }
  static u32 bytes(u32 m) { return m >> 12 & 0xff; }
  static Access access(u32 m) { return static_cast<Access>(m >> 20 & 0xf); }
  static u8 seg(u32 m) { return static_cast<u8>(m >> 24 & 0x3f); }
  static bool waits(u32 m) { return (m >> 30 & 1) != 0; }  // #MF for an earlier x87 exception, before anything else
  static bool aligned(u32 m) { return m >> 31 != 0; }      // #GP when misaligned, before any page fault
};

/// A 64-bit constant that fits a sign-extended 32-bit immediate.
constexpr bool fits_imm32(u64 value) { return static_cast<i64>(value) == static_cast<i32>(value); }

/// Entry points of the generated thunks, as offsets in the code cache.
struct Thunks {
  u32 enter;        // C++: void(const u8* host): loads guest registers, T0 = vcpu.rip
  u32 exit_link;    // T1 = link; flags in the host
  u32 exit_poll;    // T1 = block; flags parked or dead
  u32 exit_lookup;  // T0 = RIP; flags parked
  u32 jump_lookup;  // likewise, but first a look into the second jump table, which is that of flat modes
  u32 exit_bounce;  // T0 = RIP of the instruction to re-execute; flags parked or dead
  u32 exit_saved;   // registers already saved, exit_meta set; also entered from the signal handler
  // Entered by a jump with the address to come back to in T1 (translated code has no stack).
  u32 slow_access;     // T0 = linear, exit_meta = AccessMeta | block << 32; comes back with T0 = host address
  u32 last_page[2];    // T0 = linear, exit_meta likewise, last_page_at set: the memo of a read, a write learns the page
  u32 last_page_set;   // likewise, for a read: one memo of the set at last_page_at
  u32 bounce_prepare;  // T0 = offset, exit_meta likewise; comes back with T0 = bounce buffer
  u32 bounce_commit;   // after the instruction; flags must be parked
  u32 helper;          // T0 = RIP, scratch[2] = Inst*; flags must be parked
  u32 string[8];  // as helper, for REP MOVS (0..3, by log2 of the width) and REP STOS (4..7): short runs are done here
  u32 raise;      // T0 = RIP, T1 = vector | has_error << 8 | error << 16; flags parked or dead
};
extern Thunks g_thunks_layout;  // identical for every machine of the process

/// Emit the thunks at the start of the code cache. Once per machine.
void emit_thunks(CodeCache& code);

/// A link whose target may not be entered directly (its instruction lies on two pages, each with a mapping of its own):
/// send it through the jump table from now on, instead of to the run loop every time.
void link_through_table(CodeCache& code, u32 link);

class Translator {
 public:
  Translator(Vcpu& vcpu, CodeCache& code) : vcpu_(vcpu), code_(code), a_(code.begin_code()) {}

  /// Translate the block at (rip, mode), whose first byte is at guest-physical `gpa`.
  /// @param former  the block that was made from other bytes there, or 0
  /// @returns the block's index, or 0 with an exception pending (fetch fault, #GP for an overlong instruction)
  u32 translate(u64 rip, u64 linear, u64 gpa, u64 mode, u32 former = 0);

  // What the last translate() made, for listings (debug/listing.h): its guest instructions, where each begins, and the
  // offset of the host code of each and of what lies behind the block's body.
  unsigned insts() const { return count_; }
  const Inst& inst(unsigned i) const { return insts_[i]; }
  u64 rip_of(unsigned i) const { return rip_ - (gpa_ & 4095) + offsets_[i]; }
  u32 code_of(unsigned i) const { return code_at_[i]; }
  /// Why the block is no longer: one of the counters kEnds….
  Counter why_ended() const;
  u32 out_of_line() const { return code_at_[count_]; }

 private:
  struct SlowStub;
  static constexpr unsigned kMaxInsts = 64;

  // decode_block.cpp
  bool decode_block(u64 linear, u64 gpa);
  bool follows(const Inst& inst, unsigned at, unsigned& target);
  bool repeats(const Inst& inst);    // loop.cpp
  void repeat_loop(unsigned limit);  // likewise
  void copy_source(const u8* page, unsigned at, unsigned bytes);
  bool claim_source();  // declare the decoded bytes code; false: they changed meanwhile, decode again
  void compute_liveness();
  bool parks_first() const;
  void emit_entries(u32 block);

  // dispatch over Sem
  void emit_inst(unsigned i);

  // flags.cpp
  void park(Host temp = kT1);    // host EFLAGS -> parked_flags; clobbers temp
  void unpark(Host temp = kT1);  // parked_flags -> host EFLAGS
  void flags_to_host(Host temp = kT1) {
    if (parked_) unpark(temp);
  }
  void may_clobber_flags(Host temp = kT1) {
    if (!parked_ && live_) park(temp);
  }

  // memory_operand.cpp: the seam. The only code that knows how guest memory is reached.
  /// T0 = offset of the operand in its segment (clobbers T1; leaves flags alone).
  void offset_to_t0(const Inst& inst, i32 extra_disp = 0);
  /// T0 = host address of `bytes` at offset T0 of segment `seg`; clobbers T1 and (if dead or parked) flags.
  void host_address(u8 seg, unsigned bytes, Access access);
  u32 access_meta(u8 seg, unsigned bytes, Access access) const;
  /// The host operand for an instruction's own memory operand. It names T0 and guest registers, so T1 is free and the
  /// registers must still have their values from before the instruction.
  Mem host_operand(const Inst& inst, unsigned bytes, Access access);
  /// Likewise for the stack: [RSP + disp], or [RBP + disp] for LEAVE.
  Mem stack_operand(i32 disp, unsigned bytes, Access access, u8 base = 4);
  Mem constant_operand(u64 linear, u32 meta, Access access);
  Mem merged_operand(u8 group, u8 base, u8 index, u8 scale, i32 disp, bool plain);
  bool spares_t1() const;
  Mem add_to_t0(u8 base, u8 index, u8 scale, i32 disp, bool plain);
  void linear_to_t0(const Mem& linear);
  void addend_to_t0(const Mem& linear, u32 meta, unsigned bytes, bool write, u8 home = kNoReg);
  void check_group(u8 group);
  static bool keeps_t0(Sem sem);
  void keep_t0();   // T0 may be lost: what later accesses need of it goes into the vCPU
  void leave_t0();  // it is lost
  void leave_t1();  // T1 is, and with it the target of a call
  void add_slow(const SlowStub& stub);
  bool merged_store_ahead() const;
  /// last_page.cpp: T0 = what turns the linear address into a host address, by a memo and else by the soft TLB. False:
  /// accesses like this one have no memo.
  /// @param careful  where a miss of the TLB goes: to a careful block, or to the slow path
  /// @param home  the guest register in T1 that `linear` names, or kNoReg
  bool recall_page(const Mem& linear, unsigned bytes, bool write, u32 meta, bool careful, u8 home);
  unsigned memos(const Mem& linear, unsigned bytes, bool write) const;
  bool chases(const Mem& linear) const;
  u8* compare_page(const Mem& linear, unsigned memo, Cond condition);
  void emit_forgotten_pages();
  /// The check of `bytes` at linear address T0; T1 is left at the entry. @returns the jump to take on a miss
  u8* check_tlb(unsigned bytes, bool write);

  // merge.cpp: which accesses share a check
  struct MergeAccess {
    i32 at;  // displacement
    u8 bytes;
    bool write, stack;
    u8 base, index, scale;
  };
  struct MergeGroup {
    i64 lo, hi;       // range of displacements from the base as it was when its version began
    i64 moved;        // what the base has moved by at the group's first access
    i64 added_moved;  // likewise what T0 has of the address: added_moved_
    u8 base, index, scale;
    bool write;
    u8 base_version, index_version, epoch, branches;
    u8 members;
    u8 last;       // instruction of the last member
    bool checked;  // while emitting: the check has been emitted
    bool kept;     // and Vcpu::merged has what T0 had behind it
  };
  static constexpr u8 kNoGroup = 0xff;
  static constexpr unsigned kMaxGroups = 16;
  void plan_merges();
  unsigned mergeable(const Inst& inst, MergeAccess (&out)[2]) const;
  static bool known_step(const Inst& inst, u8& reg, i32& delta);
  /// After the instruction: write a bounce buffer back (nothing on the fast path).
  void finish_write();

  // identity.cpp
  void emit_identity(const Inst& inst);
  bool emit_patched_immediate(const Inst& inst);  // patched_immediate.cpp; false: emit it as any other
  void emit_lea(const Inst& inst);
  void emit_mov_offs(const Inst& inst);
  void emit_bit_test(const Inst& inst);
  void emit_incdec_short(const Inst& inst);

  // stack.cpp
  void stack_adjust(i32 delta);
  void settle_stack();  // let RSP have its value
  bool owes_stack(unsigned i) const;
  void push_value(Host value, unsigned bytes);  // value in T1 or scratch[0] (hNone)
  void push_constant(u64 value, unsigned bytes);
  void pop_to(Host to, unsigned bytes);  // to = popped value; RSP not adjusted yet
  void emit_push(const Inst& inst);
  void emit_pop(const Inst& inst);
  void emit_leave(const Inst& inst);
  void emit_pushf(const Inst& inst);
  unsigned stack_bytes() const;  // width of the stack pointer: 2, 4 or 8

  // branch.cpp
  void emit_call(const Inst& inst);
  void emit_jump(const Inst& inst);
  void emit_ret(const Inst& inst);
  void emit_jcc(const Inst& inst);
  void emit_loop(const Inst& inst);
  /// End of block or out of line: continue at `target`, where flags are read unless `live` is 0.
  void exit_direct(u64 target, u8 live = kAllFlags);
  bool note_branch(i32 pops);
  void exit_indirect();       // T0 = target RIP
  void exit_next(u64 rip);    // leave through the table: mode may have changed
  void exit_behind(u64 rip);  // continue at `rip`, where the code runs on to
  u64 branch_target(const Inst& inst) const;
  bool valid_target(u64 target) const;  // canonical, or inside CS
  void copy_target(Host to, Host from, unsigned bytes);
  void check_target(Host target, unsigned bytes);
  bool same_page(u64 target) const;

  // helper_call.cpp
  void emit_helper(const Inst& inst);
  u32 helper_thunk(const Inst& inst) const;
  void emit_raise(u8 vector, bool has_error = false, u16 error = 0);
  bool emit_availability_check(const Inst& inst);  // true: the instruction always faults, emitted
  void emit_cli(const Inst& inst);
  void emit_ac(bool set);
  void emit_pause(const Inst& inst);
  void emit_swapgs();

  // registers
  Host read_reg(u8 guest, Host temp);  // host register holding a guest register (loads temp when demoted)
  void write_reg(u8 guest, Host from, unsigned bytes);  // architectural write: 4 zero-extends, 1 (low) and 2 merge
  void load_home(Host dst, u8 guest) {
    if (dst == kT1 && t1_home_ == guest) return;
    a_.gs_load(dst, home(guest));
    if (dst == kT1) holds_home(guest);
  }
  void store_home(u8 guest, Host src) {
    a_.gs_store(src, home(guest));
    if (src == kT1)
      holds_home(guest);
    else if (t1_home_ == guest)
      t1_home_ = kNoReg;
  }
  void holds_home(u8 guest) { t1_home_ = vcpu_.machine->options.no_opt ? kNoReg : guest; }
  static u32 home(u8 guest) { return static_cast<u32>(offsetof(Vcpu, regs) + 8u * guest); }

  // out-of-line code, emitted after the block's body
  struct SlowStub {
    enum Wants : u8 {
      kHost,
      kAddend,
      kConstant
    };  // what T0 holds: the host address, or what makes one of a linear address
    u8* from;
    u8* back;
    u32 meta;
    bool write;
    Wants wants;
    Mem linear;   // kAddend: the guest operand
    u64 address;  // kConstant: the linear address
    u8 home;      // kAddend: the guest register that `linear` has in T1, or kNoReg
  };
  void leave_for(u32 thunk, u8* back = nullptr);  // T1 = back (or what follows), jump to the thunk
  void set_access(u32 meta);                      // exit_meta = meta | block << 32
  struct ForgottenPage {
    u8* from;
    u8* back;
    Mem linear;
    u64 rip;
    u32 meta;
    u16 bytes, memo;
    u8 memos;                     // how many, from `memo` on
    bool write, careful, unpark;  // the last two: where a miss of the TLB goes
    bool target;                  // T1 held the target of a call
    u8 home;                      // T1 held this guest register, which `linear` names, or kNoReg
  };
  struct SideExit {
    u8* from;
    u64 target;
    bool backward;
  };
  struct BounceExit {
    u8* from;
    u64 rip;
  };
  struct CarefulExit {
    u8* from;
    u64 rip;
    bool unpark;
  };
  struct BadTarget {
    u8* from;
    u64 rip;  // of the branch
    bool parked;
  };
  void emit_out_of_line();
  void emit_link_stub(u8* field, u64 target, bool backward, bool careful);
  void emit_slow_stubs();

  bool bounce() const { return (mode_ & kModeBounceBit) != 0; }
  bool single() const { return (mode_ & kModeSingleBit) != 0; }
  bool code64() const { return (mode_ & 3) == 2; }
  bool is_flat(u8 seg) const;
  u64 next_rip() const { return inst_rip_ + inst_->length; }
  u64 wrap_rip(u64 rip) const;
  static constexpr u64 kModeSingleBit = 1ull << 32, kModeBounceBit = 1ull << 33;  // translate/mode.h

  Vcpu& vcpu_;
  CodeCache& code_;
  Assembler a_;
  u64 rip_ = 0, linear_ = 0, gpa_ = 0, mode_ = 0, gpa2_ = ~0ull;
  u32 block_ = 0, former_ = 0;
  Inst insts_[kMaxInsts];
  u16 offsets_[kMaxInsts + 1];              // bytes from the start of the page
  u8 source_[kPageBytes + kMaxInstBytes];   // the page's bytes as they were decoded; see claim_source()
  u64 copied_;                              // which of its 64-byte pieces are there
  GuestRange pieces_[1 + Block::kMaxMore];  // what was decoded of the page
  unsigned piece_count_ = 0;
  u64 followed_ = 0;  // bit i: instruction i is a branch, and the next one is at its target
  u8 live_before_[kMaxInsts + 1];
  u32 code_at_[kMaxInsts + 1];
  unsigned count_ = 0;

  // while emitting instruction i
  unsigned i_ = 0;
  const Inst* inst_ = nullptr;
  u64 inst_rip_ = 0;
  u8 live_ = 0;  // flags live before the current instruction: what a check must not destroy
  bool parked_ = false;
  bool ended_ = false;          // control never falls out of the last emitted instruction
  i32 stack_owed_ = 0;          // what RSP is yet to be moved by; see settle_stack()
  bool went_back_ = false;      // a jump backward was followed: the ways out of the block must poll
  bool write_pending_ = false;  // a bounce write must be committed after the instruction

  SlowStub slow_[kMaxInsts * 3];  // at most three accesses an instruction
  unsigned slow_count_ = 0;
  ForgottenPage forgotten_[kMaxInsts * 3];
  unsigned forgotten_count_ = 0;
  SideExit side_[kMaxInsts];
  unsigned side_count_ = 0;
  BadTarget bad_target_[kMaxInsts];
  unsigned bad_target_count_ = 0;
  BounceExit bounce_[kMaxInsts * 9];
  unsigned bounce_count_ = 0;
  CarefulExit careful_[kMaxInsts * 4];  // three accesses and a group's check an instruction
  unsigned careful_count_ = 0;
  MergeGroup groups_[kMaxGroups];
  unsigned group_count_ = 0;
  u8 group_of_[kMaxInsts][2];  // group of the ModRM operand and of the stack access, or kNoGroup
  /// What has moved by how much, since it was known, of that part of the ModRM operand's address that merged_operand()
  /// adds to T0.
  i64 added_moved_[kMaxInsts];
  u8 t0_group_ = kNoGroup;  // T0 holds what the accesses of this group need (merged_operand())
  bool t1_target_ = false;  // T1 holds the target of an indirect call, which is not in scratch[1]
  u8 t1_home_ = kNoReg;     // T1 still holds this demoted guest register, as its home does
  u8* poll_[2];
  unsigned poll_count_ = 0;
};

/// C++ functions that thunks call (run/callbacks.cpp). All on the vCPU's thread, guest FPU state live.
extern "C" {
u8* rz_slow_access(Vcpu* vcpu, u64 linear, u64 descriptor);  // descriptor: AccessMeta | block << 32
u8* rz_bounce_prepare(Vcpu* vcpu, u64 offset, u64 descriptor);
void rz_bounce_commit(Vcpu* vcpu);
u32 rz_call_helper(Vcpu* vcpu, const Inst* inst);
void rz_raise(Vcpu* vcpu, u32 descriptor);
}

}  // namespace rz
