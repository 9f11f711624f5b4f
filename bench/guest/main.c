// Times the workloads and prints one line each: `name value unit`. Finding how many iterations take long enough warms
// up; the best of several rounds counts, each at least half as long as asked: a virtual machine's noise only ever adds
// time.
//
// Usage: bench [--ms N] [--rounds N] [--list] [NAME...]     N ms per round (default 100), 3 rounds
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "workload.h"

volatile uint64_t sink;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/// Runs until `rounds` timings in a row were long enough. One that was long only because the machine was away for a
/// while is found out by the next, which is short: more iterations then, and the timings so far are forgotten.
static double measure(const struct workload* w, uint64_t round_ns, int rounds) {
  if (w->pieces) {
    round_ns /= (uint64_t)w->pieces;
    rounds *= w->pieces;
  }
  const int most_tries = 100 + rounds;
  uint64_t iterations = 1;
  double best = 0;
  for (int good = 0, tries = 0; good < rounds && tries < most_tries; tries++) {
    const uint64_t start = now_ns();
    w->run(iterations);
    const uint64_t spent = now_ns() - start;
    if (spent < round_ns / 2 && iterations < 1ull << 40) {
      const uint64_t want = spent < 1000 ? iterations * 16 : iterations * (round_ns / spent + 1);
      iterations = want > iterations * 16 ? iterations * 16 : want;
      good = 0;
      continue;
    }
    const double each = (double)spent / (double)iterations;
    if (good++ == 0 || each < best) best = each;
  }
  return best / w->scale;
}

/// First and last, for the harness, which compares with its own clock: a guest whose seconds are long looks fast.
static void print_clock(void) { printf("# clock %llu\n", (unsigned long long)now_ns()); }

int main(int argc, char** argv) {
  uint64_t round_ms = 100;
  int rounds = 3, list = 0, first_name = argc;
  for (int i = 1; i < argc; i++) {
    if (!strcmp(argv[i], "--ms") && i + 1 < argc)
      round_ms = strtoull(argv[++i], 0, 10);
    else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
      rounds = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--list"))
      list = 1;
    else if (!strcmp(argv[i], "--child"))
      return 0;  // what fork+exec starts
    else {
      first_name = i;
      break;
    }
  }
  setvbuf(stdout, 0, _IOLBF, 0);
  if (!list) print_clock();
  const struct workload* const tables[] = {compute_workloads, memory_workloads, vector_workloads, hash_workloads,
                                           kernel_workloads,  code_workloads,   thread_workloads, shell_workloads};
  for (unsigned t = 0; t < sizeof tables / sizeof *tables; t++) {
    for (const struct workload* w = tables[t]; w->name; w++) {
      int wanted = first_name == argc;
      for (int i = first_name; i < argc; i++) wanted |= !strcmp(argv[i], w->name);
      if (!wanted) continue;
      if (list) {
        printf("%s %s\n", w->name, w->unit);
        continue;
      }
      // A process each: what one maps must not weigh on the next one's fork or page tables.
      const pid_t child = fork();
      if (child == 0) {
        if (w->prepare && w->prepare() != 0)
          printf("%s - unavailable\n", w->name);
        else
          printf("%s %.4g %s\n", w->name, measure(w, round_ms * 1000000, rounds), w->unit);
        exit(0);
      }
      if (child > 0) waitpid(child, 0, 0);
    }
  }
  if (!list) print_clock();
  return 0;
}
