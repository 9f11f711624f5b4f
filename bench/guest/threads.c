// Two threads that contend: a mutex, an atomic counter, and work that shares nothing. On one processor they take turns.
#include <pthread.h>
#include <stdatomic.h>

#include "workload.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static uint64_t guarded;
static atomic_ullong counter;

static void* lock_loop(void* n) {
  for (uint64_t i = 0; i < *(uint64_t*)n; i++) {
    pthread_mutex_lock(&mutex);
    guarded++;
    pthread_mutex_unlock(&mutex);
  }
  return 0;
}
static void* atomic_loop(void* n) {
  for (uint64_t i = 0; i < *(uint64_t*)n; i++) atomic_fetch_add(&counter, 1);
  return 0;
}
static void* private_loop(void* n) {
  uint64_t x = 1;
  for (uint64_t i = 0; i < *(uint64_t*)n; i++) x = x * 6364136223846793005u + i;
  sink = x;
  return 0;
}
static void two(void* (*body)(void*), uint64_t n) {
  pthread_t other;
  uint64_t half = n / 2 + 1;
  pthread_create(&other, 0, body, &half);
  body(&half);
  pthread_join(other, 0);
}
static void mutex2(uint64_t n) { two(lock_loop, n); }
static void atomic2(uint64_t n) { two(atomic_loop, n); }
static void parallel2(uint64_t n) { two(private_loop, n); }

enum { kPieces = 10 };
const struct workload thread_workloads[] = {{"mutex-2-threads", "ns/op", 1, 0, mutex2, kPieces},
                                            {"atomic-2-threads", "ns/op", 1, 0, atomic2, kPieces},
                                            {"parallel-2-threads", "ns/op", 1, 0, parallel2, kPieces},
                                            {0}};
