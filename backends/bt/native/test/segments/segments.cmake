# Segment limits and rights in translated 16- and 32-bit code, against a model of the manual.
add_executable(engine_segments_test test/segments/main.cpp)
target_link_libraries(engine_segments_test PRIVATE ringzero_guest_programs ringzero_engine_core pthread)
target_compile_options(engine_segments_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_segments COMMAND engine_segments_test)
