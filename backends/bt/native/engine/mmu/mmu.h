// Linear to physical: page-table walks, the soft TLB's slow path, address-space contexts, and
// guest memory access for C++ helpers. All functions run on the vCPU's own thread with guest FPU
// state possibly live in the host registers: nothing here may touch vector registers.
#pragma once

#include "../cpu/vcpu.h"
#include "../ops/op_result.h"

namespace rz {

struct Translation {
  u64 gpa;         // guest-physical address of the access
  u64 page_bytes;  // 4096, 2 MiB, 4 MiB or 1 GiB
  bool user;       // leaf and all levels above allow user access
  bool writable;   // may be written now, dirty bit already set
  bool global;
  bool no_execute;
  bool keyed;  // the rights depend on PKRU through a protection key that is not 0
};

/// Walk the page tables for one byte at `linear`, setting A (and D for writes) bits with cmpxchg.
/// On failure a page fault (or #GP for a non-canonical address) is pending in vcpu.exception.
/// @param cls  privilege of the access: implicit supervisor accesses (GDT, IDT, TSS) pass kSupervisor
[[nodiscard]] bool walk(Vcpu& vcpu, u64 linear, Access access, PrivClass cls, Translation& out);

/// As walk, without side effects or exceptions (debugger, lookahead). False: not mapped.
[[nodiscard]] bool peek_walk(const Vcpu& vcpu, u64 linear, Translation& out);

/// Outcome of a miss in the inline check.
enum class SlowAccess : u8 { kHost, kFault, kBounce, kCode };
struct SlowResult {
  u8* host;
  SlowAccess kind;
  u64 gpa;  // kCode
};
/// Serve an access that missed the inline check. kHost: `host` is the operand (the TLB was filled when allowed).
/// kBounce: the access crosses a page, or is MMIO: re-execute through a bounce buffer.
/// kCode: `host` at `gpa` is RAM that code was translated from: invalidate and store there, or re-execute likewise.
SlowResult slow_access(Vcpu& vcpu, u64 linear, unsigned bytes, Access access);

/// Probe all pages of an access, gather its bytes into vcpu.bounce (MMIO is read here, once, at exact width, when
/// `access` reads). False: exception pending. `bytes` 1..64.
[[nodiscard]] bool bounce_prepare(Vcpu& vcpu, u64 linear, unsigned bytes, Access access);
/// Where the operand lies in vcpu.bounce: as misaligned as in the guest, so that aligned moves fault as they must.
inline u8* bounce_operand(Vcpu& vcpu) { return vcpu.bounce + (vcpu.bounce_linear & 63); }
/// Scatter vcpu.bounce back after the instruction ran; invalidates translated code under it.
void bounce_commit(Vcpu& vcpu);

/// Code fetch: guest-physical address of the byte at `linear`, or false with the fault pending.
[[nodiscard]] bool fetch_translate(Vcpu& vcpu, u64 linear, u64& gpa);

/// Memory access for helpers by segment and offset: applies base, limit, canonicality, alignment checks
/// and paging at the current CPL. `bytes` 1, 2, 4, 8 (values zero-extended); the _block forms up to 4096 bytes.
[[nodiscard]] bool mem_read(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, u64& value);
[[nodiscard]] bool mem_write(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, u64 value);
[[nodiscard]] bool mem_read_block(Vcpu& vcpu, u8 seg, u64 offset, void* into, unsigned bytes);
[[nodiscard]] bool mem_write_block(Vcpu& vcpu, u8 seg, u64 offset, const void* from, unsigned bytes);
/// Checks that a write of `bytes` would succeed, without writing (so that later writes cannot fault).
[[nodiscard]] bool mem_probe_write(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes);
/// Linear-address forms with an explicit privilege (descriptor tables, TSS, page-crossing code).
[[nodiscard]] bool linear_read(Vcpu& vcpu, u64 linear, void* into, unsigned bytes, PrivClass cls);
[[nodiscard]] bool linear_write(Vcpu& vcpu, u64 linear, const void* from, unsigned bytes, PrivClass cls);

/// Effective address of an instruction's memory operand: offset within the segment, truncated to the address size.
/// vcpu.rip must be the address of this instruction.
u64 effective_offset(const Vcpu& vcpu, const Inst& inst);
/// Segment base + offset, with limit and canonical checks; exception pending on failure.
[[nodiscard]] bool linear_address(Vcpu& vcpu, u8 seg, u64 offset, unsigned bytes, Access access, u64& linear);

// Architectural flushes. Each also empties the jump tables that depended on the mapping.
void tlb_flush_all(Vcpu& vcpu);                                   // CR0/CR4 changes, CR3 write with PGE toggled
void tlb_flush_non_global(Vcpu& vcpu);                            // MOV CR3
void tlb_flush_page(Vcpu& vcpu, u64 linear);                      // INVLPG: in all contexts
void tlb_switch_context(Vcpu& vcpu, u64 cr3, bool keep_entries);  // CR3 write, with PCID bit 63
/// A page fault takes along what the current address space's entries say of the page.
/// @param fetch  it may have been an instruction fetch
/// Source: SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches".
void tlb_page_fault(Vcpu& vcpu, u64 linear, bool fetch);
/// vcpu.tlb and vcpu.jump for the current context, CPL and mode; call after any change of CPL or mode.
void tlb_select(Vcpu& vcpu);
/// Drop write permission for a physical page in every table of every context (it now holds translated code, or dirty
/// logging restarted). Another vCPU's thread may call it (`own` false): the owner then may be storing through an entry
/// still, and re-checks entries that it is just filling. True: there was an entry with write permission.
bool tlb_protect_physical(Vcpu& vcpu, u64 gpa_page, bool own);
/// Empty the memos of last_page.h. Whoever takes entries of the soft TLB away does so too.
void forget_last_pages(Vcpu& vcpu);
/// A memo that user code was about to let change to `page` gets the pages around it too, as far as the soft TLB knows
/// them and they are neighbours in the host as well.
/// @param memo  its number; of a set that of the first
void widen_last_page(Vcpu& vcpu, unsigned memo, u64 page);
/// Any memo knows the page at linear address `page`.
bool remembers_page(Vcpu& vcpu, u64 page);
/// Empty the memos for writes to the page at host address `host`; true: there was one. On any thread, after the tags of
/// the soft TLB were taken away.
bool protect_last_pages(Vcpu& vcpu, u64 host);
/// Drop all write permissions: what is written from here on comes to the slow path first. While the vCPU does not run.
void tlb_drop_writes(Vcpu& vcpu);
/// Say that a store to this host page may come that no write tag shows, before looking whether the page is code. Holds
/// until the vCPU's next safe point. Any bit of Vcpu::recent_writes may stand for several pages.
inline u64 recent_write_bit(const u8* host) {
  return 1ull << ((reinterpret_cast<u64>(host) >> 12) * 0x9e3779b97f4a7c15ull >> 58);
}
inline void note_recent_write(Vcpu& vcpu, const u8* host) {
  vcpu.recent_writes.store(vcpu.recent_writes.load(std::memory_order_relaxed) | recent_write_bit(host),
                           std::memory_order_relaxed);
}
inline bool wrote_recently(const Vcpu& vcpu, const u8* host) {
  return host && (vcpu.recent_writes.load(std::memory_order_relaxed) & recent_write_bit(host)) != 0;
}
/// Make every jump table point at the miss thunk (code was freed).
void jump_flush_all(Vcpu& vcpu);

/// PKRU, by WRPKRU or XRSTOR: what the old value allowed is forgotten.
void set_pkru(Vcpu& vcpu, u32 value);
/// INVPCID with a PCID: one page, or everything but global pages, of that address space.
void tlb_flush_page_pcid(Vcpu& vcpu, u16 pcid, u64 linear);
void tlb_flush_pcid(Vcpu& vcpu, u16 pcid);
/// INVPCID "all contexts, retaining globals".
void tlb_flush_all_non_global(Vcpu& vcpu);
/// Empty contexts, all bound to no address space but the first; called once when the vCPU is created.
void tlb_init(Vcpu& vcpu);

/// True when `linear` is canonical for the current paging mode (always true outside long mode).
bool canonical(const Vcpu& vcpu, u64 linear);
/// True when it is canonical in the processor's widest mode, whatever the mode now: what may be written to MSRs, to the
/// bases of descriptor tables and system segments, and be named to instructions that drop TLB entries.
bool canonical_at_most(const Vcpu& vcpu, u64 linear);
/// What alignment checking asks of an operand of `bytes`: its width, 8 for an 80-bit number, at most 16. Other images
/// have parts of their own and are not checked. Source: SDM, "Alignment Check Exception (#AC)", and what processors do.
constexpr unsigned alignment_of(unsigned bytes) {
  if (bytes == 10) return 8;
  if (bytes == 0 || (bytes & (bytes - 1)) != 0) return 1;
  return bytes > 16 ? 16 : bytes;
}
/// #AC(0) pending and true when alignment checking is on and `linear` is not as aligned as an operand of `bytes` must
/// be.
bool alignment_fault(Vcpu& vcpu, u64 linear, unsigned bytes);
/// Write guest-physical RAM on behalf of the engine (A/D bits, pvclock), with code invalidation. False: not RAM.
bool phys_write(Machine& machine, u64 gpa, const void* from, unsigned bytes);
bool phys_read(Machine& machine, u64 gpa, void* into, unsigned bytes);

// Provided by cache/ (the code cache): which physical pages hold translated code, in granules of 64 bytes.
bool code_page(const Machine& machine, u64 gpa);                  // stores to this page must be noticed
bool code_still_guarded(const Machine& machine, u64 gpa);         // likewise, asked by such a store
bool code_hit(const Machine& machine, u64 gpa, unsigned bytes);   // any on these granules
void code_invalidate(Machine& machine, u64 gpa, unsigned bytes);  // drop the blocks under these bytes
const u8* jump_miss_thunk(const Machine& machine);                // may be null while no code cache exists

}  // namespace rz
