// The test machine and the stubs that stand for the code cache.
#include "guest.h"

#include <cstdlib>
#include <sys/mman.h>

#include "decode/inst.h"

namespace rz {

bool code_page(const Machine&, u64 gpa) { return (gpa & kPageMask) == test::g_code.page; }
bool code_still_guarded(const Machine& machine, u64 gpa) { return code_page(machine, gpa); }
bool code_hit(const Machine&, u64 gpa, unsigned bytes) {
  return test::g_code.granule < gpa + bytes && gpa < test::g_code.granule + 64;
}
void code_invalidate(Machine&, u64, unsigned) { ++test::g_code.invalidations; }
const u8* jump_miss_thunk(const Machine&) { return reinterpret_cast<const u8*>(0x1234); }

}  // namespace rz

namespace rz::test {

Tally g_tally;
std::string g_section;
FakeCode g_code;

void check(bool ok, const char* file, int line, const char* what) {
  if (ok) {
    ++g_tally.passed;
    return;
  }
  ++g_tally.failed;
  std::printf("FAILED %s: %s:%d: %s\n", g_section.c_str(), file, line, what);
}

void check_equal(u64 a, u64 b, const char* file, int line, const char* what) {
  check(a == b, file, line, what);
  if (a != b)
    std::printf("  %#llx against %#llx\n", static_cast<unsigned long long>(a), static_cast<unsigned long long>(b));
}

static u8* map_pages(u64 bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) std::abort();
  return static_cast<u8*>(at);
}

Guest::Guest(const char* name, unsigned vcpus) : v(*make(name, vcpus)) {}

