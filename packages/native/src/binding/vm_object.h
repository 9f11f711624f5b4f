// The JavaScript object of one machine. All methods and the attending loop run on the thread of the environment that
// made it; many objects, in many environments (worker threads), may live at once.
#pragma once

#include <napi.h>
#include <sched.h>

#include <memory>
#include <vector>

#include "vm_core.h"

namespace rz::binding {

/// First argument of the dispatch callback. src/native-vm.ts has the same list.
enum class Happening : u32 { kExit = 1, kDoorbell = 2, kUart = 3, kCommand = 4, kReady = 5, kDied = 6 };

class VmObject : public Napi::ObjectWrap<VmObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit VmObject(const Napi::CallbackInfo& info);
  ~VmObject() override;

 private:
  // Outlives the object in the queue of the thread-safe function; `object` is null once closed.
  struct Anchor {
    VmObject* object;
  };
  bool create(const Napi::CallbackInfo& info);
  void close_now(bool keep_memory);
  Napi::Value lent(Napi::Value buffer);
  void take_back(Napi::Env env);
  static void on_queue(napi_env env, napi_value dispatch, void* context, void* data);
  static void on_environment_end(void* self);

  void attend(napi_env env, napi_value dispatch);
  bool serve(napi_env env, napi_value dispatch, bool& any_exit);
  bool tell(napi_env env, napi_value dispatch, Happening what, u32 argument);
  void serve_exit(napi_env env, napi_value dispatch, u32 vcpu);

  // Methods; src/native-vm.ts documents them.
  Napi::Value get_record(const Napi::CallbackInfo& info);
  Napi::Value get_pid(const Napi::CallbackInfo& info);
  Napi::Value ram(const Napi::CallbackInfo& info);
  Napi::Value touched(const Napi::CallbackInfo& info);
  Napi::Value set_line(const Napi::CallbackInfo& info);
  Napi::Value msi(const Napi::CallbackInfo& info);
  Napi::Value command(const Napi::CallbackInfo& info);
  Napi::Value take_reply(const Napi::CallbackInfo& info);
  Napi::Value set_doorbell(const Napi::CallbackInfo& info);
  Napi::Value clear_doorbell(const Napi::CallbackInfo& info);
  Napi::Value uart_read(const Napi::CallbackInfo& info);
  Napi::Value uart_write(const Napi::CallbackInfo& info);
  Napi::Value uart_reclaim(const Napi::CallbackInfo& info);
  Napi::Value share_ram(const Napi::CallbackInfo& info);
  Napi::Value kill(const Napi::CallbackInfo& info);
  Napi::Value status(const Napi::CallbackInfo& info);
  Napi::Value keep_alive(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value scribble(const Napi::CallbackInfo& info);

  std::shared_ptr<VmCore> core_;             // null once closed
  std::vector<Napi::ObjectReference> lent_;  // buffers over native memory that scripts may hold, not kept alive by this
  size_t lent_limit_ = 64;                   // when to forget those that were collected
  Anchor* anchor_ = nullptr;                 // freed by the queue's finalizer
  napi_threadsafe_function queue_ = nullptr;
  napi_env env_ = nullptr;
  u64 linger_ns_ = 0;   // how long to wait for the next exit before going back to the event loop
  u64 spin_ns_ = 0;     // of that, how long to spin
  u32 exit_cpu_ = ~0u;  // where the last exiting vCPU ran
};

}  // namespace rz::binding
