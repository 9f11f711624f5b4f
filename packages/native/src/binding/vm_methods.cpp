// The plain methods of a machine's JavaScript object: thin, each one call of the link. After close() they do nothing.
#include <algorithm>

#include "arguments.h"
#include "vm_object.h"

namespace rz::binding {

using namespace shared;

Napi::Function VmObject::define(Napi::Env env) {
  return DefineClass(env, "NativeVm",
                     {
                         InstanceAccessor<&VmObject::get_record>("record"),
                         InstanceAccessor<&VmObject::get_pid>("pid"),
                         InstanceMethod<&VmObject::ram>("ram"),
                         InstanceMethod<&VmObject::touched>("touched"),
                         InstanceMethod<&VmObject::set_line>("setLine"),
                         InstanceMethod<&VmObject::msi>("msi"),
                         InstanceMethod<&VmObject::command>("command"),
                         InstanceMethod<&VmObject::take_reply>("takeReply"),
                         InstanceMethod<&VmObject::set_doorbell>("setDoorbell"),
                         InstanceMethod<&VmObject::clear_doorbell>("clearDoorbell"),
                         InstanceMethod<&VmObject::uart_read>("uartRead"),
                         InstanceMethod<&VmObject::uart_write>("uartWrite"),
                         InstanceMethod<&VmObject::uart_reclaim>("uartReclaim"),
                         InstanceMethod<&VmObject::share_ram>("shareRam"),
                         InstanceMethod<&VmObject::kill>("kill"),
                         InstanceMethod<&VmObject::status>("status"),
                         InstanceMethod<&VmObject::keep_alive>("keepAlive"),
                         InstanceMethod<&VmObject::close>("close"),
                         InstanceMethod<&VmObject::scribble>("scribble"),
                     });
}

namespace {

/// An ArrayBuffer over native memory that keeps `owner` alive until it is collected or detached.
template <typename Owner>
Napi::Value external_buffer(Napi::Env env, void* data, size_t bytes, std::shared_ptr<Owner> owner) {
  auto* hold = new std::shared_ptr<Owner>(std::move(owner));
  napi_value buffer = nullptr;
  const napi_status made = napi_create_external_arraybuffer(
      env, data, bytes, [](napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<Owner>*>(hint); }, hold,
      &buffer);
  if (made == napi_ok) return Napi::Value(env, buffer);
  delete hold;
  Napi::Error::New(env, "this JavaScript runtime refuses views of native memory").ThrowAsJavaScriptException();
  return env.Undefined();
}

}  // namespace

/// Note a buffer, to take it back when the machine is closed.
Napi::Value VmObject::lent(Napi::Value buffer) {
  if (!buffer.IsArrayBuffer()) return buffer;
  if (lent_.size() >=
      lent_limit_) {  // views across two windows are made anew each time: forget those that are collected
    std::erase_if(lent_, [](auto& one) { return one.Value().IsEmpty(); });
    lent_limit_ = std::max<size_t>(64, 2 * lent_.size());
  }
  lent_.push_back(Napi::Weak(buffer.As<Napi::Object>()));
  return buffer;
}

/// Detach every buffer that scripts still hold: its owner is let go, and the mappings with it, without waiting for a
/// collection.
void VmObject::take_back(Napi::Env env) {
  for (Napi::ObjectReference& one : lent_) {
    const Napi::Object buffer = one.Value();
    if (!buffer.IsEmpty()) napi_detach_arraybuffer(env, buffer);
  }
  lent_.clear();
}

Napi::Value VmObject::get_record(const Napi::CallbackInfo& info) {
  if (!core_) return info.Env().Undefined();
  return lent(external_buffer(info.Env(), &core_->record, sizeof core_->record, core_));
}

Napi::Value VmObject::get_pid(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), core_ ? core_->engine().pid() : 0);
}

