// The control area: one memfd shared by the host process (Node) and the engine process of one machine.
// What must stay true: plain data only, no pointers, every offset fixed at compile time, and whoever reads a
// field copies it once and checks the copy. The engine is the less trusted side: the host must neither crash
// nor read out of bounds whatever the engine writes here. Guest RAM is a second memfd without any structure.
//
//   header        written by the host before the engine starts; the host never reads it back
//   host events   what the host sleeps on, and what is pending for it
//   engine events what the engine's control thread sleeps on
//   exits[]       one mailbox for each vCPU: synchronous accesses, engine -> host -> engine
//   command       one mailbox: run, pause, registers, state, host -> engine -> host
//   doorbells     writes that do not stop a vCPU
//   irq           ring: interrupt lines and messages, host -> engine, asynchronous
//   invalidation  ring: guest memory that the host changed under translated code, host -> engine
//   uarts[]       console byte rings
//   flight        the last events of the engine and what its crash handler wrote; read after its death
//   transfer      operand of the current command
//   vcpu_page[]   the first page of each vCPU object of the engine, so that the host can ask a running vCPU to look up
//   code bitmap   after the struct: one bit for each guest-physical page below the top of memory, set by the engine
//                 while translated code depends on the page
#pragma once

#include <atomic>

#include "futex.h"
#include "types.h"
#include "uart_rings.h"

