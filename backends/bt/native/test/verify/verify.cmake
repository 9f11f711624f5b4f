# The emitted-code verifier: accepts what the translator makes of random code, refuses what was broken on purpose.
add_executable(engine_verify_test test/verify/main.cpp test/verify/bench_machine.cpp test/verify/mutations.cpp)
target_link_libraries(engine_verify_test PRIVATE ringzero_engine_core pthread)
target_compile_options(engine_verify_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_verify COMMAND engine_verify_test)
