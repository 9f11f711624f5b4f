// The smallest test harness that serves: cases register themselves, checks count failures.
#pragma once

#include <stdio.h>

#include <memory>
#include <vector>

#include "host/engine_link.h"
#include "peer/engine_peer.h"

namespace rz::test {

struct Case {
  const char* name;
  void (*run)();
};
std::vector<Case>& cases();
void fail(const char* file, int line, const char* what);

struct Register {
  Register(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

/// Both ends of one machine: 1 MiB at 0, 64 KiB of ROM below 4 GiB, 3 vCPUs, 2 UARTs.
struct Pair {
  std::unique_ptr<host::EngineLink> link;
  peer::EnginePeer peer;
  Pair();
};

}  // namespace rz::test

#define CASE(id, title)                                 \
  static void id();                                     \
  static const rz::test::Register id##_case{title, id}; \
  static void id()
#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) rz::test::fail(__FILE__, __LINE__, #condition); \
  } while (0)
