// The control thread's half of Engine: the host's commands.
#include <errno.h>
#include <string.h>

#include <algorithm>

#include "engine.h"
#include "registers.h"
#include "shared/debug_image.h"
#include "state.h"

namespace rz::kvm {

using namespace shared;

void Engine::serve_command() {
  Command op;
  u32 vcpu, bytes;
  if (!peer_.take_command(op, vcpu, bytes)) return;
  peer_.record(FlightKind::kCommand, vcpu, static_cast<u64>(op), bytes);
  if (op == Command::kPause) {  // answered when the last vCPU has stopped
    begin_pause();
    return;
  }
  u32 reply_bytes = 0;
  const CommandStatus status = execute(op, vcpu, bytes, reply_bytes);
  peer_.answer_command(status, reply_bytes);
}

CommandStatus Engine::refuse(const std::string& why, CommandStatus status, u32& reply_bytes) {
  reply_bytes = static_cast<u32>(std::min<size_t>(why.size(), kTransferBytes));
  memcpy(peer_.area().transfer, why.data(), reply_bytes);
  return status;
}

CommandStatus Engine::execute(Command op, u32 vcpu, u32 bytes, u32& reply_bytes) {
  if (bytes > kTransferBytes || vcpu >= threads_.size()) return CommandStatus::kBadArgument;
  u8* const transfer = peer_.area().transfer;
  Vcpu& target = *threads_[vcpu]->vcpu;
  Outcome done;
  switch (op) {
    case Command::kRun: start_running(); return CommandStatus::kOk;
    case Command::kCounters: {
      u64 exits = 0;
      for (const auto& thread : threads_) exits += thread->vcpu->exits();
      const std::string text = "exits " + std::to_string(exits) + "\nkernel_doorbell_writes " +
                               std::to_string(doorbells_ ? doorbells_->writes() : 0) + "\nhuge_pages " +
                               std::to_string(huge_pages_ ? huge_pages_->made() : 0) + "\n";
      memcpy(transfer, text.data(), text.size());
      reply_bytes = static_cast<u32>(text.size());
      return CommandStatus::kOk;
    }
    case Command::kTrackDirty:
      dirty_.clear();
      done = machine_->track_dirty(vcpu == 0 && bytes == 1 && transfer[0] != 0);
      break;
    case Command::kTakeDirty: {
      if (!machine_->tracking())
        return refuse("no pages are tracked; call trackDirty(true) first", CommandStatus::kBadArgument, reply_bytes);
      if (bytes == 0 || transfer[0] == 0) done = note_dirty();
      if (done.ok()) reply_bytes = dirty_.tell(transfer, kTransferBytes);
      break;
    }
    default:
      if (!parked()) return CommandStatus::kBusy;
      switch (op) {
        case Command::kReset: done = reset(); break;
        case Command::kGetRegisters: {
          RegistersImage image;
          done = get_registers(target.fd(), image);
          memcpy(transfer, &image, sizeof image);
          reply_bytes = sizeof image;
          break;
        }
        case Command::kSetRegisters: {
          if (bytes != sizeof(RegistersImage)) return CommandStatus::kBadArgument;
          RegistersImage image;
          memcpy(&image, transfer, sizeof image);
          done = set_registers(target.fd(), image);
          if (!done.ok() && done.host_errno == EINVAL) return CommandStatus::kBadArgument;
          break;
        }
        case Command::kDebug:
          if (bytes != sizeof(DebugImage)) return CommandStatus::kBadArgument;
          done = debug(target, transfer);
          break;
        case Command::kSaveState: {
          std::vector<u8> state;
          done = save_machine(*machine_, *devices_, shut_downs(), state);
          if (state.size() > kTransferBytes) return CommandStatus::kTooLarge;
          if (done.ok()) memcpy(transfer, state.data(), reply_bytes = static_cast<u32>(state.size()));
          break;
        }
        case Command::kLoadState: {
          const std::vector<u8> state(transfer, transfer + bytes);
          std::vector<bool> shut_down = shut_downs();
          const std::string why = load_machine(*machine_, *devices_, state.data(), state.size(), shut_down);
          if (!why.empty()) return refuse(why, CommandStatus::kBadArgument, reply_bytes);
          std::lock_guard lock(lock_);
          for (size_t i = 0; i < threads_.size(); ++i) threads_[i]->shut_down = shut_down[i];
          return CommandStatus::kOk;
        }
        default: return CommandStatus::kUnsupported;
      }
  }
  if (done.ok()) return CommandStatus::kOk;
  return refuse(describe(done), CommandStatus::kFailed, reply_bytes);
}

void Engine::start_running() {
  devices_->serve_host();
  std::lock_guard lock(lock_);
  run_wanted_ = true;
  changed_.notify_all();
}

void Engine::begin_pause() {
  {
    std::lock_guard lock(lock_);
    run_wanted_ = false;
    for (auto& thread : threads_) {
      if (thread->running) thread->vcpu->kick();
    }
  }
  pause_pending_ = true;
}

bool Engine::parked() {
  std::lock_guard lock(lock_);
  if (run_wanted_) return false;
  return std::none_of(threads_.begin(), threads_.end(), [](const auto& thread) { return thread->running; });
}

void Engine::finish_pause() {
  if (!parked()) return;
  pause_pending_ = false;
  if (doorbells_) doorbells_->drain();  // a machine that is paused, perhaps to move, has rung for all its writes
  peer_.answer_command(CommandStatus::kOk, 0);
}

std::vector<bool> Engine::shut_downs() {
  std::lock_guard lock(lock_);
  std::vector<bool> flags;
  for (const auto& thread : threads_) flags.push_back(thread->shut_down);
  return flags;
}

Outcome Engine::reset() {
  devices_->reset();
  if (Outcome done = machine_->reset(); !done.ok()) return done;
  std::lock_guard lock(lock_);
  for (auto& thread : threads_) thread->shut_down = false;
  return {};
}

Outcome Engine::debug(Vcpu& vcpu, const u8* from) {
  DebugImage image;
  memcpy(&image, from, sizeof image);
  kvm_guest_debug debug = {};
  const u32 count = std::min(image.breakpoints, kMaxBreakpoints);
  if (image.single_step != 0 || count != 0) debug.control = KVM_GUESTDBG_ENABLE;
  if (image.single_step != 0) debug.control |= KVM_GUESTDBG_SINGLESTEP;
  if (count != 0) debug.control |= KVM_GUESTDBG_USE_HW_BP;
  for (u32 i = 0; i < count; ++i) {
    debug.arch.debugreg[i] = image.at[i];
    debug.arch.debugreg[7] |= 2ull << (2 * i);  // global enable; length and kind 0: execution
  }
  return vcpu.set_debug(debug);
}

/// KVM forgets a page when it has told of it: all that it tells is kept in dirty_, whatever becomes of the answer.
Outcome Engine::note_dirty() {
  const Header& header = peer_.header();
  std::vector<u64> bitmap;
  for (u32 i = 0; i < header.ranges; ++i) {
    if (Outcome got = machine_->take_dirty(i, bitmap); !got.ok()) return got;
    dirty_.note(header.range[i].base, bitmap.data(), bitmap.size());
  }
  return {};
}

}  // namespace rz::kvm
