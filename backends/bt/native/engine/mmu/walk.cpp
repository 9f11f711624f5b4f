// Page-table walks: 32-bit (with PSE), PAE, 4-level and 5-level paging. A walk first finds the leaf, then checks
// rights, then sets accessed and dirty bits with cmpxchg and starts over when an entry changed meanwhile, so a
// walk that faults has no side effect. Sources: SDM, "Paging"; APM, "Page Translation and Protection".
#include "../cpu/cpuid.h"
#include "../run/machine.h"
#include "dirty_log.h"
#include "mmu.h"
#include "phys_memory.h"

namespace rz {
namespace {

constexpr u64 kPresent = 1, kWritable = 2, kUserBit = 4, kAccessed = 32, kDirty = 64, kLarge = 128, kGlobalBit = 256,
              kNoExecute = 1ull << 63;
constexpr unsigned kKeyShift = 59;  // protection key, bits 59..62 of a leaf in IA-32e paging
constexpr u64 kFrame = 0x000ffffffffff000ull;

// Page-fault error code bits.
constexpr u32 kErrPresent = 1, kErrWrite = 2, kErrUser = 4, kErrReserved = 8, kErrFetch = 16, kErrKey = 32;

struct Step {
  u64 gpa;    // of the entry
  u64 entry;  // as read
};

struct Leaf {
  Step steps[5];
  unsigned count = 0;
  unsigned entry_bytes = 8;
  u64 gpa = 0;
  u64 page_bytes = kPageBytes;
  bool user = true, writable = true, no_execute = false, global = false;
  u8 key = 0;  // protection key; 0 unless it counts
};

enum class Find : u8 { kFound, kNotPresent, kReserved };

bool read_entry(const Vcpu& vcpu, Leaf& leaf, u64 gpa, u64& entry) {
  const u8* host = vcpu.machine->memory->host(gpa);
  if (!host) return false;  // tables outside RAM read as not present
  if (leaf.entry_bytes == 8)
    entry = __atomic_load_n(reinterpret_cast<const u64*>(host), __ATOMIC_RELAXED);
  else
    entry = __atomic_load_n(reinterpret_cast<const u32*>(host), __ATOMIC_RELAXED);
  leaf.steps[leaf.count++] = {gpa, entry};
  return true;
}

void narrow(Leaf& leaf, u64 entry, bool has_nx) {
  leaf.user &= (entry & kUserBit) != 0;
  leaf.writable &= (entry & kWritable) != 0;
  if (has_nx) leaf.no_execute |= (entry & kNoExecute) != 0;
}

Find find_32(const Vcpu& vcpu, u32 linear, Leaf& leaf) {
  leaf.entry_bytes = 4;
  u64 entry;
  if (!read_entry(vcpu, leaf, (vcpu.cr3 & 0xfffff000) + (linear >> 22) * 4, entry) || !(entry & kPresent))
    return Find::kNotPresent;
  narrow(leaf, entry, false);
  if ((entry & kLarge) && (vcpu.cr4 & kCr4PSE)) {
    // PSE-36: bits 13..20 are address bits 32..39, bit 21 is reserved.
    if (entry & (1u << 21)) return Find::kReserved;
    leaf.page_bytes = 4u << 20;
    leaf.global = (entry & kGlobalBit) != 0;
    leaf.gpa = (entry & 0xffc00000) | ((entry >> 13 & 0xff) << 32) | (linear & 0x3fffff);
    return Find::kFound;
  }
  if (!read_entry(vcpu, leaf, (entry & 0xfffff000) + (linear >> 12 & 0x3ff) * 4, entry) || !(entry & kPresent))
    return Find::kNotPresent;
  narrow(leaf, entry, false);
  leaf.global = (entry & kGlobalBit) != 0;
  leaf.gpa = (entry & 0xfffff000) | (linear & 0xfff);
  return Find::kFound;
}

// PAE, 4-level and 5-level tables share their last levels.
Find find_64(const Vcpu& vcpu, u64 linear, Leaf& leaf) {
  const CpuidProfile& cpu = *vcpu.machine->cpuid;
  const bool nxe = (vcpu.msr.efer & kEferNXE) != 0;
  const bool long_mode = vcpu.long_mode();
  u64 reserved = kFrame & ~((1ull << cpu.phys_bits) - 1);
  if (!long_mode) reserved |= 0x7ffull << 52;
  if (!nxe) reserved |= kNoExecute;

  u64 table;
  int level;
  if (long_mode) {
    level = (vcpu.cr4 & kCr4LA57) ? 5 : 4;
    table = vcpu.cr3 & kFrame;
  } else {
    linear &= 0xffffffff;
    const u64 pdpte = vcpu.pdpte[linear >> 30];  // loaded with CR3 and checked then
    if (!(pdpte & kPresent)) return Find::kNotPresent;
    table = pdpte & kFrame;
    level = 2;
  }
  for (;; --level) {
    const unsigned shift = 12 + 9 * (level - 1);
    u64 entry;
    if (!read_entry(vcpu, leaf, table + (linear >> shift & 0x1ff) * 8, entry) || !(entry & kPresent))
      return Find::kNotPresent;
    if (entry & reserved) return Find::kReserved;
    narrow(leaf, entry, nxe);
    if (level == 1) {
      leaf.global = (entry & kGlobalBit) != 0;
      leaf.gpa = (entry & kFrame) | (linear & 0xfff);
      return Find::kFound;
    }
    if (entry & kLarge) {
      if (level > 3 || (level == 3 && !cpu.gigantic_pages)) return Find::kReserved;
      const u64 bytes = 1ull << shift;
      if (entry & (bytes - 1) & ~0x1fffull) return Find::kReserved;  // bit 12 is PAT
      leaf.page_bytes = bytes;
      leaf.global = (entry & kGlobalBit) != 0;
      leaf.gpa = (entry & kFrame & ~(bytes - 1)) | (linear & (bytes - 1));
      return Find::kFound;
    }
    table = entry & kFrame;
  }
}

Find find_leaf(const Vcpu& vcpu, u64 linear, Leaf& leaf) {
  return (vcpu.cr4 & kCr4PAE) ? find_64(vcpu, linear, leaf) : find_32(vcpu, static_cast<u32>(linear), leaf);
}

// Sets bits in an entry unless it changed since it was read. Tables in ROM keep their bits.
bool set_bits(Vcpu& vcpu, const Leaf& leaf, Step& step, u64 bits) {
  if ((step.entry & bits) == bits) return true;
  const MemorySlot* slot = vcpu.machine->memory->find(step.gpa);
  if (!slot || slot->read_only) return true;
  u8* host = slot->host + (step.gpa - slot->base);
  bool done;
  if (leaf.entry_bytes == 8) {
    u64 old = step.entry;
    done = __atomic_compare_exchange_n(reinterpret_cast<u64*>(host), &old, step.entry | bits, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
  } else {
    u32 old = static_cast<u32>(step.entry);
    done = __atomic_compare_exchange_n(reinterpret_cast<u32*>(host), &old, static_cast<u32>(step.entry | bits), false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  }
  if (!done) return false;
  step.entry |= bits;
  if (vcpu.machine->dirty) vcpu.machine->dirty->note(*slot, step.gpa);
  if (code_page(*vcpu.machine, step.gpa) && code_hit(*vcpu.machine, step.gpa, leaf.entry_bytes))
    code_invalidate(*vcpu.machine, step.gpa, leaf.entry_bytes);
  return true;
}

// What the protection key of a user page forbids, to user and supervisor alike: 1 any data access, 2 writes. Writes of
// the supervisor only with CR0.WP. Source: SDM, "Protection Keys".
unsigned key_forbids(const Vcpu& vcpu, u8 key, PrivClass cls) {
  const unsigned rights = static_cast<unsigned>(vcpu.msr.pkru >> (2 * key)) & 3;
  return cls == kUser || (vcpu.cr0 & kCr0WP) ? rights : rights & 1;
}

void take_key(const Vcpu& vcpu, Leaf& leaf) {
  if (!leaf.user || !(vcpu.cr4 & kCr4PKE) || !vcpu.long_mode()) return;
  leaf.key = static_cast<u8>(leaf.steps[leaf.count - 1].entry >> kKeyShift & 15);
}

bool key_denies(const Vcpu& vcpu, const Leaf& leaf, Access access, PrivClass cls) {
  if (!leaf.user || !(vcpu.cr4 & kCr4PKE) || !vcpu.long_mode() || access == Access::kExecute) return false;
  const unsigned forbids = key_forbids(vcpu, leaf.key, cls);
  return (forbids & 1) || ((forbids & 2) && writes(access));
}

// Rights of SDM, "Determination of Access Rights". Implicit supervisor accesses (class kSupervisor) ignore EFLAGS.AC.
bool allowed(const Vcpu& vcpu, const Leaf& leaf, Access access, PrivClass cls) {
  if (cls == kUser) {
    if (!leaf.user) return false;
    if (writes(access) && !leaf.writable) return false;
    return access != Access::kExecute || !leaf.no_execute;
  }
  if (access == Access::kExecute) {
    if (leaf.no_execute) return false;
    return !(leaf.user && (vcpu.cr4 & kCr4SMEP));
  }
  if (leaf.user && (vcpu.cr4 & kCr4SMAP) && cls != kSupervisorAc) return false;
  return !writes(access) || leaf.writable || !(vcpu.cr0 & kCr0WP);
}

/// Without paging a linear address is the physical one, and everything is allowed.
Translation identity(u64 linear) {
  return {.gpa = linear,
          .page_bytes = kPageBytes,
          .user = true,
          .writable = true,
          .global = false,
          .no_execute = false,
          .keyed = false};
}

}  // namespace

bool canonical(const Vcpu& vcpu, u64 linear) {
  if (!vcpu.long_mode()) return true;
  const unsigned shift = (vcpu.cr4 & kCr4LA57) ? 7 : 16;
  return static_cast<u64>(static_cast<i64>(linear << shift) >> shift) == linear;
}

bool canonical_at_most(const Vcpu& vcpu, u64 linear) {
  const unsigned shift = 64 - vcpu.machine->cpuid->linear_bits;
  return static_cast<u64>(static_cast<i64>(linear << shift) >> shift) == linear;
}

bool walk(Vcpu& vcpu, u64 linear, Access access, PrivClass cls, Translation& out) {
  vcpu.count(Counter::kPageWalks);
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  if (!vcpu.paging()) {
    out = identity(linear);
    return true;
  }
  if (!canonical(vcpu, linear)) {
    vcpu.raise(kGP, 0);
    return false;
  }
  for (;;) {
    Leaf leaf;
    const Find found = find_leaf(vcpu, linear, leaf);
    if (found == Find::kFound) take_key(vcpu, leaf);
    const bool locked = found == Find::kFound && key_denies(vcpu, leaf, access, cls);
    if (found != Find::kFound || locked || !allowed(vcpu, leaf, access, cls)) {
      u32 error = locked ? kErrKey : 0;
      if (found != Find::kNotPresent) error |= kErrPresent;
      if (found == Find::kReserved) error |= kErrReserved;
      if (writes(access)) error |= kErrWrite;
      if (cls == kUser) error |= kErrUser;
      const bool nx_on = (vcpu.msr.efer & kEferNXE) && (vcpu.cr4 & kCr4PAE);
      if (access == Access::kExecute && (nx_on || (vcpu.cr4 & kCr4SMEP))) error |= kErrFetch;
      vcpu.raise_page_fault(linear, error);
      return false;
    }
    bool raced = false;
    for (unsigned i = 0; i + 1 < leaf.count && !raced; ++i) raced = !set_bits(vcpu, leaf, leaf.steps[i], kAccessed);
    Step& last = leaf.steps[leaf.count - 1];
    if (!raced) raced = !set_bits(vcpu, leaf, last, writes(access) ? kAccessed | kDirty : kAccessed);
    if (raced) continue;
    const bool may_write = leaf.writable || (cls != kUser && !(vcpu.cr0 & kCr0WP));
    out = {.gpa = leaf.gpa,
           .page_bytes = leaf.page_bytes,
           .user = leaf.user,
           .writable = may_write && (last.entry & kDirty) != 0 && !key_denies(vcpu, leaf, Access::kWrite, cls),
           .global = leaf.global && (vcpu.cr4 & kCr4PGE) != 0,
           .no_execute = leaf.no_execute,
           .keyed = leaf.key != 0};
    return true;
  }
}

bool peek_walk(const Vcpu& vcpu, u64 linear, Translation& out) {
  if (!vcpu.long_mode()) linear = static_cast<u32>(linear);
  if (!vcpu.paging()) {
    out = identity(linear);
    return true;
  }
  if (!canonical(vcpu, linear)) return false;
  Leaf leaf;
  if (find_leaf(vcpu, linear, leaf) != Find::kFound) return false;
  out = {.gpa = leaf.gpa,
         .page_bytes = leaf.page_bytes,
         .user = leaf.user,
         .writable = leaf.writable,
         .global = leaf.global,
         .no_execute = leaf.no_execute,
         .keyed = false};
  return true;
}

}  // namespace rz