Napi::Value VmObject::ram(const Napi::CallbackInfo& info) {
  if (!core_) return info.Env().Undefined();
  const u64 offset = static_cast<u64>(number_argument(info, 0));
  const u64 bytes = static_cast<u64>(number_argument(info, 1));
  const auto& ram = core_->link().ram();
  if (bytes == 0 || bytes > 4ull << 30 || offset >= ram->bytes() || bytes > ram->bytes() - offset) {
    Napi::RangeError::New(info.Env(), "outside guest RAM").ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  return lent(external_buffer(info.Env(), ram->data() + offset, bytes, ram));
}

Napi::Value VmObject::touched(const Napi::CallbackInfo& info) {
  if (core_)
    core_->link().touched(static_cast<u64>(number_argument(info, 0)), static_cast<u64>(number_argument(info, 1)));
  return info.Env().Undefined();
}

Napi::Value VmObject::set_line(const Napi::CallbackInfo& info) {
  if (core_) core_->link().set_line(static_cast<u32>(number_argument(info, 0)), number_argument(info, 1) != 0);
  return info.Env().Undefined();
}

Napi::Value VmObject::msi(const Napi::CallbackInfo& info) {
  const u64 address = static_cast<u64>(number_argument(info, 0));
  if (core_ && address != 0) core_->link().msi(address, static_cast<u32>(number_argument(info, 1)));
  return info.Env().Undefined();
}

Napi::Value VmObject::command(const Napi::CallbackInfo& info) {
  if (!core_) return Napi::Boolean::New(info.Env(), false);
  const Bytes data = bytes_argument(info, 2);
  const auto op = static_cast<Command>(static_cast<u32>(number_argument(info, 0)));
  return Napi::Boolean::New(
      info.Env(), core_->link().post_command(op, static_cast<u32>(number_argument(info, 1)), data.data, data.size));
}

/// { status, bytes }, or undefined when nothing was answered.
Napi::Value VmObject::take_reply(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  host::CommandReply reply;
  if (!core_ || !core_->link().take_reply(reply)) return env.Undefined();
  napi_value object, bytes;
  napi_create_object(env, &object);
  napi_create_buffer_copy(env, reply.bytes.size(), reply.bytes.data(), nullptr, &bytes);
  napi_set_named_property(env, object, "status", Napi::Number::New(env, static_cast<u32>(reply.status)));
  napi_set_named_property(env, object, "bytes", bytes);
  return Napi::Value(env, object);
}

/// (slot, mmio, size, address, matchValue, value)
Napi::Value VmObject::set_doorbell(const Napi::CallbackInfo& info) {
  const u32 slot = static_cast<u32>(number_argument(info, 0));
  if (!core_ || slot >= kMaxDoorbells) return info.Env().Undefined();
  const u64 key = doorbell_key(number_argument(info, 1) != 0, static_cast<unsigned>(number_argument(info, 2)),
                               static_cast<u64>(number_argument(info, 3)), number_argument(info, 4) != 0);
  core_->link().set_doorbell(slot, key, static_cast<u64>(number_argument(info, 5)));
  return info.Env().Undefined();
}

Napi::Value VmObject::clear_doorbell(const Napi::CallbackInfo& info) {
  const u32 slot = static_cast<u32>(number_argument(info, 0));
  if (core_ && slot < kMaxDoorbells) core_->link().clear_doorbell(slot);
  return info.Env().Undefined();
}

Napi::Value VmObject::uart_read(const Napi::CallbackInfo& info) {
  const Bytes into = bytes_argument(info, 1);
  if (!core_ || into.data == nullptr) return Napi::Number::New(info.Env(), 0);
  const size_t count = core_->link().uart_read(static_cast<u32>(number_argument(info, 0)), into.data, into.size);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

Napi::Value VmObject::uart_write(const Napi::CallbackInfo& info) {
  const Bytes from = bytes_argument(info, 1);
  if (!core_ || from.data == nullptr) return Napi::Number::New(info.Env(), 0);
  const size_t count = core_->link().uart_write(static_cast<u32>(number_argument(info, 0)), from.data, from.size);
  return Napi::Number::New(info.Env(), static_cast<double>(count));
}

Napi::Value VmObject::uart_reclaim(const Napi::CallbackInfo& info) {
  std::vector<u8> bytes;
  if (core_) bytes = core_->link().uart_reclaim(static_cast<u32>(number_argument(info, 0)));
  return Napi::Buffer<u8>::Copy(info.Env(), bytes.data(), bytes.size());
}

/// The descriptor of guest RAM, open until close().
Napi::Value VmObject::share_ram(const Napi::CallbackInfo& info) {
  if (!core_) return info.Env().Undefined();
  return Napi::Number::New(info.Env(), core_->link().ram()->share());
}

Napi::Value VmObject::kill(const Napi::CallbackInfo& info) {
  if (core_) core_->engine().kill();
  return info.Env().Undefined();
}

/// { reason, signal, exitCode, flightRecorder } of an engine that ended, or undefined while it lives.
Napi::Value VmObject::status(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  host::EngineEnd end;
  if (!core_ || !core_->engine().exited(end)) return env.Undefined();
  napi_value object;
  napi_create_object(env, &object);
  napi_set_named_property(env, object, "reason", Napi::String::New(env, end.reason));
  napi_set_named_property(env, object, "signal", Napi::Number::New(env, end.signal));
  napi_set_named_property(env, object, "exitCode", Napi::Number::New(env, end.code));
  napi_set_named_property(env, object, "flightRecorder", Napi::String::New(env, core_->link().flight_text()));
  return Napi::Value(env, object);
}

/// (alive): whether this machine keeps the event loop from ending.
Napi::Value VmObject::keep_alive(const Napi::CallbackInfo& info) {
  if (core_) {
    if (number_argument(info, 0) != 0)
      napi_ref_threadsafe_function(info.Env(), queue_);
    else
      napi_unref_threadsafe_function(info.Env(), queue_);
  }
  return info.Env().Undefined();
}

/// (keepMemory)
Napi::Value VmObject::close(const Napi::CallbackInfo& info) {
  const bool keep_memory = number_argument(info, 0) != 0;
  if (core_ && keep_memory) take_back(info.Env());
  close_now(keep_memory);
  return info.Env().Undefined();
}

/// (offset, bytes): overwrite the control area, as an engine gone mad would. For the tests of our own suspicion.
Napi::Value VmObject::scribble(const Napi::CallbackInfo& info) {
  const u64 offset = static_cast<u64>(number_argument(info, 0));
  const Bytes from = bytes_argument(info, 1);
  if (!core_ || from.data == nullptr) return info.Env().Undefined();
  auto& region = core_->link().control_region();
  if (offset < region.bytes() && from.size <= region.bytes() - offset)
    memcpy(region.data() + offset, from.data, from.size);
  return info.Env().Undefined();
}

}  // namespace rz::binding
