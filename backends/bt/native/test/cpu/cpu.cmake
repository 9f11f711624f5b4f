# Processor state, MMU and instruction helpers, without translator and code cache.
add_executable(engine_cpu_test test/cpu/main.cpp test/cpu/guest.cpp test/cpu/walk_test.cpp test/cpu/tlb_test.cpp
  test/cpu/segment_test.cpp test/cpu/exception_test.cpp test/cpu/task_test.cpp test/cpu/string_test.cpp
  test/cpu/cpuid_test.cpp test/cpu/cpuid_walk_test.cpp test/cpu/clock_test.cpp test/cpu/fpu_state_test.cpp test/cpu/access_test.cpp)
target_link_libraries(engine_cpu_test ringzero_engine_core)
target_compile_options(engine_cpu_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_cpu COMMAND engine_cpu_test)