namespace rz::shared {

inline constexpr u32 kMagic = 0x315a5243;  // "CRZ1"
inline constexpr u32 kVersion = 6;         // bumped on any change of this file: both sides ship together
inline constexpr u32 kMaxVcpus = 64;       // one bit each in HostPending::exits
inline constexpr u32 kMaxRanges = 32;      // as many as the engine's PhysMemory holds
inline constexpr u32 kMaxUarts = 4;        // COM1..COM4
inline constexpr u32 kMaxDoorbells = 256;  // 16 NICs and 16 disks with 8 queues each
inline constexpr u32 kIrqEntries =
    1024;  // more lines and vectors than a machine has, so that it fills only when the engine is stuck
inline constexpr u32 kInvalidationEntries = 1024;
inline constexpr u32 kFlightEvents = 512;
inline constexpr u32 kFlightTextBytes = 64 * 1024;
inline constexpr u32 kOptionBytes = 4096;
inline constexpr u32 kTransferBytes = 1024 * 1024;  // 64 vCPUs at 12 KiB of state, and the interrupt controllers
inline constexpr u64 kMaxRamBytes = 64ull << 30;    // limit of the product
inline constexpr u64 kMaxTop = 1ull << 40;          // no range ends above it; a code bitmap of at most 32 MiB, sparse
inline constexpr u64 kPageShift = 12;
inline constexpr u64 kHugePageBytes = 2u << 20;

/// One range of guest RAM or ROM. Ranges lie in the RAM memfd one after the other, in this order, each as far from a
/// multiple of kHugePageBytes as in the guest, so that a huge page of the host can be one of the guest's page tables.
struct Range {
  u64 base;        // guest-physical, multiple of 4096
  u64 bytes;       // non-zero multiple of 4096
  u64 ram_offset;  // where it starts in the RAM memfd
  u32 read_only;   // 1: guest writes are dropped
  u32 pad;
};

struct UartConfig {
  u16 port;  // first of eight I/O ports
  u16 irq;   // global interrupt line 0..23
};

/// What the machine is made of.
struct Header {
  u32 magic;
  u32 version;
  u64 total_bytes;  // of the control memfd
  u64 ram_bytes;    // of the RAM memfd
  u64 top;          // end of the highest range, guest-physical
  u32 vcpus;        // 1..kMaxVcpus
  u32 ranges;       // 0..kMaxRanges
  u32 uarts;        // 0..kMaxUarts
  u32 spin_ns;      // how long a vCPU spins for a reply before it sleeps, when the host attends on another processor
  Range range[kMaxRanges];
  UartConfig uart[kMaxUarts];
  char name[64];  // for process titles and reports; zero-terminated
  char cpu_profile[64];
  char options[kOptionBytes];  // engine tuning: "name=value\n" lines, zero-terminated
};

/// What waits for the host. Set by the engine, taken (exchanged with 0) by the host.
struct alignas(64) HostPending {
  std::atomic<u64> exits;    // bit = vCPU with a posted exit
  std::atomic<u32> uarts;    // bit = UART whose output ring became non-empty
  std::atomic<u32> command;  // bit 0: the command mailbox was answered; bit 1: the engine became ready
  std::atomic<u64> doorbells[kMaxDoorbells / 64];  // bit = slot that rang
  std::atomic<u32> attending_cpu;  // written by the host: processor + 1 of the thread that serves and lingers; 0: none
};

/// What the host has for the engine. Commands are the control thread's; the rest is served by the first vCPU, or by the
/// control thread where that vCPU cannot be reached; bits of EnginePending::work.
enum EngineWork : u32 {
  kWorkCommand = 1,
  kWorkIrq = 2,
  kWorkInvalidate = 4,
  kWorkUart = 8,
  kWorkParked = 16 /* a vCPU stopped */
};

struct alignas(64) EnginePending {
  std::atomic<u32> work;
};

enum class ExitKind : u32 {
  kNone = 0,
  kPortIn = 1,
  kPortOut = 2,
  kMmioRead = 3,
  kMmioWrite = 4,
  kTripleFault = 5,
  kInit = 6,
  kDebug = 7,
};

/// One vCPU's synchronous exit. The engine fills the first half and bumps `posted`; the host fills the second and
/// stores the same number in `answered`, on which the vCPU sleeps.
struct alignas(128) ExitMailbox {
  std::atomic<u32> posted;
  u32 kind;     // ExitKind
  u64 address;  // port, guest-physical address, or RIP
  u64 value;    // of a write, zero-extended
  u32 size;     // 1, 2, 4 or 8
  u32 cpu;      // host processor that the vCPU ran on
  alignas(64) std::atomic<u32> answered;
  std::atomic<u32> sleeping;  // 1 while the vCPU sleeps in the kernel
  u64 reply;                  // of a read
};

enum class Command : u32 {
  kNone = 0,
  kRun = 1,
  kPause = 2,
  kReset = 3,
  kGetRegisters = 4,
  kSetRegisters = 5,
  kSaveState = 6,
  kLoadState = 7,
  kCounters = 8,     // any time; replies "name value\n" lines
  kTrackDirty = 9,   // operand: one byte, on or off
  kTakeDirty = 10,   // operand: one byte, 1 for the rest of the last answer; reply: see page_runs.h
  kDebug = 11,       // operand: the backend's
  kListing = 12,     // operand: a RIP; replies text
  kTestCrash = 100,  // refused unless the engine was started with --test-commands
};

enum class CommandStatus : u32 {
  kOk = 0,
  kUnsupported = 1,
  kBusy = 2 /* vCPUs run */,
  kBadArgument = 3,
  kTooLarge = 4,
  kFailed = 5,
};

/// At most one command at a time; the host serialises.
struct alignas(64) CommandMailbox {
  std::atomic<u32> posted;  // bumped by the host after it filled the rest
  u32 op;                   // Command
  u32 vcpu;
  u32 bytes;                              // of `transfer`
  alignas(64) std::atomic<u32> answered;  // = posted when the fields below are valid
  u32 status;                             // CommandStatus
  u32 reply_bytes;                        // of `transfer`
};

/// `key` 0: free. Else bit 63 set, bit 62: MMIO, bit 61: `value` must match, bits 56..59: size, bits 0..51 address.
struct DoorbellEntry {
  std::atomic<u64> key;
  std::atomic<u64> value;
};
inline constexpr u64 kDoorbellUsed = 1ull << 63, kDoorbellMmio = 1ull << 62, kDoorbellMatchValue = 1ull << 61;
inline constexpr u64 kDoorbellAddressMask = (1ull << 52) - 1;
constexpr u64 doorbell_key(bool mmio, unsigned size, u64 address, bool match_value) {
  return kDoorbellUsed | (mmio ? kDoorbellMmio : 0) | (match_value ? kDoorbellMatchValue : 0) |
         static_cast<u64>(size & 15) << 56 | (address & kDoorbellAddressMask);
}

struct alignas(64) DoorbellTable {
  std::atomic<u32> limit;  // slots at or above it are free
  alignas(64) DoorbellEntry entry[kMaxDoorbells];
};

/// Ring with one producer (the host's device thread) and one consumer at a time (the engine, under its lock).
template <typename Entry, u32 kEntries>
struct alignas(64) Ring {
  static_assert((kEntries & (kEntries - 1)) == 0);
  std::atomic<u32> head;              // produced; counts for ever
  std::atomic<u32> overflow;          // set by the producer when the ring was full: the consumer must assume the worst
  alignas(64) std::atomic<u32> tail;  // consumed
  alignas(64) Entry entry[kEntries];

