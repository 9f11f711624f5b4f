// Host traps inside translated code become guest exceptions: the block's instruction map says which guest
// instruction it was, the signal context holds the guest's registers. See signals.h.
#include "signals.h"

#include <ucontext.h>

#include "../cache/code_cache.h"
#include "../emit/registers.h"
#include "../translate/translator.h"

namespace rz {
namespace {

struct sigaction g_previous[65];

// Host register number -> index in gregs.
constexpr int kGreg[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                           REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

int vector_of(int signal, const siginfo_t& info, greg_t trap) {
  switch (signal) {
    case SIGFPE:
      if (info.si_code == FPE_INTDIV || info.si_code == FPE_INTOVF) return kDE;
      return trap == kMF ? kMF : kXM;  // rows that use both units can raise either
    case SIGILL: return kUD;
    case SIGBUS: return info.si_code == BUS_ADRALN ? kAC : -1;
    case SIGSEGV:
      return info.si_code == SI_KERNEL ? kGP : -1;  // a host #GP has no address: alignment, MXCSR, canonical
    default: return -1;
  }
}

void on_signal(int signal, siginfo_t* info, void* context) {
  if (handle_host_signal(signal, info, context)) return;
  const struct sigaction& before = g_previous[signal];
  if (before.sa_flags & SA_SIGINFO) {
    before.sa_sigaction(signal, info, context);
    return;
  }
  if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
    before.sa_handler(signal);
    return;
  }
  struct sigaction dfl = {};
  dfl.sa_handler = SIG_DFL;
  sigaction(signal, &dfl, nullptr);  // the instruction runs again and the default action follows
}

}  // namespace

bool handle_host_signal(int signal, siginfo_t* info, void* context) {
  Vcpu* v = current_vcpu();
  if (!v || !v->machine->code) return false;
  auto* uc = static_cast<ucontext_t*>(context);
  greg_t* regs = uc->uc_mcontext.gregs;
  CodeCache& code = *v->machine->code;
  const u8* pc = reinterpret_cast<const u8*>(regs[REG_RIP]);
  const u32 index = code.find_host(pc);
  if (!index) return false;
  const Block& block = code.block(index);
  const u32 offset = static_cast<u32>(pc - code.rx(0));
  const u32 end = index + 1 < code.block_count() ? code.block(index + 1).map : code.map_count();
  const InstMap* found = nullptr;
  for (u32 i = block.map; i < end && code.inst_map(i).host <= offset; i++) found = &code.inst_map(i);
  if (!found) return false;
  int vector = vector_of(signal, *info, regs[REG_TRAPNO]);
  if (vector < 0) return false;
  if (vector == kXM && !(v->cr4 & kCr4OSXMMEXCPT)) vector = kUD;

  for (unsigned g = 0; g < 16; g++)
    if (kRegMap[g] != hNone) v->regs[g] = static_cast<u64>(regs[kGreg[kRegMap[g]]]);
  if (!found->parked) {
    const u64 eflags = static_cast<u64>(regs[REG_EFL]);
    v->parked_flags = static_cast<u32>((eflags & 0xd7) << 8 | (eflags >> 11 & 1));
  }
  v->rip = rip_in_page(block, found->guest);
  const bool has_error = vector == kGP || vector == kAC;
  if (has_error)
    v->raise(static_cast<u8>(vector), 0);
  else
    v->raise(static_cast<u8>(vector));
  v->exit_meta = kExitFault;
  regs[REG_RIP] = reinterpret_cast<greg_t>(code.rx(g_thunks_layout.exit_saved));
  regs[REG_EFL] &= ~static_cast<greg_t>(kFlagDF | kFlagTF | kFlagAC);
  return true;
}

void install_signal_handlers() {
  static bool done = false;
  if (done) return;
  done = true;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigemptyset(&action.sa_mask);
  for (int s : {SIGSEGV, SIGFPE, SIGILL, SIGBUS}) sigaction(s, &action, &g_previous[s]);
}

}  // namespace rz
