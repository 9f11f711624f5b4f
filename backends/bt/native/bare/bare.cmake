# A machine on the engine with no Node around it. Included by ../CMakeLists.txt.
add_library(ringzero_bare STATIC bare/boot_script.cpp bare/tiny_uart.cpp bare/bare_bus.cpp bare/bare_machine.cpp)
target_include_directories(ringzero_bare PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/engine)
target_compile_options(ringzero_bare PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
# vCPU threads are in it while the guest's vector state is live in the host's registers.
set_source_files_properties(bare/bare_bus.cpp PROPERTIES COMPILE_OPTIONS "-mgeneral-regs-only")
target_link_libraries(ringzero_bare PUBLIC ringzero_engine_core)
