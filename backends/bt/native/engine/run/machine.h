// What all vCPUs of one machine share: guest-physical memory, the code cache, the buses.
#pragma once

#include <vector>

#include "../cpu/types.h"
#include "../cpu/vcpu.h"
#include "bus.h"
#include "sync.h"

namespace rz {

class CodeCache;
class DirtyLog;
class PhysMemory;
class RamHeat;
struct CpuidProfile;

/// Tuning and debugging switches; every combination must give the guest the same answers.
struct EngineOptions {
  u64 code_cache_bytes = 128ull << 20;
  bool no_opt = false;             // RINGZERO_NO_OPT: no liveness, no linking, no elision
  u32 max_block_insts = 64;        // 1: single-instruction blocks
  u32 stress_flush_tlb = 0;        // flush the TLB at random, once in N exits; 0: never
  u32 stress_flush_code = 0;       // likewise the code cache
  bool stress_interrupts = false;  // leave at every poll
  u64 stress_seed = 1;             // of the randomness in both
  bool perf_map = false;           // write /tmp/perf-PID.map
  u32 trace = 0;                   // bits of Trace (debug/trace.h)
  int trace_fd = 2;                // where its lines go
  u64 trace_start_ns = 0;          // what their times count from, CLOCK_MONOTONIC
#ifdef RINGZERO_VERIFY_DEFAULT
  bool verify = true;
#else
  bool verify = false;  // check every emitted block (verify/verify.h)
#endif
};

class Machine {
 public:
  PhysMemory* memory = nullptr;
  RamHeat* ram_heat = nullptr;  // told of every page that a soft TLB is filled with; may be null
  DirtyLog* dirty = nullptr;    // pages that the guest wrote; null: nobody asks. Changed only while no vCPU runs
  CodeCache* code = nullptr;
  Bus* bus = nullptr;
  InterruptSource* irq = nullptr;
  const CpuidProfile* cpuid = nullptr;
  EngineOptions options;
  std::vector<Vcpu*> vcpus;  // constant while a vCPU runs
  VcpuSync sync{*this};
  bool oversubscribed = false;  // more vCPUs than host cores: a vCPU that spins yields. Before code is translated
  u64 tsc_hz = 0;               // what CPUID and pvclock report
  // Called by a vCPU that sees kAttnInvalidate: outside writers changed guest memory that may hold translated
  // code; the embedder answers with code_invalidate() for each range. May be null.
  void (*drain_invalidations)(void* context, Machine& machine) = nullptr;
  void* drain_context = nullptr;

  // Lockstep of two machines (debug/lockstep.h). `boundary` is called where a block ended, on the vCPU's thread with
  // the guest's registers stored; false ends run(). While it is set, blocks are not linked, and interrupts and timers
  // are served only where run() begins, so that what happens depends on nothing but the guest and the caller.
  bool (*boundary)(void* context, Vcpu& vcpu) = nullptr;
  void* boundary_context = nullptr;
  bool stop_at_delivery =
      false;  // run() also comes back where an exception or interrupt was delivered, before the handler
  const u64* virtual_tsc = nullptr;  // what takes the place of the host's time-stamp counter
  u64 virtual_random = 0;            // state of RDRAND and RDSEED; 0: the host's randomness

  /// Other vCPUs may run: what is shared with them must be ordered.
  bool smp() const { return vcpus.size() > 1; }
};

/// Why run() came back.
enum class RunExit : u8 { kStopped, kShutdown /* triple fault */, kInternalError };

/// Run a vCPU on this thread until the host asks for a stop (kAttnStop), or it shuts down.
RunExit run(Vcpu& vcpu);

/// Exceptions, interrupts and NMIs delivered so far.
u64 deliveries(const Vcpu& vcpu);

/// Empty the code cache in an exclusive section. On the vCPU's thread, between blocks; no block number is good
/// afterwards.
void flush_code(Vcpu& vcpu);

}  // namespace rz
