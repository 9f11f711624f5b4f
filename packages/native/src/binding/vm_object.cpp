// Creation, teardown and the attending loop of a machine's JavaScript object; the plain methods are in vm_methods.cpp.
#include "vm_object.h"

#include <algorithm>

#include "start_engine.h"

namespace rz::binding {

using namespace shared;

namespace {

// How long one callback serves before timers and I/O of the event loop get their turn.
constexpr u64 kAttendLimitNs = 2'000'000;      // on a thread that is there for the devices
constexpr u64 kAttendLimitInlineNs = 300'000;  // on one that has other things to do (no lingering)

}  // namespace

VmObject::VmObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<VmObject>(info), env_(info.Env()) {
  if (!create(info)) return;
  napi_add_env_cleanup_hook(env_, on_environment_end, this);
}

VmObject::~VmObject() { close_now(false); }

bool VmObject::create(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  if (info.Length() < 2 || !info[0].IsObject() || !info[1].IsFunction()) {
    Napi::TypeError::New(env, "NativeVm(options, dispatch)").ThrowAsJavaScriptException();
    return false;
  }
  const Options options(info[0].As<Napi::Object>());
  host::LinkConfig config;
  config.name = options.text("name");
  config.cpu_profile = options.text("cpuProfile");
  config.options = options.text("options");
  config.vcpus = static_cast<u32>(options.number("vcpus"));
  config.spin_ns = static_cast<u32>(options.number("engineSpinNs"));
  linger_ns_ = static_cast<u64>(options.number("lingerNs"));
  spin_ns_ = static_cast<u64>(options.number("spinNs"));
  if (const double fd = options.number("ramFd"); fd != 0) config.ram_fd = static_cast<int>(fd);
  for (const Options& range : options.list("ranges")) {
    config.ranges.push_back({static_cast<u64>(range.number("base")), static_cast<u64>(range.number("sizeBytes")), 0,
                             range.number("readOnly") != 0 ? 1u : 0u, 0});
  }
  for (const Options& uart : options.list("uarts")) {
    config.uarts.push_back({static_cast<u16>(uart.number("port")), static_cast<u16>(uart.number("irq"))});
  }
  if (!options.good()) {
    Napi::TypeError::New(env, "NativeVm: an option is missing or of the wrong type").ThrowAsJavaScriptException();
    return false;
  }

  anchor_ = new Anchor{this};
  napi_value label;
  napi_create_string_utf8(env, "ringzero", NAPI_AUTO_LENGTH, &label);
  napi_create_threadsafe_function(
      env, info[1], nullptr, label, 0, 1, anchor_,
      [](napi_env, void* anchor, void*) { delete static_cast<Anchor*>(anchor); }, anchor_, on_queue, &queue_);
  const host::Outcome made = VmCore::create(
      config,
      [&options](host::EngineLink& link, std::function<void()> on_exit, std::shared_ptr<host::EngineHandle>& out) {
        return start_engine(options, link, std::move(on_exit), out);
      },
      [queue = queue_] { napi_call_threadsafe_function(queue, nullptr, napi_tsfn_nonblocking); }, core_);
  if (!made.ok()) {
    anchor_->object = nullptr;
    napi_release_threadsafe_function(queue_, napi_tsfn_abort);
    queue_ = nullptr;
    throw_outcome(env, made);
    return false;
  }
  return true;
}

void VmObject::on_environment_end(void* self) { static_cast<VmObject*>(self)->close_now(false); }

void VmObject::close_now(bool keep_memory) {
  if (!core_) return;
  napi_remove_env_cleanup_hook(env_, on_environment_end, this);
  core_->stop();                                        // joins the waiter: nobody calls the queue after this
  if (!keep_memory) core_->link().ram()->drop_pages();  // views that scripts still hold read as zeros from now on
  core_->link().ram()->close_fd();                      // those views may live long
  core_.reset();
  anchor_->object = nullptr;
  napi_release_threadsafe_function(queue_, napi_tsfn_abort);
  queue_ = nullptr;
}

void VmObject::on_queue(napi_env env, napi_value dispatch, void* context, void*) {
  if (env == nullptr) return;  // the queue is being emptied after its finalizer ran: the anchor is gone
  VmObject* object = static_cast<Anchor*>(context)->object;
  if (object != nullptr && object->core_) object->attend(env, dispatch);
}

/// Serve what is pending, then linger for more: back-to-back exits cost a futex round trip instead of a turn of the
/// event loop. The waiter sleeps elsewhere meanwhile.
void VmObject::attend(napi_env env, napi_value dispatch) {
  const std::shared_ptr<VmCore> core = core_;  // a callback may close this object
  const u64 stop_at = monotonic_ns() + (linger_ns_ != 0 ? kAttendLimitNs : kAttendLimitInlineNs);
  u64 linger_until = 0;
  for (;;) {
    bool any_exit = false;
    const bool any = serve(env, dispatch, any_exit);
    if (!core_) break;
    const u64 now = monotonic_ns();
    if (any) {
      if (any_exit) linger_until = now + linger_ns_;
      // More may be pending: the waiter sees it and calls again. (Queueing the next call from here would be served in
      // the same turn of the loop, up to a thousand times.)
      if (now >= stop_at) break;
      continue;
    }
    if (now >= linger_until) break;
    // On the vCPU's own processor spinning would only keep it from running.
    const bool apart = static_cast<u32>(sched_getcpu()) != exit_cpu_;
    core->link().wait_for_work(linger_until - now, apart ? std::min(spin_ns_, linger_until - now) : 0);
  }
  core->link().attend_on(~0u);
  if (core_) core_->rearm();
}

bool VmObject::serve(napi_env env, napi_value dispatch, bool& any_exit) {
  if (core_->take_death()) {
    const host::Work last = core_->link().take_work();
    for (u32 i = 0; i < kMaxUarts; ++i) {
      if ((last.uarts >> i & 1) != 0 && !tell(env, dispatch, Happening::kUart, i)) return true;
    }
    tell(env, dispatch, Happening::kDied, 0);
    return true;
  }
  const host::Work work = core_->link().take_work();
  if (!work.any()) return false;
  if ((work.command & 2) != 0 && !tell(env, dispatch, Happening::kReady, 0)) return true;
  if ((work.command & 1) != 0 && !tell(env, dispatch, Happening::kCommand, 0)) return true;
  for (u64 rest = work.exits; rest != 0; rest &= rest - 1) {
    any_exit = true;
    serve_exit(env, dispatch, static_cast<u32>(__builtin_ctzll(rest)));
    if (!core_) return true;
  }
  for (u32 word = 0; word < std::size(work.doorbells); ++word) {
    for (u64 rest = work.doorbells[word]; rest != 0; rest &= rest - 1) {
      const u32 slot = word * 64 + static_cast<u32>(__builtin_ctzll(rest));
      if (!tell(env, dispatch, Happening::kDoorbell, slot)) return true;
    }
  }
  for (u32 rest = work.uarts; rest != 0; rest &= rest - 1) {
    if (!tell(env, dispatch, Happening::kUart, static_cast<u32>(__builtin_ctz(rest)))) return true;
  }
  return true;
}

void VmObject::serve_exit(napi_env env, napi_value dispatch, u32 vcpu) {
  const std::shared_ptr<VmCore> core = core_;
  host::Exit exit;
  if (!core->link().read_exit(vcpu, exit)) return;
  exit_cpu_ = exit.cpu;
  if (linger_ns_ != 0) core->link().attend_on(static_cast<u32>(sched_getcpu()));
  ExitRecord& record = core->record;
  record = {static_cast<u32>(exit.kind), vcpu, exit.size, 0, exit.address, exit.value, ~0ull};
  tell(env, dispatch, Happening::kExit, vcpu);
  core->link().answer_exit(exit, record.reply);
}

/// False when the object was closed meanwhile.
bool VmObject::tell(napi_env env, napi_value dispatch, Happening what, u32 argument) {
  napi_handle_scope scope;
  napi_open_handle_scope(env, &scope);
  napi_value arguments[2], global, result;
  napi_create_uint32(env, static_cast<u32>(what), &arguments[0]);
  napi_create_uint32(env, argument, &arguments[1]);
  napi_get_global(env, &global);
  if (napi_call_function(env, global, dispatch, 2, arguments, &result) == napi_pending_exception) {
    napi_value
        error;  // dispatch catches what devices throw; what gets here is a bug of ours or the end of the environment
    if (napi_get_and_clear_last_exception(env, &error) == napi_ok) napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
  return core_ != nullptr;
}

}  // namespace rz::binding
