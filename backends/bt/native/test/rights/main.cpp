// engine_rights_test: who may touch which page. Random rights in every level of the tables, control registers and PKRU;
// then loads, stores, locked and string instructions and jumps in rings 0 and 3, several in a row so that the soft TLB
// knows the page already from another kind of access, privilege or key. What comes of each is held against a model
// written from SDM, "Determination of Access Rights", "Protection Keys" and "Page-Fault Exceptions": fault or not,
// error code, CR2, what is in memory, accessed and dirty bits.
#include <cstdio>
#include <cstdlib>
#include <random>

#include "../guests/engine_guest.h"

namespace {

using namespace rz;

constexpr u64 kDirectory = guests::kPageTables + 0x2000, kLowTable = 0x80000, kTable = 0x81000;
constexpr u64 kTarget = 0x200000, kLarge = 0x400000, kFrame = 0x300000;  // two pages; a large one; memory of the pages
constexpr u64 kStub = 0x9000, kPlainStub = 0x9020, kSetUp = 0x9040, kSetEfer = 0x9060;
constexpr u64 kFaulted = 0x9100, kDone = 0x9110, kOther = 0x9120;
constexpr u64 kKernelCode = 0xa000, kUserCode = 0xb000, kUserStack = 0xc800, kStack = 0x7000, kTssAt = 0x1200,
              kIdtAt = 0x2000;
constexpr u64 kP = 1, kW = 2, kU = 4, kA = 32, kD = 64, kPs = 128, kReserved = 1ull << 51, kNx = 1ull << 63;
constexpr u32 kErrP = 1, kErrW = 2, kErrU = 4, kErrReserved = 8, kErrFetch = 16, kErrKey = 32;
static_assert(guests::kRamBytes >= kLarge + 0x200000);

struct Kind {
  const char* name;
  std::initializer_list<u8> code;  // at [RBX]; RDX is stored
  unsigned bytes;
  bool write, fetch = false;
};
const Kind kKinds[] = {
    {"mov rdx,[rbx]", {0x48, 0x8b, 0x13}, 8, false},
    {"mov [rbx],rdx", {0x48, 0x89, 0x13}, 8, true},
    {"add [rbx],rdx", {0x48, 0x01, 0x13}, 8, true},
    {"lock cmpxchg [rbx],rdx, failing", {0xf0, 0x48, 0x0f, 0xb1, 0x13}, 8, true},
    {"jmp rbx", {0xff, 0xe3}, 2, false, true},
    {"movups xmm0,[rbx]", {0x0f, 0x10, 0x03}, 16, false},
    {"rep stosb", {0x48, 0x89, 0xdf, 0xb9, 4, 0, 0, 0, 0xf3, 0xaa}, 4, true},
    {"lodsb", {0x48, 0x89, 0xde, 0xac}, 1, false},
    {"push [rbx]", {0xff, 0x33}, 8, false},
    {"pop [rbx]", {0x50, 0x8f, 0x03}, 8, true},
    {"fnstcw [rbx]", {0xd9, 0x3b}, 2, true},
    {"bts dword [rbx],0", {0x0f, 0xba, 0x2b, 0}, 4, true},
};
constexpr u64 kKindBytes = 0x20;

/// What the round set up, and what the access at hand adds.
struct Setting {
  bool wp, smep, smap, nxe, pke;
  unsigned cpl;
  bool ac;
  u32 pkru;
};

struct Outcome {
  bool fault = false;
  u32 error = 0;
  u64 cr2 = 0;
};

/// The model: one page of an access.
bool denied(const Setting& s, const Kind& kind, u64 directory, const u64* table, u32& error) {
  error = (kind.write ? kErrW : 0) | (s.cpl == 3 ? kErrU : 0) | (kind.fetch && (s.nxe || s.smep) ? kErrFetch : 0);
  const u64 levels[] = {directory, table ? *table : directory};
  for (const u64 entry : levels) {
    if (!(entry & kP)) return true;
    if ((entry & kReserved) || (!s.nxe && (entry & kNx))) {
      error |= kErrP | kErrReserved;
      return true;
    }
  }
  error |= kErrP;
  const bool user = levels[0] & levels[1] & kU, writable = levels[0] & levels[1] & kW;
  const bool no_execute = s.nxe && ((levels[0] | levels[1]) & kNx);
  bool no = false;
  if (s.pke && user && !kind.fetch) {
    const unsigned rights = s.pkru >> (2 * (levels[1] >> 59 & 15)) & 3;
    if ((rights & 1) || ((rights & 2) && kind.write && (s.wp || s.cpl == 3))) {
      error |= kErrKey;
      no = true;
    }
  }
  if (s.cpl == 3) {
    no |= !user || (kind.write && !writable) || (kind.fetch && no_execute);
  } else if (kind.fetch) {
    no |= no_execute || (user && s.smep);
  } else {
    no |= (user && s.smap && !s.ac) || (kind.write && !writable && s.wp);
  }
  return no;
}

class Test {
 public:
  explicit Test(u64 seed) : rng_(seed), seed_(seed), guest_(EngineOptions{}, "host+pku"), v_(guest_.vcpu()) {}

