# The in-process engine harness: debuggers, profilers, sanitizers.
add_executable(engine_bare_boot ${CMAKE_CURRENT_LIST_DIR}/bare_boot.cpp)
target_link_libraries(engine_bare_boot PRIVATE ringzero_bare Threads::Threads)
target_compile_options(engine_bare_boot PRIVATE -Wall -Wextra)