  /// False when full (or when the consumer's index is nonsense).
  bool push(const Entry& value) {
    const u32 at = head.load(std::memory_order_relaxed);
    if (at - tail.load(std::memory_order_acquire) >= kEntries) return false;
    entry[at % kEntries] = value;
    head.store(at + 1, std::memory_order_release);
    return true;
  }
  bool pop(Entry& value) {
    const u32 at = tail.load(std::memory_order_relaxed);
    if (at == head.load(std::memory_order_acquire)) return false;
    value = entry[at % kEntries];
    tail.store(at + 1, std::memory_order_release);
    return true;
  }
  bool empty() const { return tail.load(std::memory_order_acquire) == head.load(std::memory_order_acquire); }
};

/// A line when `address` is 0: `data` is gsi << 1 | level. Else a message-signalled interrupt.
struct IrqEntry {
  u64 address;
  u64 data;
};

struct InvalidationEntry {
  u64 gpa;
  u64 bytes;
};

/// What the flight recorder remembers of one event.
enum class FlightKind : u32 {
  kNone = 0,
  kStart = 1,
  kExit = 2,
  kReply = 3,
  kCommand = 4,
  kIrq = 5,
  kDoorbell = 6,
  kInvalidate = 7,
  kStopped = 8,
  kBlock = 9,
  kException = 10,
  kSignal = 11,
};
struct FlightEvent {
  u64 at_ns;  // CLOCK_MONOTONIC
  u32 kind;   // FlightKind
  u32 vcpu;
  u64 a, b;  // by kind: address and value, command and status, …
};
struct alignas(64) FlightRecorder {
  std::atomic<u32> next;  // events written so far; the ring keeps the last kFlightEvents
  alignas(64) FlightEvent event[kFlightEvents];
  std::atomic<u32> text_bytes;  // written by the crash handler
  char text[kFlightTextBytes];
};

/// Where things lie in a vCPU's page. Written by the engine before it is ready.
struct VcpuPageMap {
  std::atomic<u32> attention;  // the word that the vCPU's thread polls and sleeps on: bytes from the page's start, a
                               // multiple of 4; 0: there is none, wake the control thread
  std::atomic<u32> host_bits;  // what the host sets in it to say "I have work for the engine"
  std::atomic<u32>
      registers;  // 16 general registers, RIP, RFLAGS, 8 bytes each, as last stored; 0 or out of range: unknown
  std::atomic<u32> known;  // 1: `registers` is valid
};

struct ControlArea {
  Header header;
  EventCount host_events;
  HostPending host_pending;
  EventCount engine_events;
  EnginePending engine_pending;
  alignas(64) std::atomic<u32> engine_ready;  // 1: the engine mapped everything and serves commands
  std::atomic<u64> heartbeat_ns;  // CLOCK_MONOTONIC when the control thread last looked, at least once a second
  VcpuPageMap vcpu_map;
  ExitMailbox exits[kMaxVcpus];
  CommandMailbox command;
  DoorbellTable doorbells;
  Ring<IrqEntry, kIrqEntries> irq;
  Ring<InvalidationEntry, kInvalidationEntries> invalidation;
  UartRings uarts[kMaxUarts];
  FlightRecorder flight;
  alignas(4096) u8 transfer[kTransferBytes];
  alignas(4096) u8 vcpu_page[kMaxVcpus][4096];
};

inline constexpr u64 kCodeBitmapOffset = (sizeof(ControlArea) + 4095) & ~4095ull;

/// Bytes of the code bitmap for guest-physical memory that ends at `top`; a multiple of 4096.
constexpr u64 code_bitmap_bytes(u64 top) { return (((top >> kPageShift) + 7) / 8 + 4095) & ~4095ull; }
constexpr u64 control_bytes(u64 top) { return kCodeBitmapOffset + code_bitmap_bytes(top); }

}  // namespace rz::shared
