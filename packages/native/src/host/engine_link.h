// The host's end of one machine's shared memory: everything that a backend's addon may ask of it, with every value that
// the engine wrote checked. Knows nothing of Node. One thread (the one that hosts the devices) calls it, except where a
// function says "any thread".
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "../shared/layout.h"
#include "flight_text.h"
#include "outcome.h"
#include "shared_region.h"

namespace rz::host {

struct LinkConfig {
  std::string name;                       // at most 63 bytes are kept
  std::string cpu_profile;                // likewise
  std::string options;                    // "name=value\n" lines, less than kOptionBytes
  u32 vcpus = 1;                          // 1..kMaxVcpus
  std::vector<shared::Range> ranges;      // sorted, page-aligned; ram_offset is filled in by create
  std::vector<shared::UartConfig> uarts;  // at most kMaxUarts
  int ram_fd = -1;                        // guest RAM that exists already (SharedRegion::adopt); -1: make it
  u32 spin_ns = 0;                        // how long vCPUs spin for a reply
};

/// A private copy of one exit, checked.
struct Exit {
  u32 vcpu;
  shared::ExitKind kind;
  u32 size;     // 1, 2, 4 or 8
  u32 cpu;      // host processor hint, not checked
  u64 address;  // below 2^16 for ports, below 2^52 for MMIO
  u64 value;
  u32 sequence;
};

/// What was pending when the host looked.
struct Work {
  u64 exits = 0;
  u32 uarts = 0;
  u32 command = 0;  // bit 0: a command was answered; bit 1: the engine is ready
  u64 doorbells[shared::kMaxDoorbells / 64] = {};
  bool any() const;
};

struct CommandReply {
  shared::CommandStatus status;
  std::vector<u8> bytes;
};

class EngineLink {
 public:
  /// @param config  already checked by the caller; limits are asserted again here and reported as EINVAL
  static Outcome create(const LinkConfig& config, std::unique_ptr<EngineLink>& out);

  SharedRegion& control_region() { return *control_; }
  const std::shared_ptr<SharedRegion>& ram() const { return ram_; }
  const LinkConfig& config() const { return config_; }

  // ---- waiting -------------------------------------------------------------------------------------
  /// Any thread: something is pending for the host.
  bool has_work() const;
  /// Take all that is pending.
  Work take_work();
  /// Any thread: sleep until something may be pending or `timeout_ns` passed; spins for `spin_ns` first.
  void wait_for_work(u64 timeout_ns, u64 spin_ns);
  /// Any thread: as wait_for_work without spinning, but looks at `give_up` after it began to listen, so that whoever
  /// makes it true and then calls wake_host is never missed.
  template <typename Predicate>
  void wait_for_work_unless(u64 timeout_ns, Predicate give_up) {
    const u32 observed = area().host_events.observe();
    if (give_up() || has_work()) return;
    area().host_events.wait(observed, timeout_ns);
  }
  /// Any thread: make a sleeper look.
  void wake_host() { area().host_events.notify_surely(); }
  /// An engine in this process: called on the caller's thread, instead of waking one, when there is work for it other
  /// than a command. Before anything is posted.
  void serve_here(std::function<void()> serve) { serve_here_ = std::move(serve); }
  /// An engine in this process: called on the host's thread after a slot of the doorbell table changed. Before that.
  void doorbells_here(std::function<void(u32 slot, u64 key, u64 value)> changed) {
    doorbells_here_ = std::move(changed);
  }
  bool engine_ready() const { return area().engine_ready.load(std::memory_order_acquire) != 0; }

  // ---- exits ---------------------------------------------------------------------------------------
  /// False when the mailbox holds nothing sensible (the vCPU is then answered with all ones).
  bool read_exit(u32 vcpu, Exit& exit);
  void answer_exit(const Exit& exit, u64 reply);
  /// The calling thread serves exits now (on processor `cpu`), or no longer (~0). Lets vCPUs choose to spin.
  void attend_on(u32 cpu) { area().host_pending.attending_cpu.store(cpu + 1, std::memory_order_relaxed); }

  // ---- commands ------------------------------------------------------------------------------------
  /// @param bytes at most kTransferBytes. No other command may be outstanding.
  bool post_command(shared::Command op, u32 vcpu, const u8* data, size_t bytes);
  bool take_reply(CommandReply& reply);

  // ---- asynchronous, host to engine ----------------------------------------------------------------
  void set_line(u32 gsi, bool asserted) { post_irq({0, static_cast<u64>(gsi) << 1 | (asserted ? 1u : 0u)}); }
  void msi(u64 address, u32 data) { post_irq({address, data}); }
  /// Say that guest-physical bytes were changed; posts an invalidation for pages that code was made of. Bytes outside
  /// RAM and ROM are ignored.
  void touched(u64 gpa, u64 bytes);

  /// @param slot 0..kMaxDoorbells-1
  void set_doorbell(u32 slot, u64 key, u64 value);
  void clear_doorbell(u32 slot) { set_doorbell(slot, 0, 0); }

  size_t uart_read(u32 index, u8* into, size_t bytes);
  size_t uart_write(u32 index, const u8* from, size_t bytes);
  /// Input that the guest's UART has not taken, taken back. Only while no vCPU runs.
  std::vector<u8> uart_reclaim(u32 index);

  std::string flight_text() const { return describe_flight(area(), config_.vcpus); }

 private:
  EngineLink() = default;
  shared::ControlArea& area() const { return *reinterpret_cast<shared::ControlArea*>(control_->data()); }
  void post_irq(const shared::IrqEntry& entry);
  void flush_irq_backlog();
  void wake_engine(u32 work);
  bool wake_vcpu();

  LinkConfig config_;
  std::shared_ptr<SharedRegion> control_;
  std::shared_ptr<SharedRegion> ram_;
  u64 top_ = 0;  // end of the highest range
  std::function<void()> serve_here_;
  std::function<void(u32 slot, u64 key, u64 value)> doorbells_here_;
  u32 command_sequence_ = 0;
  std::deque<shared::IrqEntry> irq_backlog_;  // what did not fit into the ring, in order
  std::atomic<bool> has_backlog_{false};
};

}  // namespace rz::host
