# transport_test: both ends of the shared memory against each other in one process, and against a hostile other end.
add_executable(transport_test test/transport/main.cpp test/transport/exits.cpp test/transport/hostile.cpp test/transport/process.cpp test/transport/pages.cpp)
target_compile_options(transport_test PRIVATE -Wall -Wextra)
target_link_libraries(transport_test PRIVATE ringzero_native_host ringzero_native_peer)
