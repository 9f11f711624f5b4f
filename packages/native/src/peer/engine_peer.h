// The engine's end of one machine's shared memory: maps the two inherited memfds, checks the header, posts exits and
// sleeps for their answers, rings doorbells, tells the host about output. Used by an engine program; knows nothing of
// Node. Exits are posted by the vCPU's own thread; the rest says who calls it.
#pragma once

#include <atomic>

#include "../shared/flight.h"
#include "../shared/layout.h"

namespace rz::peer {

class EnginePeer {
 public:
  /// Map and check. False with a reason in `error` when the header is not what this build expects.
  bool open(int ram_fd, int control_fd, const char** error);
  /// An engine in the host's own process: use the host's mappings. The header was made by this build.
  void attach(void* control, void* ram);
  /// The engine is being ended: whoever waits in exit(), or comes to, goes on at once with all ones. Any thread.
  void abandon();
  /// Move the first page of a vCPU object (page-aligned) into the control area, contents and address kept. Before its
  /// thread starts. False when the host refuses.
  bool share_page(u32 vcpu, void* page, int control_fd);
  /// Tell the host where things lie in those pages; see VcpuPageMap.
  void publish_page_map(u32 attention, u32 host_bits, u32 registers);

  shared::ControlArea& area() { return *area_; }
  const shared::Header& header() const { return header_; }  // a private, checked copy
  u8* ram() { return ram_; }
  std::atomic<u64>* code_bitmap() { return code_bitmap_; }

  /// Post an exit and sleep until the host answered. vCPU's own thread.
  u64 exit(u32 vcpu, shared::ExitKind kind, u64 address, u32 size, u64 value);

  /// If a doorbell matches this write, ring it and return true: the write is done. Any vCPU thread.
  bool ring_doorbell(u32 vcpu, bool mmio, u64 address, u32 size, u64 value);

  /// Ring the doorbell of a slot. Any thread.
  void ring_slot(u32 slot);

  /// Guest output is in ring `index`. Any thread.
  void notify_uart(u32 index);

  /// Take what is to be done of these kinds (EngineWork bits); 0 when nothing. Any thread.
  u32 take_work(u32 kinds) { return area_->engine_pending.work.fetch_and(~kinds, std::memory_order_acq_rel) & kinds; }
  /// Control thread: sleep until there may be work, at most `timeout_ns`.
  void wait_for_work(u64 timeout_ns);
  /// Let the control thread look. Any thread of the engine.
  void wake_control(u32 work);

  /// Control thread: the command at hand, copied; false when it was answered already.
  bool take_command(shared::Command& op, u32& vcpu, u32& bytes);
  void answer_command(shared::CommandStatus status, u32 bytes);

  void record(shared::FlightKind kind, u32 vcpu, u64 a, u64 b) { shared::record(area_->flight, kind, vcpu, a, b); }
  void notify_host() { area_->host_events.notify(); }

 private:
  bool check(u64 control_bytes, u64 ram_bytes, const char** error);
  shared::Header header_;
  shared::ControlArea* area_ = nullptr;
  u8* ram_ = nullptr;
  std::atomic<u64>* code_bitmap_ = nullptr;
  std::atomic<bool> abandoned_{false};
  u32 command_taken_ = 0;
};

}  // namespace rz::peer
