# The translator against the processor it runs on: each instruction of the table, and random programs.
add_library(ringzero_diff STATIC test/diff/generate.cpp test/diff/encode.cpp test/diff/values.cpp test/diff/program.cpp
  test/diff/loops.cpp test/diff/relocate.cpp test/diff/native_runner.cpp test/diff/engine_runner.cpp test/diff/compare.cpp
  test/diff/flag_flow.cpp test/diff/decoder_fuzz.cpp)
target_link_libraries(ringzero_diff PUBLIC ringzero_engine_core pthread)
target_compile_options(ringzero_diff PRIVATE -Wall -Wextra -Wno-missing-field-initializers)

add_executable(engine_diff_test test/diff/main.cpp test/diff/table_check.cpp)
target_link_libraries(engine_diff_test PRIVATE ringzero_diff)
target_compile_options(engine_diff_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_diff COMMAND engine_diff_test)

# What a CPUID profile does not report is executed, and must be #UD.
add_executable(engine_profile_test test/diff/profile_main.cpp)
target_link_libraries(engine_profile_test PRIVATE ringzero_diff)
target_compile_options(engine_profile_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_profile COMMAND engine_profile_test)

# Not a test program: it runs until one has seen enough.
add_executable(engine_fuzz test/diff/fuzz_main.cpp test/diff/shrink.cpp test/diff/write_guest.cpp)
target_link_libraries(engine_fuzz PRIVATE ringzero_diff)
target_compile_options(engine_fuzz PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
