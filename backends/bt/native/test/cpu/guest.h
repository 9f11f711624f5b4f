// A machine for unit tests: 16 MiB of RAM at 0, a ROM page, one vCPU, page tables built by hand, and a bus that writes
// down what it is asked. The code cache is replaced by stubs whose answers a test sets.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "cpu/bytes.h"
#include "cpu/cpuid.h"
#include "cpu/exceptions.h"
#include "cpu/msr.h"
#include "cpu/reset.h"
#include "cpu/segments.h"
#include "cpu/vcpu.h"
#include "mmu/mmu.h"
#include "mmu/phys_memory.h"
#include "ops/ops.h"
#include "run/machine.h"
#include "translate/mode.h"

namespace rz::test {

struct Tally {
  unsigned passed = 0, failed = 0;
};
extern Tally g_tally;
extern std::string g_section;

void check(bool ok, const char* file, int line, const char* what);
void check_equal(u64 a, u64 b, const char* file, int line, const char* what);
#define CHECK(x) ::rz::test::check((x), __FILE__, __LINE__, #x)
#define CHECK_EQ(a, b) \
  ::rz::test::check_equal(static_cast<::rz::u64>(a), static_cast<::rz::u64>(b), __FILE__, __LINE__, #a " == " #b)

/// What the stub of the code cache says and saw.
struct FakeCode {
  u64 page = ~0ull;     // guest-physical page that holds code
  u64 granule = ~0ull;  // ... in this 64-byte granule
  unsigned invalidations = 0;
};
extern FakeCode g_code;

class TestBus : public Bus {
 public:
  struct Access {
    bool write;
    bool port;
    u64 at;
    unsigned width;
    u64 value;
  };
  std::vector<Access> log;
  u64 answer = 0;
  u64 io_read(Vcpu&, u16 port, unsigned width) override {
    log.push_back({false, true, port, width, answer});
    return answer;
  }
  void io_write(Vcpu&, u16 port, unsigned width, u64 value) override {
    log.push_back({true, true, port, width, value});
  }
  u64 mmio_read(Vcpu&, u64 at, unsigned width) override {
    log.push_back({false, false, at, width, answer});
    return answer;
  }
  void mmio_write(Vcpu&, u64 at, unsigned width, u64 value) override { log.push_back({true, false, at, width, value}); }
};

// Page-table bits.
inline constexpr u64 kP = 1, kRw = 2, kUs = 4, kA = 32, kD = 64, kPs = 128, kG = 256, kNx = 1ull << 63;
inline constexpr u64 kRamBytes = 16 << 20, kRomBase = 0xfff00000, kTables = 0x100000, kGdt = 0x2000, kIdt = 0x3000,
                     kTss = 0x4000;

class Guest {
 public:
  explicit Guest(const char* profile = "x86-64-v2", unsigned vcpus = 1);
  ~Guest();

  u8* ram(u64 gpa) { return memory_ + gpa; }
  u64 load(u64 gpa, unsigned bytes = 8) { return load_bytes(ram(gpa), bytes); }
  void store(u64 gpa, u64 value, unsigned bytes = 8) { store_bytes(ram(gpa), value, bytes); }

  /// Long mode at CPL 0 with 4-level tables at kTables; identity mapping of the first 8 MiB by 4 KiB pages, user,
  /// writable, accessed and dirty. GDT: 08h code64, 10h data, 1Bh data DPL 3, 23h code64 DPL 3, 28h TSS, 3Bh code32
  /// DPL 3.
  void long_mode();
  /// Flat 32-bit protected mode without paging. GDT: 08h code32, 10h data, 1Bh code32 DPL 3, 23h data DPL 3, 28h TSS.
  void protected_mode();
  /// Enter CPL 3 of the current mode, flat.
  void user();
  /// Leaf entry for `linear` in the 4-level tables (levels above are present, user, writable).
  u64& pte(u64 linear);
  void map(u64 linear, u64 entry) {
    pte(linear) = entry;
    tlb_flush_all(v);
  }
  void gdt(u16 selector, u32 base, u32 limit, u32 attributes);  // attributes: bits 40..47 and 52..55, as in Segment
  void gate64(u8 vector, u64 offset, u16 selector, unsigned type, unsigned dpl, unsigned ist);
  void gate32(u8 vector, u32 offset, u16 selector, unsigned type, unsigned dpl);

  /// Decode and run one helper instruction. vcpu.rip is not advanced.
  OpResult run(std::initializer_list<u8> bytes);
  /// Fault expected: OpResult::kFault with this vector and error; clears it.
  void faults(OpResult result, u8 vector, u32 error, const char* file, int line);

  Machine machine;
  CpuidProfile profile;
  PhysMemory physical;
  TestBus bus;
  Vcpu& v;

 private:
  Vcpu* make(const char* profile, unsigned vcpus);
  u8* memory_;
  u8* rom_;
  u64 next_table_ = kTables + 0x1000;
};

#define CHECK_FAULT(g, result, vector, error) (g).faults((result), (vector), (error), __FILE__, __LINE__)

void walk_tests();
void tlb_tests();
void access_tests();
void segment_tests();
void exception_tests();
void task_tests();
void string_tests();
void cpuid_tests();
void cpuid_walk_tests();
void clock_tests();
void fpu_state_tests();

}  // namespace rz::test
