// Code that is made at run time, as just-in-time compilers do: patch a function and call it; emit a new one and call it
// once.
#include <string.h>
#include <sys/mman.h>

#include "workload.h"

static uint8_t* code;
static int prepare(void) {
  if (code) return 0;
  code = mmap(0, 1 << 20, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (code == MAP_FAILED) {
    code = 0;
    return -1;
  }
  return 0;
}
static void emit(uint8_t* at, uint32_t value) {
  at[0] = 0xb8;  // mov eax, value; then 58 bytes of one-byte NOPs; ret
  memcpy(at + 1, &value, 4);
  memset(at + 5, 0x90, 58);
  at[63] = 0xc3;
}
static void patch_and_call(uint64_t n) {
  emit(code, 0);
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    const uint32_t value = (uint32_t)i;
    memcpy(code + 1, &value, 4);
    __asm__ volatile("" : : : "memory");
    sum += ((uint32_t(*)(void))(void*)code)();
  }
  sink = sum;
}
static void emit_and_call(uint64_t n) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < n; i++) {
    uint8_t* at = code + 4096 + (i % 8192) * 64;
    emit(at, (uint32_t)i);
    __asm__ volatile("" : : : "memory");
    sum += ((uint32_t(*)(void))(void*)at)();
  }
  sink = sum;
}

const struct workload code_workloads[] = {{"patch-and-call", "ns/op", 1, prepare, patch_and_call},
                                          {"emit-and-call", "ns/op", 1, prepare, emit_and_call},
                                          {0}};
