// Entry of the addon. Holds no global state: context-aware by construction.
#include "binding/vm_object.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeVm", rz::binding::VmObject::define(env));
  return exports;
}

NODE_API_MODULE(ringzero_bt, init)