  unsigned passed = 0, failed = 0, faults = 0;

  bool run(unsigned rounds) {
    if (!guest_.good) return false;
    set_up();
    for (unsigned n = 0; n < rounds && failed < 10; n++) round(n);
    return true;
  }

 private:
  bool chance(unsigned one_in) { return rng_() % one_in == 0; }
  u8* ram(u64 at) { return guest_.ram + at; }
  void put(u64 at, u64 value) { memcpy(ram(at), &value, 8); }
  u64 get(u64 at) {
    u64 value;
    memcpy(&value, ram(at), 8);
    return value;
  }
  void bytes(u64 at, std::initializer_list<u8> code) { memcpy(ram(at), code.begin(), code.size()); }

  void set_up() {
    guests::Program nothing;
    set_state(v_, guests::prepare(nothing, guest_.ram));
    for (u64 page = 0; page < 512; page++) put(kLowTable + 8 * page, page << 12 | kP | kW | kA | kD);
    put(kLowTable + 8 * (kUserCode >> 12), kUserCode | kP | kW | kU | kA | kD);
    // Of a key of its own, so that PUSH and POP meet only the rights of their other operand.
    put(kLowTable + 8 * (kUserStack >> 12), (kUserStack & kPageMask) | kP | kW | kU | kA | kD | 15ull << 59);
    put(kDirectory, kLowTable | kP | kW | kU | kA);
    bytes(kStub,
          {0x89, 0xf0, 0x31, 0xc9, 0x31, 0xd2, 0x0f, 0x01, 0xef});  // mov eax,esi; xor ecx,ecx; xor edx,edx; wrpkru
    for (const u64 at : {kStub + 9, kPlainStub})                    // mov rax,r10; mov rdx,r11; iretq
      bytes(at, {0x4c, 0x89, 0xd0, 0x4c, 0x89, 0xda, 0x48, 0xcf});
    bytes(kSetUp, {0x41, 0x0f, 0x22, 0xe0, 0x0f, 0x22, 0xc7, 0xe6, 0xf4, 0xeb, 0xfe});  // mov cr4,r8; mov cr0,rdi
    bytes(kSetEfer, {0x0f, 0x30, 0xe6, 0xf4, 0xeb, 0xfe});                              // wrmsr
    for (const u64 at : {kFaulted, kDone, kOther}) bytes(at, {0xe6, 0xf4, 0xeb, 0xfe});
    for (unsigned k = 0; k < std::size(kKinds); k++)
      for (const u64 page : {kKernelCode, kUserCode}) {
        const u64 at = page + k * kKindBytes;
        bytes(at, kKinds[k].code);
        bytes(at + kKinds[k].code.size(), {0xcd, 0x30});  // int 30h
      }
    for (unsigned vector = 0; vector <= 0x30; vector++) {
      const u64 to = vector == kPFx ? kFaulted : vector == 0x30 ? kDone : kOther;
      put(kIdtAt + 16 * vector, (to & 0xffff) | 8 << 16 | 0xee00ull << 32);
      put(kIdtAt + 16 * vector + 8, 0);
    }
    v_.idtr = {kIdtAt, 0x30 * 16 + 15};
    put(kTssAt + 4, kStack);
    v_.tr.selector = 0xf0;
    v_.tr.base = kTssAt;
    v_.tr.limit = 0x67;
    tlb_flush_all(v_);
  }

