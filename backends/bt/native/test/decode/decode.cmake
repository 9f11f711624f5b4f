# Decoder: hand-written cases, and the cross-check against the system's objdump.
add_executable(engine_decode_test test/decode/main.cpp test/decode/cases.cpp test/decode/against_objdump.cpp)
target_link_libraries(engine_decode_test ringzero_engine_core)
target_compile_options(engine_decode_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_decode COMMAND engine_decode_test)