Vcpu* Guest::make(const char* name, unsigned vcpus) {
  g_code = FakeCode{};
  memory_ = map_pages(kRamBytes);
  rom_ = map_pages(kPageBytes);
  if (!physical.add({0, kRamBytes, memory_, false}) || !physical.add({kRomBase, kPageBytes, rom_, true})) std::abort();
  if (!cpuid_profile(name, vcpus, 2'600'000'000, profile)) std::abort();
  machine.memory = &physical;
  machine.bus = &bus;
  machine.cpuid = &profile;
  machine.tsc_hz = profile.tsc_hz;
  Vcpu* made = vcpu_create(machine, 0);
  machine.vcpus.push_back(made);
  return made;
}

Guest::~Guest() {
  vcpu_destroy(&v);
  munmap(memory_, kRamBytes);
  munmap(rom_, kPageBytes);
}

void Guest::gdt(u16 selector, u32 base, u32 limit, u32 attributes) {
  const u64 low = (limit & 0xffff) | static_cast<u64>(base & 0xffffff) << 16 |
                  static_cast<u64>(attributes & 0xff) << 40 | static_cast<u64>(limit >> 16 & 15) << 48 |
                  static_cast<u64>(attributes >> 8 & 15) << 52 | static_cast<u64>(base >> 24) << 56;
  store(kGdt + (selector & ~7u), low);
}

void Guest::gate64(u8 vector, u64 offset, u16 selector, unsigned type, unsigned dpl, unsigned ist) {
  store(kIdt + vector * 16u, (offset & 0xffff) | static_cast<u64>(selector) << 16 | static_cast<u64>(ist) << 32 |
                                 static_cast<u64>(0x80 | dpl << 5 | type) << 40 | (offset >> 16 & 0xffff) << 48);
  store(kIdt + vector * 16u + 8, offset >> 32);
}

void Guest::gate32(u8 vector, u32 offset, u16 selector, unsigned type, unsigned dpl) {
  store(kIdt + vector * 8u, (offset & 0xffff) | static_cast<u64>(selector) << 16 |
                                static_cast<u64>(0x80 | dpl << 5 | type) << 40 | static_cast<u64>(offset >> 16) << 48);
}

u64& Guest::pte(u64 linear) {
  u64 table = kTables;
  for (int level = 4; level > 1; --level) {
    u64* entry = reinterpret_cast<u64*>(ram(table + (linear >> (12 + 9 * (level - 1)) & 511) * 8));
    if (!(*entry & kP)) {
      *entry = next_table_ | kP | kRw | kUs;
      next_table_ += kPageBytes;
    }
    table = *entry & 0xffffffffff000;
  }
  return *reinterpret_cast<u64*>(ram(table + (linear >> 12 & 511) * 8));
}

static void load_flat(Guest& g, u8 seg, u16 selector) {
  Descriptor d;
  if (!read_descriptor(g.v, selector, kGP, 0, d)) std::abort();
  set_segment(g.v, seg, selector, d);
}

void Guest::long_mode() {
  for (u64 at = 0; at < 8u << 20; at += kPageBytes) pte(at) = at | kP | kRw | kUs | kA | kD;
  gdt(0x08, 0, 0xfffff, 0xa9b);
  gdt(0x10, 0, 0xfffff, 0xc93);
  gdt(0x18, 0, 0xfffff, 0xcf3);
  gdt(0x20, 0, 0xfffff, 0xafb);
  gdt(0x28, kTss, 0x67, 0x08b);
  store(kGdt + 0x30, 0);
  gdt(0x38, 0, 0xfffff, 0xcfb);
  v.gdtr = {kGdt, 0x7f};
  v.idtr = {kIdt, 0xfff};
  v.tr = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = kTss};
  v.msr.efer = kEferLME | kEferLMA | kEferNXE | kEferSCE;
  v.cr0 = kCr0PE | kCr0PG | kCr0WP | kCr0ET | kCr0NE;
  v.cr4 = kCr4PAE | kCr4PGE | kCr4OSFXSR;
  v.cr3 = kTables;
  v.cpl = 0;
  v.rflags = 2;
  tlb_flush_all(v);
  load_flat(*this, kCS, 0x08);
  for (const u8 seg : {kSS, kDS, kES}) load_flat(*this, seg, 0x10);
  v.rip = 0x8000;
  v.regs[4] = 0x7000;
  refresh_mode(v);
}

void Guest::protected_mode() {
  gdt(0x08, 0, 0xfffff, 0xc9b);
  gdt(0x10, 0, 0xfffff, 0xc93);
  gdt(0x18, 0, 0xfffff, 0xcfb);
  gdt(0x20, 0, 0xfffff, 0xcf3);
  gdt(0x28, kTss, 0x67, 0x08b);
  v.gdtr = {kGdt, 0x7f};
  v.idtr = {kIdt, 0x7ff};
  v.tr = {.selector = 0x28, .attributes = 0x8b, .limit = 0x67, .base = kTss};
  v.msr.efer = 0;
  v.cr0 = kCr0PE | kCr0ET | kCr0NE;
  v.cr4 = 0;
  v.cpl = 0;
  v.rflags = 2;
  tlb_flush_all(v);
  load_flat(*this, kCS, 0x08);
  for (const u8 seg : {kSS, kDS, kES, kFS, kGS}) load_flat(*this, seg, 0x10);
  v.rip = 0x8000;
  v.regs[4] = 0x7000;
  refresh_mode(v);
}

void Guest::user() {
  const bool wide = v.long_mode();
  v.cpl = 3;
  load_flat(*this, kCS, wide ? 0x23 : 0x1b);
  for (const u8 seg : {kSS, kDS, kES}) load_flat(*this, seg, wide ? 0x1b : 0x23);
  refresh_mode(v);
}

OpResult Guest::run(std::initializer_list<u8> bytes) {
  static Inst inst;  // helpers may keep no reference, but a static eases debugging
  if (decode(bytes.begin(), static_cast<unsigned>(bytes.size()), v.code_size(), inst) != DecodeStatus::kOk ||
      !inst.row || (inst.row->sem != Sem::kHelper && inst.row->sem != Sem::kHelperEnds)) {
    std::printf("not a helper instruction in %s\n", g_section.c_str());
    ++g_tally.failed;
    return OpResult::kLeave;
  }
  return kHelpers[static_cast<unsigned>(inst.row->helper)](v, inst);
}

void Guest::faults(OpResult result, u8 vector, u32 error, const char* file, int line) {
  check(result == OpResult::kFault, file, line, "the instruction faults");
  check_equal(v.exception.vector, vector, file, line, "vector");
  if (v.exception.has_error) check_equal(v.exception.error, error, file, line, "error code");
  v.exception = PendingException{};
}

}  // namespace rz::test
