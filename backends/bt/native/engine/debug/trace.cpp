// See trace.h.
#include "trace.h"

#include <unistd.h>

#include "../irq/clock.h"

namespace rz {
namespace {

constexpr const char* kNames[] = {
#define RZ_TRACE_NAME(name, text, meaning) text,
    RZ_TRACE_FLAGS(RZ_TRACE_NAME)
#undef RZ_TRACE_NAME
};

bool same(const char* a, const char* name, unsigned length) {
  for (unsigned i = 0; i < length; i++)
    if (name[i] == 0 || a[i] != name[i]) return false;
  return name[length] == 0;
}

}  // namespace

bool parse_trace(const char* list, u32& flags) {
  flags = 0;
  while (*list) {
    unsigned length = 0;
    while (list[length] && list[length] != ',') length++;
    u32 found = 0;
    for (u32 i = 0; i < static_cast<u32>(Trace::kCount); i++)
      if (same(list, kNames[i], length)) found = 1u << i;
    if (!found) return false;
    flags |= found;
    list += length;
    if (*list == ',') list++;
  }
  return true;
}

TraceLine::TraceLine(const Vcpu& vcpu, Trace flag, const char* what) : fd_(vcpu.machine->options.trace_fd) {
  put(kNames[static_cast<u32>(flag)]);
  while (used_ < 7) buffer_[used_++] = ' ';
  put("vcpu");
  put_number(vcpu.index, 10);
  const u64 us = (monotonic_ns() - vcpu.machine->options.trace_start_ns) / 1000;
  put(" +");
  put_number(us / 1000, 10);
  put(".");
  put_number(us % 1000, 10, 3);
  put("ms");
  if (*what) {
    put(" ");
    put(what);
  }
}

TraceLine::~TraceLine() {
  buffer_[used_++] = '\n';
  (void)!write(fd_, buffer_, used_);
}

TraceLine& TraceLine::hex(const char* name, u64 value) {
  text(name, "0x");
  put_number(value, 16);
  return *this;
}

TraceLine& TraceLine::number(const char* name, u64 value) {
  text(name, "");
  put_number(value, 10);
  return *this;
}

TraceLine& TraceLine::text(const char* name, const char* value) {
  put(" ");
  put(name);
  put("=");
  put(value);
  return *this;
}

void TraceLine::put(const char* s) {
  while (*s && used_ < sizeof buffer_ - 1) buffer_[used_++] = *s++;
}

void TraceLine::put_number(u64 value, unsigned base, unsigned least_digits) {
  char digits[20];
  unsigned n = 0;
  do {
    digits[n++] = "0123456789abcdef"[value % base];
    value /= base;
  } while (value != 0 || n < least_digits);
  while (n > 0 && used_ < sizeof buffer_ - 1) buffer_[used_++] = digits[--n];
}

}  // namespace rz