  /// Ring 0 at `at`, until something says that it is done.
  bool go(u64 at) {
    guest_.go_on();
    v_.attention.fetch_and(~u32{kAttnStop});
    v_.rip = at;
    return rz::run(v_) == RunExit::kStopped && guest_.end() == guests::End::kDone;
  }

  u64 random_entry(u64 frame, bool leaf) {
    u64 entry = frame | (chance(10) ? 0 : kP) | (chance(3) ? 0 : kW) | (chance(3) ? 0 : kU);
    if (chance(5)) entry |= kNx;
    if (chance(24)) entry |= kReserved;
    if (chance(2)) entry |= kA | (leaf && chance(2) ? kD : 0);
    if (leaf && chance(2)) entry |= (rng_() % 4) << 59;
    return entry;
  }

  void round(unsigned n) {
    put(kDirectory + 8, random_entry(kTable, false));
    put(kDirectory + 16, random_entry(kLarge, true) | kPs);
    for (unsigned page = 0; page < 2; page++) put(kTable + 8 * page, random_entry(kFrame + page * 0x1000, true));
    Setting s{!chance(3), chance(2), chance(2), !chance(3), chance(2), 0, false, 0};
    v_.rflags = 2;
    v_.regs[1] = 0xc0000080;
    v_.regs[0] = s.nxe ? 0xd01 : 0x501;
    v_.regs[2] = 0;
    bool good = go(kSetEfer);
    v_.regs[8] = 0x620 | (s.smep ? kCr4SMEP : 0) | (s.smap ? kCr4SMAP : 0) | (s.pke ? kCr4PKE : 0);
    v_.regs[7] = 0x80000033 | (s.wp ? kCr0WP : 0);
    good &= go(kSetUp);
    tlb_flush_all(v_);
    if (!good) return fail(n, "the round was not set up", s, kKinds[0], 0);
    for (unsigned i = 1 + rng_() % 8; i > 0; i--) {
      s.cpl = chance(2) ? 3 : 0;
      s.ac = chance(2);
      if (s.pke && chance(2)) s.pkru = static_cast<u32>((rng_() & rng_() & 0xfc) | (chance(4) ? rng_() & 3 : 0));
      const Kind& kind = kKinds[rng_() % std::size(kKinds)];
      u64 offset = rng_() % 0x7f0 * 2;
      if (chance(4) && kind.bytes > 2) offset = 0x1000 - kind.bytes / 2;
      access(n, s, kind, (chance(3) ? kLarge : kTarget) + offset);
    }
  }

  /// The entries that rule over `at`, as the model and the checks want them.
  u64 directory_at(u64 at) const { return kDirectory + 8 * (at >> 21); }
  u64 table_at(u64 at) const { return at >= kLarge ? 0 : kTable + 8 * (at >> 12 & 511); }

  Outcome expected(const Setting& s, const Kind& kind, u64 at) {
    Outcome out;
    for (u64 page = at & ~0xfffull; page < at + kind.bytes && !out.fault; page += 0x1000) {
      const u64 table = table_at(page) ? get(table_at(page)) : 0;
      out.fault = denied(s, kind, get(directory_at(page)), table_at(page) ? &table : nullptr, out.error);
      out.cr2 = page > at ? page : at;
    }
    return out;
  }

