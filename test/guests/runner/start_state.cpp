// Builds the GDT, the identity page tables and the three start states; see start_state.h.
#include "start_state.h"

#include <cstring>

namespace guests {
namespace {

constexpr std::uint64_t descriptor(std::uint32_t base, std::uint32_t limit, std::uint16_t attributes) {
  return (limit & 0xffffull) | (base & 0xffffffull) << 16 | (attributes & 0xffull) << 40 |
         ((limit >> 16) & 0xfull) << 48 | ((attributes >> 8) & 0xfull) << 52 |
         (static_cast<std::uint64_t>(base) >> 24) << 56;
}

// The order SYSCALL and SYSRET want. Entries from 48h on are the program's.
constexpr std::uint64_t kGdt[] = {
    0,
    descriptor(0, 0xfffff, 0xa9b),  // 08h code, 64-bit, ring 0
    descriptor(0, 0xfffff, 0xc93),  // 10h data, ring 0
    descriptor(0, 0xfffff, 0xc9b),  // 18h code, 32-bit, ring 0
    descriptor(0, 0xffff, 0x09b),   // 20h code, 16-bit, ring 0
    descriptor(0, 0xffff, 0x093),   // 28h data, 16-bit, ring 0
    descriptor(0, 0xfffff, 0xcfb),  // 30h code, 32-bit, ring 3
    descriptor(0, 0xfffff, 0xcf3),  // 38h data, ring 3
    descriptor(0, 0xfffff, 0xafb),  // 40h code, 64-bit, ring 3
};

void put64(std::uint8_t* at, std::uint64_t value) { memcpy(at, &value, 8); }

void build_page_tables(std::uint8_t* ram) {
  std::uint8_t* pml4 = ram + kPageTables;
  std::uint8_t* pdpt = pml4 + 0x1000;
  constexpr std::uint64_t kTable = 0x27;      // present, writable, user, accessed
  constexpr std::uint64_t kLargePage = 0xe7;  // the same, dirty, 2 MiB
  put64(pml4, (kPageTables + 0x1000) | kTable);
  for (std::uint64_t gib = 0; gib < 4; gib++) {
    const std::uint64_t pd = kPageTables + 0x2000 + gib * 0x1000;
    put64(pdpt + gib * 8, pd | kTable);
    for (std::uint64_t i = 0; i < 512; i++) put64(ram + pd + i * 8, (gib << 30 | i << 21) | kLargePage);
  }
}

}  // namespace

StartState prepare(const Program& program, std::uint8_t* ram) {
  memcpy(ram + kGdtAddress, kGdt, sizeof kGdt);
  build_page_tables(ram);
  for (const Segment& s : program.segments) memcpy(ram + s.address, s.bytes.data(), s.bytes.size());

  StartState state{};
  state.rip = kProgramBase;
  state.rsp = kStackTop;
  state.rflags = 2;
  state.ldtr = {0, 0x82, 0, 0};
  state.tr = {0, 0x8b, 0xffff, 0};
  state.gdt_base = kGdtAddress;
  state.gdt_limit = kGdtBytes - 1;
  switch (program.start) {
    case StartMode::kReal16:
      state.cr0 = 0x30;  // ET, NE
      state.cs = {0, 0x9b, 0xffff, 0};
      state.data = {0, 0x93, 0xffff, 0};
      state.idt_limit = 0x3ff;
      break;
    case StartMode::kProtected32:
      state.cr0 = 0x33;   // ET, NE, MP, PE
      state.cr4 = 0x600;  // OSFXSR, OSXMMEXCPT
      state.cs = {0x18, 0xc9b, 0xffffffff, 0};
      state.data = {0x10, 0xc93, 0xffffffff, 0};
      break;
    case StartMode::kLong64:
      state.cr0 = 0x80010033;  // PG, WP, ET, NE, MP, PE
      state.cr3 = kPageTables;
      state.cr4 = 0x620;   // OSFXSR, OSXMMEXCPT, PAE
      state.efer = 0xd01;  // NXE, LMA, LME, SCE
      state.cs = {0x08, 0xa9b, 0xffffffff, 0};
      state.data = {0x10, 0xc93, 0xffffffff, 0};
      break;
  }
  return state;
}

}  // namespace guests
