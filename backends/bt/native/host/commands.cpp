// The control thread's half of Engine: the host's commands.
#include <string.h>

#include <string>

#include "assemble.h"
#include "cpu/debug.h"
#include "debug/listing.h"
#include "engine.h"
#include "irq/wait.h"
#include "mmu/mmu.h"
#include "registers_codec.h"
#include "shared/debug_image.h"
#include "state_codec.h"

namespace rz {

using namespace shared;

void Engine::serve_command() {
  Command op;
  u32 vcpu, bytes;
  if (!peer_.take_command(op, vcpu, bytes)) return;
  peer_.record(FlightKind::kCommand, vcpu, static_cast<u64>(op), bytes);
  if (op == Command::kPause) {  // answered when the last vCPU has stopped; interrupts go on being served meanwhile
    begin_pause();
    return;
  }
  if ((op == Command::kTrackDirty || op == Command::kTakeDirty) && quiesce(op, bytes)) return;
  u32 reply_bytes = 0;
  const CommandStatus status = execute(op, vcpu, bytes, reply_bytes);
  peer_.answer_command(status, reply_bytes);
}

CommandStatus Engine::execute(Command op, u32 vcpu, u32 bytes, u32& reply_bytes) {
  if (bytes > kTransferBytes || vcpu >= threads_.size()) return CommandStatus::kBadArgument;
  if (op == Command::kRun) {
    start_running();
    return CommandStatus::kOk;
  }
  if (op == Command::kCounters) {
    reply_bytes = counters(peer_.area().transfer);
    return CommandStatus::kOk;
  }
  if (op == Command::kTestCrash) {
    if (!test_commands_) return CommandStatus::kUnsupported;
    volatile u64 nowhere = 16;
    *reinterpret_cast<volatile int*>(nowhere) = 1;  // what the test is for: a real SIGSEGV outside translated code
    return CommandStatus::kFailed;
  }
  if (!parked()) return CommandStatus::kBusy;
  devices_->serve_host(peer_.take_work(kWorkIrq | kWorkUart));  // posted before this command, so it comes before
  u8* transfer = peer_.area().transfer;
  switch (op) {
    case Command::kReset: return reset();
    case Command::kGetRegisters:
      reply_bytes = encode_registers(*threads_[vcpu]->vcpu, transfer);
      return CommandStatus::kOk;
    case Command::kSetRegisters:
      return decode_registers(*threads_[vcpu]->vcpu, transfer, bytes) ? CommandStatus::kOk
                                                                      : CommandStatus::kBadArgument;
    case Command::kSaveState: return save_state(reply_bytes);
    case Command::kLoadState: return load_state(bytes, reply_bytes);
    case Command::kTrackDirty: return track_dirty(bytes);
    case Command::kTakeDirty: return take_dirty(bytes == 1 ? transfer[0] : 0, reply_bytes);
    case Command::kDebug: return debug(*threads_[vcpu]->vcpu, bytes);
    case Command::kListing: return listing(bytes, reply_bytes);
    default: return CommandStatus::kUnsupported;
  }
}

/// Have all vCPUs stop for a command that may come while they run. False: none does.
bool Engine::quiesce(Command op, u32 bytes) {
  if (!stop_running()) return false;
  quiesced_ = {op, bytes};
  return true;
}

void Engine::finish_quiesced() {
  if (!parked()) return;
  const auto [op, bytes] = quiesced_;
  quiesced_ = {};
  u32 reply_bytes = 0;
  const CommandStatus status = execute(op, 0, bytes, reply_bytes);
  start_running();
  peer_.answer_command(status, reply_bytes);
}

void Engine::start_running() {
  devices_->serve_host(kWorkUart);  // a loaded state may hold bytes that wait for room in rings that are empty now
  std::lock_guard lock(lock_);
  run_wanted_ = true;
  changed_.notify_all();
}

/// Ask all vCPUs to stop. @returns whether they were to run until now
bool Engine::stop_running() {
  std::lock_guard lock(lock_);
  const bool ran = run_wanted_;
  run_wanted_ = false;
  for (auto& thread : threads_) notify(*thread->vcpu, kAttnStop);
  return ran;
}

void Engine::begin_pause() {
  (void)stop_running();
  pause_pending_ = true;
}

bool Engine::parked() {
  std::lock_guard lock(lock_);
  if (run_wanted_) return false;
  for (auto& thread : threads_) {
    if (thread->running) return false;
  }
  return true;
}

void Engine::finish_pause() {
  if (!parked()) return;
  pause_pending_ = false;
  peer_.answer_command(CommandStatus::kOk, 0);
}

CommandStatus Engine::reset() {
  {
    std::lock_guard lock(lock_);
    for (auto& thread : threads_) thread->shut_down = false;
  }
  power_on(machine_);
  devices_->reset();
  return CommandStatus::kOk;
}

CommandStatus Engine::track_dirty(u32 bytes) {
  if (bytes != 1) return CommandStatus::kBadArgument;
  const bool on = peer_.area().transfer[0] != 0;
  dirty_ = on ? std::make_unique<DirtyLog>(memory_) : nullptr;
  machine_.dirty = dirty_.get();
  written_.clear();
  restart_dirty_log();
  return CommandStatus::kOk;
}

/// What was noted is forgotten, and every page's next write comes by the log.
void Engine::restart_dirty_log() {
  if (!dirty_) return;
  dirty_->clear();
  for (Vcpu* vcpu : machine_.vcpus) tlb_drop_writes(*vcpu);
}

/// @param part  0: what was written since the last answer; else what that had no room for
CommandStatus Engine::take_dirty(u32 part, u32& reply_bytes) {
  static constexpr char kWhy[] = "no pages are tracked; call trackDirty(true) first";
  u8* transfer = peer_.area().transfer;
  if (!dirty_) {
    memcpy(transfer, kWhy, reply_bytes = sizeof kWhy - 1);
    return CommandStatus::kBadArgument;
  }
  if (part == 0) {
    dirty_->for_each_slot([&](u64 base, const u64* words, u64 count) { written_.note(base, words, count); });
    restart_dirty_log();
  }
  reply_bytes = written_.tell(transfer, kTransferBytes);
  return CommandStatus::kOk;
}

CommandStatus Engine::debug(Vcpu& vcpu, u32 bytes) {
  DebugImage image;
  if (bytes != sizeof image) return CommandStatus::kBadArgument;
  memcpy(&image, peer_.area().transfer, sizeof image);
  if (image.breakpoints > kMaxBreakpoints) return CommandStatus::kBadArgument;
  host_debug_set(vcpu, image.single_step != 0, image.at, image.breakpoints);
  return CommandStatus::kOk;
}

CommandStatus Engine::save_state(u32& reply_bytes) {
  const std::vector<u8> state = save_machine(machine_, *devices_);
  if (state.size() > kTransferBytes) return CommandStatus::kTooLarge;
  memcpy(peer_.area().transfer, state.data(), state.size());
  reply_bytes = static_cast<u32>(state.size());
  return CommandStatus::kOk;
}

CommandStatus Engine::load_state(u32 bytes, u32& reply_bytes) {
  const char* why = load_machine(machine_, *devices_, peer_.area().transfer, bytes);
  if (why == nullptr) {
    std::lock_guard lock(lock_);
    for (auto& thread : threads_) thread->shut_down = thread->vcpu->shutdown;
    return CommandStatus::kOk;
  }
  reply_bytes = static_cast<u32>(strlen(why));  // the reason, for the caller's error
  memcpy(peer_.area().transfer, why, reply_bytes);
  return CommandStatus::kBadArgument;
}

/// "name value" lines; returns their length.
u32 Engine::counters(u8* into) const {
  std::string text;
  for (unsigned i = 0; i < kCounters; i++)
    text += std::string(kCounterNames[i]) + " " + std::to_string(counter_sum(machine_, static_cast<Counter>(i))) + "\n";
  memcpy(into, text.data(), text.size());
  return static_cast<u32>(text.size());
}

CommandStatus Engine::listing(u32 bytes, u32& reply_bytes) {
  constexpr unsigned kMostBlocks = 8;
  u64 address;
  if (bytes != sizeof address) return CommandStatus::kBadArgument;
  memcpy(&address, peer_.area().transfer, sizeof address);
  const std::string text = list_blocks_at(machine_, address, kMostBlocks).substr(0, kTransferBytes);
  memcpy(peer_.area().transfer, text.data(), text.size());
  reply_bytes = static_cast<u32>(text.size());
  return CommandStatus::kOk;
}

}  // namespace rz
