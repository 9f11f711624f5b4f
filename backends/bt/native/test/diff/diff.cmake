# Per-instruction differential test: the translator against the processor it runs on.
add_executable(engine_diff_test test/diff/main.cpp test/diff/generate.cpp test/diff/values.cpp test/diff/native_runner.cpp
  test/diff/engine_runner.cpp test/diff/table_check.cpp test/diff/compare.cpp)
target_link_libraries(engine_diff_test PRIVATE ringzero_engine_core pthread)
target_compile_options(engine_diff_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_diff COMMAND engine_diff_test)
