// Implementation of the engine's end.
#include "engine_peer.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace rz::peer {

using namespace shared;

namespace {

constexpr u64 kNapNs = 1'000'000'000;  // bounds the harm of a lost wake-up

bool file_bytes(int fd, u64& bytes) {
  struct stat about;
  if (fstat(fd, &about) != 0) return false;
  bytes = static_cast<u64>(about.st_size);
  return true;
}

void* map_shared(int fd, u64 bytes) {
  void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
  return at == MAP_FAILED ? nullptr : at;
}

/// The same at a multiple of 2 MiB, where the kernel can use huge pages.
void* map_shared_aligned(int fd, u64 bytes) {
  constexpr u64 kAlign = 2u << 20;
  void* room = mmap(nullptr, bytes + kAlign, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (room == MAP_FAILED) return map_shared(fd, bytes);
  u8* at = reinterpret_cast<u8*>((reinterpret_cast<u64>(room) + kAlign - 1) & ~(kAlign - 1));
  void* ram = mmap(at, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE | MAP_FIXED, fd, 0);
  return ram == MAP_FAILED ? nullptr : ram;  // what is left of the room stays out of reach
}

}  // namespace

bool EnginePeer::open(int ram_fd, int control_fd, const char** error) {
  u64 control_size = 0, ram_size = 0;
  if (!file_bytes(control_fd, control_size) || !file_bytes(ram_fd, ram_size)) {
    *error = "no memfds: this program is started by the ringzero addon";
    return false;
  }
  if (control_size < sizeof(ControlArea)) {
    *error = "the control area is too small";
    return false;
  }
  area_ = static_cast<ControlArea*>(map_shared(control_fd, control_size));
  if (area_ == nullptr) {
    *error = "cannot map the control area";
    return false;
  }
  memcpy(&header_, &area_->header, sizeof header_);
  if (!check(control_size, ram_size, error)) return false;
  ram_ = static_cast<u8*>(map_shared_aligned(ram_fd, ram_size));
  if (ram_ == nullptr) {
    *error = "cannot map guest RAM";
    return false;
  }
  madvise(ram_, ram_size, MADV_DONTDUMP);
  code_bitmap_ = reinterpret_cast<std::atomic<u64>*>(reinterpret_cast<u8*>(area_) + kCodeBitmapOffset);
  return true;
}

void EnginePeer::attach(void* control, void* ram) {
  area_ = static_cast<ControlArea*>(control);
  memcpy(&header_, &area_->header, sizeof header_);
  ram_ = static_cast<u8*>(ram);
  code_bitmap_ = reinterpret_cast<std::atomic<u64>*>(static_cast<u8*>(control) + kCodeBitmapOffset);
}

void EnginePeer::abandon() {
  abandoned_.store(true, std::memory_order_seq_cst);
  for (u32 i = 0; i < header_.vcpus; ++i) {
    // A change of the word turns away a vCPU that is about to sleep on it; the host's own answer overwrites it.
    area_->exits[i].answered.fetch_xor(1u << 31, std::memory_order_seq_cst);
    futex_wake(area_->exits[i].answered);
  }
}

bool EnginePeer::share_page(u32 vcpu, void* page, int control_fd) {
  u8* shared = area_->vcpu_page[vcpu];
  memcpy(shared, page, 4096);
  const off_t at = static_cast<off_t>(shared - reinterpret_cast<u8*>(area_));
  return mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, control_fd, at) == page;
}

void EnginePeer::publish_page_map(u32 attention, u32 host_bits, u32 registers) {
  VcpuPageMap& map = area_->vcpu_map;
  map.registers.store(registers, std::memory_order_relaxed);
  map.known.store(1, std::memory_order_relaxed);
  map.host_bits.store(host_bits, std::memory_order_relaxed);
  map.attention.store(attention, std::memory_order_release);
}

bool EnginePeer::check(u64 control_size, u64 ram_size, const char** error) {
  *error = nullptr;
  if (header_.magic != kMagic)
    *error = "the control area has no magic number";
  else if (header_.version != kVersion)
    *error = "addon and engine program are of different versions: rebuild both";
  else if (header_.total_bytes != control_size || header_.ram_bytes != ram_size || header_.top > kMaxTop ||
           control_size != control_bytes(header_.top))
    *error = "the control area does not fit the memory";
  else if (header_.vcpus < 1 || header_.vcpus > kMaxVcpus || header_.ranges > kMaxRanges || header_.uarts > kMaxUarts)
    *error = "the configuration is out of range";
  if (*error != nullptr) return false;
  for (u32 i = 0; i < header_.ranges; ++i) {
    const Range& range = header_.range[i];
    if (range.bytes == 0 || (range.base | range.bytes | range.ram_offset) % 4096 != 0 || range.ram_offset > ram_size ||
        range.bytes > ram_size - range.ram_offset || range.base > header_.top ||
        range.bytes > header_.top - range.base) {
      *error = "a memory range lies outside guest RAM";
      return false;
    }
  }
  header_.name[sizeof header_.name - 1] = 0;
  header_.cpu_profile[sizeof header_.cpu_profile - 1] = 0;
  header_.options[kOptionBytes - 1] = 0;
  return true;
}

