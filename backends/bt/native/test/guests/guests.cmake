# Runners of the guest test programs in test/guests at the top of the repository: on the engine, and on the host's KVM,
# which needs nothing of the engine and is the oracle for the programs.
get_filename_component(GUEST_PROGRAMS_DIR ${CMAKE_CURRENT_SOURCE_DIR}/../../../test/guests ABSOLUTE)
set(GUEST_RUNNER_DIR ${GUEST_PROGRAMS_DIR}/runner)
add_library(ringzero_guest_programs STATIC
  ${GUEST_RUNNER_DIR}/guest_program.cpp ${GUEST_RUNNER_DIR}/start_state.cpp ${GUEST_RUNNER_DIR}/verdict.cpp)
target_compile_options(ringzero_guest_programs PRIVATE -Wall -Wextra)
target_compile_definitions(ringzero_guest_programs INTERFACE GUEST_PROGRAMS_DIR="${GUEST_PROGRAMS_DIR}")

add_executable(engine_guest_test test/guests/engine_main.cpp)
target_link_libraries(engine_guest_test PRIVATE ringzero_guest_programs ringzero_engine_core pthread)
target_compile_options(engine_guest_test PRIVATE -Wall -Wextra)

add_executable(kvm_guest_test ${GUEST_RUNNER_DIR}/kvm_main.cpp)
target_link_libraries(kvm_guest_test PRIVATE ringzero_guest_programs pthread)
target_compile_options(kvm_guest_test PRIVATE -Wall -Wextra)

# The same programs in lockstep: as it ships against one instruction a block, or against the host's KVM.
add_executable(engine_step_test test/guests/lockstep_main.cpp)
target_link_libraries(engine_step_test PRIVATE ringzero_guest_programs ringzero_twin ringzero_engine_core pthread)
target_compile_options(engine_step_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
