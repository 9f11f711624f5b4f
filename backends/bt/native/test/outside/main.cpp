// engine_outside_test: the host writes guest memory while a vCPU translates it. The host stores, then looks in the
// shared bitmap whether there is code (EngineLink::touched); the engine sets the bit, then trusts what it reads. The
// moment between is made as wide as a test needs: the bitmap lies in a page that cannot be written, so that setting the
// bit faults, and what the host does at that moment is done in the handler. It sees no bit and tells nobody.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include <initializer_list>

#include "../guests/engine_guest.h"

namespace {

using namespace rz;

constexpr u64 kPages = guests::kRamBytes >> 12, kBitmapBytes = 4096;
static_assert(kPages <= kBitmapBytes * 8);
constexpr u8 kOld = 0x11, kNew = 0x22;

u64* g_bitmap = nullptr;
u8* g_target = nullptr;  // what the host stores kNew to
u64 g_target_page = 0;
unsigned g_moments = 0;  // times that the handler ran
bool g_told = false;     // the host saw the bit, and would have told the engine

void host_writes(int, siginfo_t* info, void*) {
  const u64 offset = static_cast<u64>(static_cast<u8*>(info->si_addr) - reinterpret_cast<u8*>(g_bitmap));
  if (offset >= kBitmapBytes) abort();  // a fault of another kind
  ++g_moments;
  __atomic_store_n(g_target, kNew, __ATOMIC_SEQ_CST);
  g_told = (__atomic_load_n(&g_bitmap[g_target_page / 64], __ATOMIC_SEQ_CST) >> (g_target_page % 64) & 1) != 0;
  mprotect(g_bitmap, kBitmapBytes, PROT_READ | PROT_WRITE);
}

struct Count {
  unsigned passed = 0, failed = 0;
} count;

void check(bool good, const char* name, const char* what) {
  if (good) {
    ++count.passed;
    return;
  }
  ++count.failed;
  printf("FAILED %s: %s\n", name, what);
}

/// Runs real-mode code that ends at port F4h with AL as it became.
/// @param changing  index of the byte that the host changes from kOld to kNew while the code is translated
void changes_meanwhile(const char* name, unsigned cpus, u64 at, std::initializer_list<u8> code, unsigned changing) {
  Guest guest(EngineOptions{}, "x86-64-v2", cpus);
  if (!guest.good) return check(false, name, "a machine");
  memcpy(guest.ram + at, code.begin(), code.size());
  g_target = guest.ram + at + changing;
  g_target_page = (at + changing) >> 12;
  g_moments = 0;
  check(*g_target == kOld, name, "the test changes what it means to");
  memset(g_bitmap, 0, kBitmapBytes);
  guest.machine().code->set_shared_bitmap(g_bitmap, kPages);
  Vcpu& v = guest.vcpu();
  v.seg[kCS].selector = 0;
  v.seg[kCS].base = 0;
  v.rip = at;
  refresh_segments(v);
  refresh_mode(v);
  mprotect(g_bitmap, kBitmapBytes, PROT_READ);
  const RunExit why = run(v);
  mprotect(g_bitmap, kBitmapBytes, PROT_READ | PROT_WRITE);
  check(why == RunExit::kStopped && guest.end() == guests::End::kDone, name, "the guest ended");
  check(g_moments == 1 && !g_told, name, "the host wrote when the code was not known as code yet");
  check((v.regs[0] & 0xff) == kNew, name, "the guest executed what the host wrote");
}

}  // namespace

int main() {
  g_bitmap = static_cast<u64*>(mmap(nullptr, kBitmapBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  if (g_bitmap == MAP_FAILED) return 2;
  struct sigaction action = {};
  action.sa_sigaction = host_writes;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigaction(SIGSEGV, &action, nullptr);  // before the engine's own, which passes on what is not its
  for (const unsigned cpus : {1u, 2u}) {
    // mov al,imm; out F4h,al; jmp $
    changes_meanwhile("one page", cpus, 0x1000, {0xb0, kOld, 0xe6, 0xf4, 0xeb, 0xfe}, 1);
    // jmp +20h, and there as above: a block of two pieces
    changes_meanwhile("a piece behind a jump", cpus, 0x1000,
                      {0xeb, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    0,    0,    0,
                       0,    0,    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xb0, kOld, 0xe6, 0xf4, 0xeb, 0xfe},
                      0x23);
    // mov al,imm with the immediate in the next page
    changes_meanwhile("across pages", cpus, 0x1fff, {0xb0, kOld, 0xe6, 0xf4, 0xeb, 0xfe}, 1);
  }
  printf("%u passed, %u failed\n", count.passed, count.failed);
  return count.failed == 0 ? 0 : 1;
}