u64 EnginePeer::exit(u32 vcpu, ExitKind kind, u64 address, u32 size, u64 value) {
  ExitMailbox& box = area_->exits[vcpu];
  record(FlightKind::kExit, vcpu, static_cast<u64>(kind) << 60 | static_cast<u64>(size) << 56 | address, value);
  box.kind = static_cast<u32>(kind);
  box.address = address;
  box.value = value;
  box.size = size;
  const u32 cpu = static_cast<u32>(sched_getcpu());
  box.cpu = cpu;
  const u32 sequence = box.posted.load(std::memory_order_relaxed) + 1;
  box.posted.store(sequence, std::memory_order_release);
  area_->host_pending.exits.fetch_or(1ull << vcpu, std::memory_order_acq_rel);
  area_->host_events.notify();
  // Spinning pays only while the other side is awake somewhere else: on one processor it would keep it from answering.
  const u32 attending = area_->host_pending.attending_cpu.load(std::memory_order_relaxed);
  if (header_.spin_ns != 0 && attending != 0 && attending != cpu + 1) {
    const u64 until = monotonic_ns() + header_.spin_ns;
    do {
      for (int i = 0; i < 32; ++i) {
        if (box.answered.load(std::memory_order_acquire) == sequence) return box.reply;
        __builtin_ia32_pause();
      }
    } while (monotonic_ns() < until);
  }
  box.sleeping.store(1, std::memory_order_seq_cst);
  for (;;) {
    const u32 answered = box.answered.load(std::memory_order_seq_cst);
    if (answered == sequence) break;
    if (abandoned_.load(std::memory_order_seq_cst)) return ~0ull;
    futex_wait(box.answered, answered, kNapNs);
  }
  box.sleeping.store(0, std::memory_order_relaxed);
  return box.reply;
}

bool EnginePeer::ring_doorbell(u32 vcpu, bool mmio, u64 address, u32 size, u64 value) {
  DoorbellTable& table = area_->doorbells;
  u32 limit = table.limit.load(std::memory_order_acquire);
  if (limit > kMaxDoorbells) limit = kMaxDoorbells;
  const u64 any = doorbell_key(mmio, size, address, false);
  const u64 exact = doorbell_key(mmio, size, address, true);
  for (u32 slot = 0; slot < limit; ++slot) {
    const DoorbellEntry& entry = table.entry[slot];
    const u64 key = entry.key.load(std::memory_order_acquire);
    if (key != any && (key != exact || entry.value.load(std::memory_order_acquire) != value)) continue;
    record(FlightKind::kDoorbell, vcpu, address, value);
    ring_slot(slot);
    return true;
  }
  return false;
}

void EnginePeer::ring_slot(u32 slot) {
  const u64 bit = 1ull << (slot % 64);
  if ((area_->host_pending.doorbells[slot / 64].fetch_or(bit, std::memory_order_acq_rel) & bit) == 0)
    area_->host_events.notify();
}

void EnginePeer::notify_uart(u32 index) {
  const u32 bit = 1u << index;
  if ((area_->host_pending.uarts.fetch_or(bit, std::memory_order_acq_rel) & bit) == 0) area_->host_events.notify();
}

void EnginePeer::wait_for_work(u64 timeout_ns) {
  const u32 observed = area_->engine_events.observe();
  if (area_->engine_pending.work.load(std::memory_order_acquire) != 0) return;
  area_->engine_events.wait(observed, timeout_ns);
}

void EnginePeer::wake_control(u32 work) {
  area_->engine_pending.work.fetch_or(work, std::memory_order_acq_rel);
  area_->engine_events.notify();
}

bool EnginePeer::take_command(Command& op, u32& vcpu, u32& bytes) {
  CommandMailbox& box = area_->command;
  const u32 posted = box.posted.load(std::memory_order_acquire);
  if (posted == command_taken_) return false;
  command_taken_ = posted;
  op = static_cast<Command>(box.op);
  vcpu = box.vcpu;
  bytes = box.bytes;
  return true;
}

void EnginePeer::answer_command(CommandStatus status, u32 bytes) {
  CommandMailbox& box = area_->command;
  box.status = static_cast<u32>(status);
  box.reply_bytes = bytes;
  box.answered.store(command_taken_, std::memory_order_release);
  area_->host_pending.command.fetch_or(1, std::memory_order_acq_rel);
  area_->host_events.notify();
}

}  // namespace rz::peer
