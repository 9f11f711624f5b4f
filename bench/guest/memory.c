// Memory bandwidth: the C library's copies (whatever it picks by CPUID) and the string instructions themselves.
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "workload.h"

enum { kBig = 8 << 20, kAlias = 64 << 20 };
static char *from, *to, *aliased;

static int prepare(void) {
  if (from) return 0;
  // One mapping: source, destination, and a destination whose page numbers equal the source's modulo 2^14 pages, where
  // a direct-mapped TLB of up to so many entries has both in the same entry.
  char* all = mmap(0, kAlias + kBig, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (all == MAP_FAILED) return -1;
  from = all;
  to = all + kBig + 12345 * 64;
  aliased = all + kAlias;
  memset(all, 1, kAlias + kBig);
  return 0;
}
static void rep_movsb(void* d, const void* s, size_t n) {
  __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(n) : : "memory");
}
static void rep_stosb(void* d, size_t n) { __asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(0x5a) : "memory"); }

static void memcpy_8m(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    memcpy(to, from, kBig);
    __asm__ volatile("" : : : "memory");
  }
}
static void memset_8m(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    memset(to, (int)i, kBig);
    __asm__ volatile("" : : : "memory");
  }
}
static void memcpy_100(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    size_t size = 100;
    __asm__ volatile("" : "+r"(size) : : "memory");
    memcpy(to + (i & 1023), from, size);
  }
}
static void movsb_8m(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) rep_movsb(to, from, kBig);
}
static void movsb_aliased(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) rep_movsb(aliased, from, kBig);
}
static void stosb_8m(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) rep_stosb(to, kBig);
}
static void movsb_64(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) rep_movsb(to, from, 64);
}
static void memcpy_aliased(uint64_t n) {
  for (uint64_t i = 0; i < n; i++) {
    memcpy(aliased, from, kBig);
    __asm__ volatile("" : : : "memory");
  }
}

const struct workload memory_workloads[] = {{"memcpy-8m", "ns/MiB", 8, prepare, memcpy_8m},
                                            {"memcpy-8m-aliased", "ns/MiB", 8, prepare, memcpy_aliased},
                                            {"memset-8m", "ns/MiB", 8, prepare, memset_8m},
                                            {"memcpy-100", "ns/op", 1, prepare, memcpy_100},
                                            {"rep-movsb-8m", "ns/MiB", 8, prepare, movsb_8m},
                                            {"rep-movsb-aliased", "ns/MiB", 8, prepare, movsb_aliased},
                                            {"rep-stosb-8m", "ns/MiB", 8, prepare, stosb_8m},
                                            {"rep-movsb-64", "ns/op", 1, prepare, movsb_64},
                                            {0}};
