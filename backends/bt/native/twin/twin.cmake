# The translator beside the host's KVM, instruction by instruction. Included by ../CMakeLists.txt.
add_library(ringzero_twin STATIC twin/recording_bus.cpp twin/kvm_twin.cpp twin/comparable.cpp
  twin/kvm_lockstep.cpp twin/kvm_compare.cpp)
target_include_directories(ringzero_twin PUBLIC ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/engine)
target_compile_options(ringzero_twin PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
# vCPU threads are in it while the guest's vector state is live in the host's registers.
set_source_files_properties(twin/recording_bus.cpp PROPERTIES COMPILE_OPTIONS "-mgeneral-regs-only")
target_link_libraries(ringzero_twin PUBLIC ringzero_engine_core ringzero_native_state)
