// Entry of the addon. Holds no global state: context-aware by construction.
#include "binding/vm_object.h"
#include "engine/host_kvm.h"

/// { failure, maxVcpus, profiles }: `failure` says why KVM cannot be used here and what to do; empty: it can.
/// `profiles` has for each named CPU profile the features that this KVM lacks; empty: it has them all.
static Napi::Value probe(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  rz::kvm::HostKvm about;
  const rz::kvm::Outcome found = rz::kvm::probe_kvm(about);
  napi_value object;
  napi_create_object(env, &object);
  napi_set_named_property(env, object, "failure",
                          Napi::String::New(env, found.ok() ? std::string() : rz::kvm::describe(found)));
  napi_set_named_property(env, object, "maxVcpus", Napi::Number::New(env, about.max_vcpus));
  napi_value profiles;
  napi_create_object(env, &profiles);
  for (size_t i = 0; i < std::size(rz::kvm::kNamedProfiles); ++i)
    napi_set_named_property(env, profiles, rz::kvm::kNamedProfiles[i], Napi::String::New(env, about.lacks[i]));
  napi_set_named_property(env, object, "profiles", profiles);
  return Napi::Value(env, object);
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("NativeVm", rz::binding::VmObject::define(env));
  exports.Set("probe", Napi::Function::New(env, probe));
  return exports;
}

NODE_API_MODULE(ringzero_kvm, init)
