// Reading what JavaScript passed, and turning a failed Outcome into an Error. Callers have been checked by TypeScript;
// this only makes sure that a wrong type cannot do harm.
#pragma once

#include <napi.h>
#include <string.h>

#include <cmath>
#include <string>
#include <vector>

#include "host/outcome.h"
#include "shared/types.h"

namespace rz::binding {

/// Reads members of an options object; remembers whether all had the right type.
class Options {
 public:
  explicit Options(Napi::Object object) : object_(object) {}
  bool good() const { return good_; }

  std::string text(const char* name) const {
    const Napi::Value value = member(name);
    if (value.IsString()) return value.As<Napi::String>().Utf8Value();
    good_ = false;
    return {};
  }
  /// Non-negative and at most 2^53; booleans count as 0 and 1.
  double number(const char* name) const {
    const Napi::Value value = member(name);
    if (value.IsBoolean()) return value.As<Napi::Boolean>().Value() ? 1 : 0;
    const double number = value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1;
    if (number >= 0 && number <= 9007199254740992.0) return number;
    good_ = false;
    return 0;
  }
  std::vector<Options> list(const char* name) const {
    std::vector<Options> members;
    each(name, [&](Napi::Value value) {
      if (value.IsObject())
        members.emplace_back(value.As<Napi::Object>());
      else
        good_ = false;
    });
    return members;
  }
  std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> members;
    each(name, [&](Napi::Value value) {
      if (value.IsString())
        members.push_back(value.As<Napi::String>().Utf8Value());
      else
        good_ = false;
    });
    return members;
  }

 private:
  Napi::Value member(const char* name) const {
    napi_value value = nullptr;
    napi_get_named_property(object_.Env(), object_, name, &value);
    return Napi::Value(object_.Env(), value);
  }
  template <typename Visit>
  void each(const char* name, Visit visit) const {
    const Napi::Value value = member(name);
    if (!value.IsArray()) {
      good_ = false;
      return;
    }
    uint32_t length = 0;
    napi_get_array_length(value.Env(), value, &length);
    for (uint32_t i = 0; i < length; ++i) {
      napi_value element = nullptr;
      napi_get_element(value.Env(), value, i, &element);
      visit(Napi::Value(value.Env(), element));
    }
  }
  Napi::Object object_;
  mutable bool good_ = true;
};

/// A number argument, or 0 when it is none (or negative).
inline double number_argument(const Napi::CallbackInfo& info, size_t index) {
  if (info.Length() <= index || !info[index].IsNumber()) return 0;
  const double number = info[index].As<Napi::Number>().DoubleValue();
  return number >= 0 && number <= 9007199254740992.0 ? number : 0;
}

/// The bytes of a Uint8Array argument; empty when it is none.
struct Bytes {
  u8* data = nullptr;
  size_t size = 0;
};
inline Bytes bytes_argument(const Napi::CallbackInfo& info, size_t index) {
  if (info.Length() <= index || !info[index].IsTypedArray()) return {};
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(info.Env(), info[index], &type, &length, &data, nullptr, nullptr) != napi_ok) return {};
  if (type != napi_uint8_array || data == nullptr) return {};
  return {static_cast<u8*>(data), length};
}

/// Throws an Error with `syscall` and `errno`, for TypeScript to wrap.
inline void throw_outcome(Napi::Env env, const host::Outcome& outcome) {
  Napi::Error error = Napi::Error::New(env, std::string(outcome.call) + ": " + strerror(outcome.host_errno));
  napi_set_named_property(env, error.Value(), "syscall", Napi::String::New(env, outcome.call));
  napi_set_named_property(env, error.Value(), "errno", Napi::Number::New(env, outcome.host_errno));
  error.ThrowAsJavaScriptException();
}

}  // namespace rz::binding
