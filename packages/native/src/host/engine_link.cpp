// Implementation of the host's end: building the control area, reading mailboxes with suspicion, posting work.
#include "engine_link.h"

#include <errno.h>
#include <string.h>

#include <algorithm>

namespace rz::host {

using namespace shared;

namespace {

void copy_text(char* into, size_t bytes, const std::string& from) {
  const size_t n = std::min(from.size(), bytes - 1);
  memcpy(into, from.data(), n);
  into[n] = 0;
}

/// One load of a field that the other process may change meanwhile: the copy is what gets checked and used.
template <typename T>
T read_once(const T& field) {
  return *const_cast<const volatile T*>(&field);
}

#if defined(__x86_64__)
inline void cpu_relax() { __builtin_ia32_pause(); }
#else
inline void cpu_relax() {}
#endif

}  // namespace

bool Work::any() const {
  u64 all = exits | uarts | command;
  for (u64 word : doorbells) all |= word;
  return all != 0;
}

Outcome EngineLink::create(const LinkConfig& config, std::unique_ptr<EngineLink>& out) {
  if (config.vcpus < 1 || config.vcpus > kMaxVcpus || config.ranges.size() > kMaxRanges ||
      config.uarts.size() > kMaxUarts || config.options.size() >= kOptionBytes) {
    return Outcome::failed("configuration", EINVAL);
  }
  auto link = std::unique_ptr<EngineLink>(new EngineLink);
  link->config_ = config;
  u64 ram_bytes = 0, given_bytes = 0;
  for (Range& range : link->config_.ranges) {
    if (range.bytes == 0 || (range.bytes | range.base) % 4096 != 0 || range.bytes > kMaxRamBytes) {
      return Outcome::failed("configuration", EINVAL);
    }
    if (range.base > kMaxTop || range.bytes > kMaxTop - range.base) return Outcome::failed("configuration", EINVAL);
    range.ram_offset = ram_bytes + (range.base - ram_bytes) % kHugePageBytes;
    link->top_ = std::max(link->top_, range.base + range.bytes);
    ram_bytes = range.ram_offset + range.bytes;
    given_bytes += range.bytes;
  }
  if (given_bytes == 0 || given_bytes > kMaxRamBytes) return Outcome::failed("configuration", EINVAL);
  Outcome made = config.ram_fd >= 0 ? SharedRegion::adopt(config.ram_fd, ram_bytes, link->ram_)
                                    : SharedRegion::create("ringzero-ram", ram_bytes, link->ram_);
  if (!made.ok()) return made;
  made = SharedRegion::create("ringzero-control", control_bytes(link->top_), link->control_);
  if (!made.ok()) return made;

  Header& header = link->area().header;  // the memfd is zero: everything not set here starts at 0
  header.version = kVersion;
  header.total_bytes = control_bytes(link->top_);
  header.ram_bytes = ram_bytes;
  header.top = link->top_;
  header.vcpus = config.vcpus;
  header.ranges = static_cast<u32>(link->config_.ranges.size());
  header.uarts = static_cast<u32>(config.uarts.size());
  header.spin_ns = config.spin_ns;
  std::copy(link->config_.ranges.begin(), link->config_.ranges.end(), header.range);
  std::copy(config.uarts.begin(), config.uarts.end(), header.uart);
  copy_text(header.name, sizeof header.name, config.name);
  copy_text(header.cpu_profile, sizeof header.cpu_profile, config.cpu_profile);
  copy_text(header.options, sizeof header.options, config.options);
  header.magic = kMagic;
  out = std::move(link);
  return {};
}

bool EngineLink::has_work() const {
  const HostPending& pending = area().host_pending;
  u64 all = pending.exits.load(std::memory_order_acquire) | pending.uarts.load(std::memory_order_acquire) |
            pending.command.load(std::memory_order_acquire);
  for (const auto& word : pending.doorbells) all |= word.load(std::memory_order_acquire);
  if (all != 0) return true;
  return has_backlog_.load(std::memory_order_relaxed) && area().irq.empty();
}

Work EngineLink::take_work() {
  if (has_backlog_.load(std::memory_order_relaxed)) flush_irq_backlog();
  HostPending& pending = area().host_pending;
  Work work;
  work.exits = pending.exits.exchange(0, std::memory_order_acq_rel);
  if (config_.vcpus < 64) work.exits &= (1ull << config_.vcpus) - 1;
  work.uarts = pending.uarts.exchange(0, std::memory_order_acq_rel) & ((1u << config_.uarts.size()) - 1);
  work.command = pending.command.exchange(0, std::memory_order_acq_rel);
  for (size_t i = 0; i < std::size(work.doorbells); ++i) {
    if (pending.doorbells[i].load(std::memory_order_relaxed) != 0) {
      work.doorbells[i] = pending.doorbells[i].exchange(0, std::memory_order_acq_rel);
    }
  }
  return work;
}

void EngineLink::wait_for_work(u64 timeout_ns, u64 spin_ns) {
  EventCount& events = area().host_events;
  const u32 observed = events.observe();
  if (has_work()) return;
  if (spin_ns != 0) {
    const u64 until = monotonic_ns() + spin_ns;
    do {
      for (int i = 0; i < 32; ++i) {
        if (events.observe() != observed) return;
        cpu_relax();
      }
    } while (monotonic_ns() < until);
    if (spin_ns >= timeout_ns) return;
  }
  events.wait(observed, timeout_ns - spin_ns);
}

bool EngineLink::read_exit(u32 vcpu, Exit& exit) {
  ExitMailbox& box = area().exits[vcpu];
  exit.vcpu = vcpu;
  exit.sequence = box.posted.load(std::memory_order_acquire);
  exit.kind = static_cast<ExitKind>(read_once(box.kind));
  exit.size = read_once(box.size);
  exit.cpu = read_once(box.cpu);
  exit.address = read_once(box.address);
  exit.value = read_once(box.value);
  if (exit.sequence == box.answered.load(std::memory_order_relaxed)) return false;  // rung without a new exit
  bool good = false;
  switch (exit.kind) {
    case ExitKind::kPortIn:
    case ExitKind::kPortOut:
      good = exit.address < 0x10000 && (exit.size == 1 || exit.size == 2 || exit.size == 4);
      break;
    case ExitKind::kMmioRead:
    case ExitKind::kMmioWrite:
      good = exit.address >> 52 == 0 && (exit.size == 1 || exit.size == 2 || exit.size == 4 || exit.size == 8);
      break;
    case ExitKind::kTripleFault:
    case ExitKind::kInit:
    case ExitKind::kDebug: good = true; break;
    case ExitKind::kNone: break;
  }
  if (!good) {
    answer_exit(exit, ~0ull);
    return false;
  }
  if (exit.size < 8) exit.value &= (1ull << (8 * exit.size)) - 1;
  return true;
}

void EngineLink::answer_exit(const Exit& exit, u64 reply) {
  ExitMailbox& box = area().exits[exit.vcpu];
  box.reply = reply;
  box.answered.store(exit.sequence, std::memory_order_seq_cst);
  if (box.sleeping.load(std::memory_order_seq_cst) != 0) futex_wake(box.answered, 1);
}

bool EngineLink::post_command(Command op, u32 vcpu, const u8* data, size_t bytes) {
  if (bytes > kTransferBytes) return false;
  CommandMailbox& box = area().command;
  if (bytes != 0) memcpy(area().transfer, data, bytes);
  box.op = static_cast<u32>(op);
  box.vcpu = vcpu;
  box.bytes = static_cast<u32>(bytes);
  box.posted.store(++command_sequence_, std::memory_order_release);
  wake_engine(kWorkCommand);
  return true;
}

bool EngineLink::take_reply(CommandReply& reply) {
  CommandMailbox& box = area().command;
  if (box.answered.load(std::memory_order_acquire) != command_sequence_) return false;
  const u32 status = read_once(box.status);
  const u32 bytes = std::min(read_once(box.reply_bytes), kTransferBytes);
  reply.status =
      status <= static_cast<u32>(CommandStatus::kFailed) ? static_cast<CommandStatus>(status) : CommandStatus::kFailed;
  reply.bytes.assign(area().transfer, area().transfer + bytes);
  return true;
}

void EngineLink::wake_engine(u32 work) {
  area().engine_pending.work.fetch_or(work, std::memory_order_acq_rel);
  if (serve_here_ && (work & kWorkCommand) == 0) {
    serve_here_();
    return;
  }
  // Straight to the vCPU where possible: no thread between that would first have to get a processor.
  if ((work & kWorkCommand) != 0 || !wake_vcpu()) area().engine_events.notify();
}

/// Make the first vCPU look up from what it runs, or wake it from HLT. False when the engine gave no word for that.
bool EngineLink::wake_vcpu() {
  const u32 offset = area().vcpu_map.attention.load(std::memory_order_acquire);
  if (offset == 0 || offset % 4 != 0 || offset > 4096 - 4) return false;
  const u32 bits = area().vcpu_map.host_bits.load(std::memory_order_relaxed);
  auto& word = *reinterpret_cast<std::atomic<u32>*>(area().vcpu_page[0] + offset);
  if ((word.fetch_or(bits, std::memory_order_seq_cst) & bits) != bits) futex_wake(word, 1);
  return true;
}

void EngineLink::post_irq(const IrqEntry& entry) {
  constexpr size_t kMaxBacklog =
      65536;  // an engine that does not drain this many is stuck; the oldest are worthless by then
  if (!irq_backlog_.empty()) flush_irq_backlog();
  if (!irq_backlog_.empty() || !area().irq.push(entry)) {
    if (irq_backlog_.size() >= kMaxBacklog) irq_backlog_.pop_front();
    irq_backlog_.push_back(entry);
    has_backlog_.store(true, std::memory_order_relaxed);
    area().irq.overflow.store(1, std::memory_order_seq_cst);
  }
  wake_engine(kWorkIrq);
}

void EngineLink::flush_irq_backlog() {
  bool moved = false;
  while (!irq_backlog_.empty() && area().irq.push(irq_backlog_.front())) {
    irq_backlog_.pop_front();
    moved = true;
  }
  has_backlog_.store(!irq_backlog_.empty(), std::memory_order_relaxed);
  if (!irq_backlog_.empty()) area().irq.overflow.store(1, std::memory_order_seq_cst);
  if (moved) wake_engine(kWorkIrq);
}

void EngineLink::touched(u64 gpa, u64 bytes) {
  if (bytes == 0 || gpa >= top_) return;
  const u64 end_gpa = bytes > top_ - gpa ? top_ : gpa + bytes;
  std::atomic_thread_fence(
      std::memory_order_seq_cst);  // our bytes before our look; the engine sets the bit before its look
  const auto* bitmap = reinterpret_cast<const std::atomic<u64>*>(control_->data() + kCodeBitmapOffset);
  const u64 last = (end_gpa - 1) >> kPageShift;
  bool posted = false;
  for (u64 page = gpa >> kPageShift; page <= last;) {
    const u64 word = bitmap[page / 64].load(std::memory_order_relaxed) >> (page % 64);
    if (word == 0) {
      page = (page / 64 + 1) * 64;
      continue;
    }
    page += static_cast<u64>(__builtin_ctzll(word));
    if (page > last) break;
    u64 end = page + 1;  // a run of pages with code
    while (end <= last && (bitmap[end / 64].load(std::memory_order_relaxed) >> (end % 64) & 1) != 0) ++end;
    const u64 from = std::max(page << kPageShift, gpa);
    const u64 to = std::min(end << kPageShift, end_gpa);
    if (!area().invalidation.push({from, to - from})) area().invalidation.overflow.store(1, std::memory_order_seq_cst);
    posted = true;
    page = end;
  }
  if (posted) wake_engine(kWorkInvalidate);
}

void EngineLink::set_doorbell(u32 slot, u64 key, u64 value) {
  DoorbellTable& table = area().doorbells;
  table.entry[slot].key.store(0, std::memory_order_release);
  table.entry[slot].value.store(value, std::memory_order_release);
  table.entry[slot].key.store(key, std::memory_order_release);
  if (key != 0 && table.limit.load(std::memory_order_relaxed) <= slot) {
    table.limit.store(slot + 1, std::memory_order_release);
  }
  if (doorbells_here_) doorbells_here_(slot, key, value);
}

}  // namespace rz::host
