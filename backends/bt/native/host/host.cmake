# ringzero-engine: the program that serves one machine. Included by ../CMakeLists.txt.
execute_process(
  COMMAND node -p "require('path').dirname(require.resolve('@ringzero/native/package.json'))"
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/.. OUTPUT_VARIABLE RINGZERO_NATIVE_DIR
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT EXISTS "${RINGZERO_NATIVE_DIR}/CMakeLists.txt")
  set(RINGZERO_NATIVE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/../../../packages/native)  # before the workspace is installed
endif()
find_package(Threads REQUIRED)
add_subdirectory(${RINGZERO_NATIVE_DIR} ${CMAKE_BINARY_DIR}/ringzero_native)

target_include_directories(ringzero_engine_core PUBLIC ${RINGZERO_NATIVE_DIR}/src)  # layout of the saved state, CPUID
target_link_libraries(ringzero_engine_core PUBLIC ringzero_native_peer)

add_executable(ringzero-engine
  host/main.cpp host/engine.cpp host/host_work.cpp host/commands.cpp host/crash.cpp host/life_line.cpp host/options.cpp host/fake_run.cpp
  host/exit_bus.cpp host/native_devices.cpp host/registers_codec.cpp host/state_codec.cpp host/assemble.cpp
  host/huge_pages.cpp host/self_test.cpp host/step.cpp)
target_include_directories(ringzero-engine PRIVATE ${CMAKE_CURRENT_SOURCE_DIR}/engine ${CMAKE_CURRENT_SOURCE_DIR}/host)
target_compile_options(ringzero-engine PRIVATE -fno-exceptions -fno-rtti -fvisibility=hidden -Wall -Wextra)
# vCPU threads are in these while the guest's vector state is live in the host's registers.
set_source_files_properties(host/host_work.cpp host/assemble.cpp host/exit_bus.cpp host/native_devices.cpp host/crash.cpp
  PROPERTIES COMPILE_OPTIONS "-mgeneral-regs-only")
target_link_libraries(ringzero-engine PRIVATE ringzero_bare ringzero_twin ringzero_engine_core ringzero_native_peer
  ringzero_native_state Threads::Threads)
