// Entry of the addon. Holds no global state: context-aware by construction.
#include "binding/vm_object.h"
#include "engine/host_kvm.h"

/// { failure, maxVcpus, v1, v2, v3 }: `failure` says why KVM cannot be used here and what to do; empty: it can.
static Napi::Value probe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  rz::kvm::HostKvm about;
  const rz::kvm::Outcome found = rz::kvm::probe_kvm(about);
  napi_value object;
  napi_create_object(env, &object);
  napi_set_named_property(env, object, "failure",
                          Napi::String::New(env, found.ok() ? std::string() : rz::kvm::describe(found)));
  napi_set_named_property(env, object, "maxVcpus", Napi::Number::New(env, about.max_vcpus));
  napi_set_named_property(env, object, "v1", Napi::Boolean::New(env, about.v1));
  napi_set_named_property(env, object, "v2", Napi::Boolean::New(env, about.v2));
  napi_set_named_property(env, object, "v3", Napi::Boolean::New(env, about.v3));
  return Napi::Value(env, object);
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeVm", rz::binding::VmObject::define(env));
  exports.Set("probe", Napi::Function::New(env, probe));
  return exports;
}

NODE_API_MODULE(ringzero_kvm, init)
