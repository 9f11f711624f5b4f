// engine_outside_test: the host writes guest memory while a vCPU translates it, or wakes a translation of it that
// slept. The host stores, then looks in the shared bitmap whether there is code (EngineLink::touched); the engine sets
// the bit, then trusts what it reads. The moment between is made as wide as a test needs: the bitmap lies in a page
// that cannot be written, so that setting the bit faults, and what the host does at that moment is done in the handler.
// It sees no bit and tells nobody.
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
u8* g_target = nullptr;  // what the host stores to
u8 g_stored = kNew;      // what it stores
u64 g_target_page = 0;
unsigned g_moments = 0;  // times that the handler ran
bool g_told = false;     // the host saw the bit, and would have told the engine

void host_writes(int, siginfo_t* info, void*) {
  const u64 offset = static_cast<u64>(static_cast<u8*>(info->si_addr) - reinterpret_cast<u8*>(g_bitmap));
  if (offset >= kBitmapBytes) abort();  // a fault of another kind
  ++g_moments;
  __atomic_store_n(g_target, g_stored, __ATOMIC_SEQ_CST);
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

/// To real-mode code at an address below 64 KiB.
void stand_at(Vcpu& v, u64 at) {
  v.seg[kCS].selector = 0;
  v.seg[kCS].base = 0;
  v.rip = at;
  refresh_segments(v);
  refresh_mode(v);
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
  g_stored = kNew;
  stand_at(v, at);
  mprotect(g_bitmap, kBitmapBytes, PROT_READ);
  const RunExit why = run(v);
  mprotect(g_bitmap, kBitmapBytes, PROT_READ | PROT_WRITE);
  check(why == RunExit::kStopped && guest.end() == guests::End::kDone, name, "the guest ended");
  check(g_moments == 1 && !g_told, name, "the host wrote when the code was not known as code yet");
  check((v.regs[0] & 0xff) == kNew, name, "the guest executed what the host wrote");
}

/// A function on a page that is written again and again sleeps when it is dropped, and is woken if its bytes are what
/// they were. The host stores to it in the moment in which it wakes.
/// @param stored  by the host, where kOld was
void changes_while_it_wakes(const char* name, unsigned cpus, u8 stored) {
  constexpr u64 kCaller = 0x1000, kAgain = 0x1040, kFunction = 0x3000;
  Guest guest(EngineOptions{}, "x86-64-v2", cpus);
  if (!guest.good) return check(false, name, "a machine");
  constexpr u8 function[] = {0xb0, kOld, 0x90, 0xc3};     // mov al,imm; nop; ret
  constexpr u8 caller[] = {0xe8, 0xfd, 0x1f,              // call function
                           0xc6, 0x06, 0x02, 0x30, 0xf8,  // its NOP becomes CLC
                           0xc6, 0x06, 0x02, 0x30, 0x90,  // and NOP
                           0xe8, 0xf0, 0x1f,              // call: its bytes are kept from here on
                           0xc6, 0x06, 0x02, 0x30, 0xf8,  // asleep
                           0xc6, 0x06, 0x02, 0x30, 0x90,  // what it was
                           0xe6, 0xf4, 0xeb, 0xfe};
  constexpr u8 again[] = {0xe8, 0xbd, 0x1f, 0xe6, 0xf4, 0xeb, 0xfe};
  memcpy(guest.ram + kFunction, function, sizeof function);
  memcpy(guest.ram + kCaller, caller, sizeof caller);
  memcpy(guest.ram + kAgain, again, sizeof again);
  memset(g_bitmap, 0, kBitmapBytes);
  guest.machine().code->set_shared_bitmap(g_bitmap, kPages);
  Vcpu& v = guest.vcpu();
  const auto runs = [&] {
    guest.go_on();
    return run(v) == RunExit::kStopped && guest.end() == guests::End::kDone;
  };
  stand_at(v, kCaller);
  check(runs() && (v.regs[0] & 0xff) == kOld, name, "the function ran before");
  g_target = guest.ram + kFunction + 1;
  g_target_page = kFunction >> 12;
  g_stored = stored;
  g_moments = 0;
  v.attention.fetch_and(~u32{kAttnStop});
  stand_at(v, kAgain);
  v.regs[0] = 0;
  mprotect(g_bitmap, kBitmapBytes, PROT_READ);
  const bool ended = runs();
  mprotect(g_bitmap, kBitmapBytes, PROT_READ | PROT_WRITE);
  check(ended, name, "the guest ended");
  check(g_moments == 1 && !g_told, name, "the host wrote when the code was not known as code yet");
  check((v.regs[0] & 0xff) == stored, name, "the guest executed what the host wrote");
  // With the bytes that it had, it wakes: so this is the moment that the test means.
  const u64 woken = v.counters[static_cast<unsigned>(Counter::kBlocksWoken)];
  check(woken == (stored == kOld), name, "it woke if its bytes were the same");
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
    changes_while_it_wakes("awake again", cpus, kOld);
    changes_while_it_wakes("written while it wakes", cpus, kNew);
    // mov al,imm with the immediate in the next page
    changes_meanwhile("across pages", cpus, 0x1fff, {0xb0, kOld, 0xe6, 0xf4, 0xeb, 0xfe}, 1);
  }
  printf("%u passed, %u failed\n", count.passed, count.failed);
  return count.failed == 0 ? 0 : 1;
}
