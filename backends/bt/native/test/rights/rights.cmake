# Page rights and page-fault error codes of translated code, against a model of the manual.
add_executable(engine_rights_test test/rights/main.cpp)
target_link_libraries(engine_rights_test PRIVATE ringzero_guest_programs ringzero_engine_core pthread)
target_compile_options(engine_rights_test PRIVATE -Wall -Wextra -Wno-missing-field-initializers)
add_test(NAME engine_rights COMMAND engine_rights_test)
