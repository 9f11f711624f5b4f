// User-mode integer and control-flow workloads.
#include <stdlib.h>

#include "workload.h"

static void int_mix(uint64_t n) {
  uint64_t a = 0x9e3779b97f4a7c15u, b = 12345, c = 0;
  for (uint64_t i = 0; i < n; i++) {
    a ^= a << 13;
    a ^= a >> 7;
    a ^= a << 17;
    b = b * 6364136223846793005u + 1442695040888963407u;
    c += (a & 0xff) * (b >> 56);
    if (c & 1)
      c = (c >> 3) | (c << 61);
    else
      c -= i;
  }
  sink = c;
}

static __attribute__((noinline)) uint64_t fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
static void fib_calls(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) sink = fib(20);
}

// A small stack machine, dispatched by a switch: indirect jumps that depend on data.
enum { kPush, kAdd, kSub, kMul, kDup, kSwap, kDrop, kLoop, kEnd };
static void interpreter(uint64_t n) {
  static const uint8_t code[] = {kPush, 3, kPush, 5,     kAdd,  kDup,  kMul, kPush, 7,     kSub, kSwap, kAdd,  kDup,
                                 kPush, 1, kAdd,  kSwap, kDrop, kPush, 2,    kMul,  kPush, 9,    kSub,  kLoop, kEnd};
  uint64_t stack[64], acc = 1;
  for (uint64_t i = 0; i < n; i++) {
    uint64_t* sp = stack;
    *sp++ = acc;
    *sp++ = i;
    unsigned rounds = 8;
    for (const uint8_t* pc = code;;) {
      switch (*pc++) {
        case kPush: *sp++ = *pc++; continue;
        case kAdd:
          sp--;
          sp[-1] += *sp;
          continue;
        case kSub:
          sp--;
          sp[-1] -= *sp;
          continue;
        case kMul:
          sp--;
          sp[-1] *= *sp;
          continue;
        case kDup:
          *sp = sp[-1];
          sp++;
          continue;
        case kSwap: {
          const uint64_t t = sp[-1];
          sp[-1] = sp[-2];
          sp[-2] = t;
          continue;
        }
        case kDrop: sp--; continue;
        case kLoop:
          if (--rounds) {
            *sp = sp[-1];
            sp++;
            pc = code;
          }
          continue;
        case kEnd: break;
      }
      break;
    }
    acc = sp[-1];
  }
  sink = acc;
}

typedef uint64_t (*method)(uint64_t);
static __attribute__((noinline)) uint64_t m0(uint64_t x) { return x + 1; }
static __attribute__((noinline)) uint64_t m1(uint64_t x) { return x * 3; }
static __attribute__((noinline)) uint64_t m2(uint64_t x) { return x ^ 0x55; }
static __attribute__((noinline)) uint64_t m3(uint64_t x) { return x >> 1; }
static void virtual_calls(uint64_t n) {
  static const method vtable[4] = {m0, m1, m2, m3};
  const method* volatile table = vtable;
  uint64_t x = 1, seed = 1;
  for (uint64_t i = 0; i < n; i++) {
    seed = seed * 1103515245 + 12345;
    x = table[(seed >> 16) & 3](x);
  }
  sink = x;
}

static void** chain_16k;
static void** chain_64m;
static void** make_chain(size_t bytes) {
  const size_t count = bytes / 64;
  char* memory = malloc(count * 64);
  size_t* order = malloc(count * sizeof *order);
  if (!memory || !order) return 0;
  for (size_t i = 0; i < count; i++) order[i] = i;
  uint64_t seed = 1;
  for (size_t i = count - 1; i > 0; i--) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    const size_t j = (seed >> 33) % (i + 1), t = order[i];
    order[i] = order[j];
    order[j] = t;
  }
  for (size_t i = 0; i < count; i++) *(void**)(memory + order[i] * 64) = memory + order[(i + 1) % count] * 64;
  free(order);
  return (void**)memory;
}
static int prepare_16k(void) { return (chain_16k || (chain_16k = make_chain(16 << 10))) ? 0 : -1; }
static int prepare_64m(void) { return (chain_64m || (chain_64m = make_chain(64 << 20))) ? 0 : -1; }
static void chase(void** p, uint64_t n) {
  for (uint64_t i = 0; i < n; i++) p = *p;
  sink = (uint64_t)p;
}
static void chase_16k(uint64_t n) { chase(chain_16k, n); }
static void chase_64m(uint64_t n) { chase(chain_64m, n); }

const struct workload compute_workloads[] = {{"int-mix", "ns/op", 1, 0, int_mix},
                                             {"fib-calls", "ns/call", 21891, 0, fib_calls},
                                             {"interpreter", "ns/op", 200, 0, interpreter},
                                             {"virtual-calls", "ns/op", 1, 0, virtual_calls},
                                             {"chase-16k", "ns/op", 1, prepare_16k, chase_16k},
                                             {"chase-64m", "ns/op", 1, prepare_64m, chase_64m},
                                             {0}};
