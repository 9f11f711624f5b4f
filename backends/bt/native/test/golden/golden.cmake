# Golden files: what the translator emits for small pieces of guest code, with an instruction budget each.
add_executable(engine_golden_test test/golden/main.cpp test/verify/bench_machine.cpp)
target_include_directories(engine_golden_test PRIVATE test/verify)
target_compile_definitions(engine_golden_test PRIVATE GOLDEN_DIR="${CMAKE_CURRENT_SOURCE_DIR}/test/golden")
target_link_libraries(engine_golden_test PRIVATE ringzero_engine_core pthread)
target_compile_options(engine_golden_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_golden COMMAND engine_golden_test)
