// The table of guest benchmark workloads: each file of this folder defines some, main.c times them.
// The same static binary runs on the host, in our guest and in QEMU's, so nothing here may depend on where it is.
#pragma once

#include <stdint.h>

struct workload {
  const char* name;      // stable: tables and history are keyed by it
  const char* unit;      // what one iteration is: "ns/op", "ns/MiB"; always time, so lower is better
  double scale;          // units per iteration
  int (*prepare)(void);  // returns 0, or -1 when this machine cannot run it; may be null
  void (*run)(uint64_t iterations);
  int pieces;  // each timing is cut into so many, and the best counts, where whatever else the host does takes from it
               // at once, because the work needs as many processors as the host has; 0: not cut
};

extern const struct workload compute_workloads[], memory_workloads[], vector_workloads[], hash_workloads[],
    kernel_workloads[], code_workloads[], thread_workloads[], shell_workloads[];  // each ends with a null name

/// Keeps a result alive that nobody reads.
extern volatile uint64_t sink;
