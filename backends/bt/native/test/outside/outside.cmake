# Writers of guest memory that are no vCPU of the engine: the host's DMA against a translation that is under way.
add_executable(engine_outside_test test/outside/main.cpp)
target_link_libraries(engine_outside_test PRIVATE ringzero_guest_programs ringzero_engine_core pthread)
target_compile_options(engine_outside_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