  void access(unsigned n, const Setting& s, const Kind& kind, u64 at) {
    const u64 memory = at >= kLarge ? at : kFrame + (at - kTarget);
    for (unsigned i = 0; i < 32; i++) *ram((memory & ~1ull) + i) = i & 1 ? 0x30 : 0xcd;  // int 30h, all over
    u8 before[16];
    memcpy(before, ram(memory), sizeof before);
    const u64 first = table_at(at) ? table_at(at) : directory_at(at), last_byte = at + kind.bytes - 1;
    const u64 last = table_at(last_byte) ? table_at(last_byte) : directory_at(last_byte);
    const u64 old_first = get(first), old_last = get(last);
    const Outcome want = expected(s, kind, at);
    const u64 frame[] = {(s.cpl == 3 ? kUserCode : kKernelCode) + static_cast<u64>(&kind - kKinds) * kKindBytes,
                         s.cpl == 3 ? kUserCs : u64{8}, 2 | (s.ac ? u64{kFlagAC} : 0),
                         s.cpl == 3 ? kUserStack : kStack - 0x400, s.cpl == 3 ? kUserSs : u64{0x10}};
    memcpy(ram(kStack - 0x800), frame, sizeof frame);
    v_.regs[4] = kStack - 0x800;
    v_.regs[3] = at;
    v_.regs[6] = s.pkru;
    v_.regs[10] = 0x11223344;
    v_.regs[11] = 0x5566778899aabbcc;
    v_.cr2 = 0;
    if (!go(s.pke ? kStub : kPlainStub)) return fail(n, "it ended", s, kind, at);
    const bool faulted = (v_.rip & ~0xfull) == kFaulted;
    if (!faulted && (v_.rip & ~0xfull) != kDone) return fail(n, "another exception", s, kind, at);
    faults += faulted;
    if (faulted != want.fault) return fail(n, faulted ? "it faulted" : "it did not fault", s, kind, at);
    if (faulted) {
      const u32 error = static_cast<u32>(get(v_.regs[4]));
      // A reserved bit ends the walk: whether keys are looked at then is not said.
      const u32 mask = want.error & kErrReserved ? ~kErrKey : ~0u;
      if ((error ^ want.error) & mask) return fail(n, "error code", s, kind, at, error, want.error);
      if (v_.cr2 != want.cr2) return fail(n, "CR2", s, kind, at, v_.cr2, want.cr2);
      // The first page of an operand whose second page faults may be dirty already.
      if ((((first == last ? get(first) ^ old_first : 0) | (get(last) ^ old_last)) & kD))
        return fail(n, "dirty after a fault", s, kind, at);
      const unsigned kept = kind.bytes == 4 && want.cr2 > at ? 0 : kind.bytes;  // REP STOSB stored what it could
      if (memcmp(before, ram(memory), kept) != 0) return fail(n, "memory after a fault", s, kind, at);
    } else {
      const u64 bits = kA | (kind.write ? kD : 0);
      if (get(first) != (old_first | bits) || get(last) != (old_last | bits))
        return fail(n, "accessed and dirty bits", s, kind, at, get(first), old_first | bits);
      if (!(get(directory_at(at)) & kA)) return fail(n, "accessed bit of the directory", s, kind, at);
      if (&kind == kKinds && memcmp(&v_.regs[2], before, 8) != 0) return fail(n, "what was read", s, kind, at);
      if (&kind == kKinds + 1 && get(memory) != 0x5566778899aabbcc) return fail(n, "what was written", s, kind, at);
    }
    passed++;
  }

  void fail(unsigned n, const char* what, const Setting& s, const Kind& kind, u64 at, u64 got = 0, u64 want = 0) {
    failed++;
    std::printf("FAILED --seed %llu round %u: %s at %llx in ring %u: %s (%llx, should be %llx)\n",
                static_cast<unsigned long long>(seed_), n, kind.name, static_cast<unsigned long long>(at), s.cpl, what,
                static_cast<unsigned long long>(got), static_cast<unsigned long long>(want));
    std::printf("  wp %d smep %d smap %d nxe %d pke %d ac %d pkru %x; directory %llx %llx, table %llx %llx; rip %llx\n",
                s.wp, s.smep, s.smap, s.nxe, s.pke, s.ac, s.pkru, static_cast<unsigned long long>(get(kDirectory + 8)),
                static_cast<unsigned long long>(get(kDirectory + 16)), static_cast<unsigned long long>(get(kTable)),
                static_cast<unsigned long long>(get(kTable + 8)), static_cast<unsigned long long>(v_.rip));
  }

  static constexpr u64 kUserCs = 0x43, kUserSs = 0x3b;  // of the start state
  std::mt19937_64 rng_;
  u64 seed_;
  Guest guest_;
  Vcpu& v_;
};

}  // namespace

int main(int argc, char** argv) {
  u64 seed = 1;
  unsigned rounds = 20000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::string(argv[i]) == "--seed")
      seed = std::strtoull(argv[i + 1], nullptr, 0);
    else if (std::string(argv[i]) == "--rounds")
      rounds = static_cast<unsigned>(std::atoi(argv[i + 1]));
  }
  Test test(seed);
  if (!test.run(rounds)) {
    std::printf("FAILED: a machine\n");
    return 2;
  }
  std::printf("%u of the accesses fault\n", test.faults);
  std::printf("%u passed, %u failed\n", test.passed, test.failed);
  return test.failed ? 1 : 0;
}
