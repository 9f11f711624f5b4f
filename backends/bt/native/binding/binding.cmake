# The Node addon (ringzero_bt.node). Built by cmake-js, or by plain cmake when node-api-headers is installed; without either
# the engine and its program are built alone.
if(NOT CMAKE_JS_INC)
  execute_process(COMMAND node -p "require('node-api-headers').include_dir"
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/.. OUTPUT_VARIABLE CMAKE_JS_INC
    OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
execute_process(COMMAND node -p "require('node-addon-api').include_dir"
  WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/.. OUTPUT_VARIABLE NODE_ADDON_API_DIR
  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NODE_ADDON_API_DIR)
  get_filename_component(NODE_ADDON_API_DIR "${NODE_ADDON_API_DIR}" ABSOLUTE BASE_DIR ${CMAKE_CURRENT_SOURCE_DIR}/..)
endif()

if(CMAKE_JS_INC AND EXISTS "${NODE_ADDON_API_DIR}/napi.h")
  add_library(ringzero_bt SHARED binding/addon.cpp binding/vm_object.cpp binding/vm_methods.cpp binding/vm_core.cpp ${CMAKE_JS_SRC})
  set_target_properties(ringzero_bt PROPERTIES PREFIX "" SUFFIX ".node")
  target_include_directories(ringzero_bt PRIVATE ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
  target_compile_definitions(ringzero_bt PRIVATE NAPI_VERSION=9 NODE_ADDON_API_DISABLE_DEPRECATED NODE_ADDON_API_ENABLE_MAYBE
    NAPI_DISABLE_CPP_EXCEPTIONS)
  target_compile_options(ringzero_bt PRIVATE -fvisibility=hidden -Wall -Wextra -Wno-missing-field-initializers)
  # The nursery thread lives as long as the program: the addon must stay mapped when a worker that loaded it ends.
  target_link_options(ringzero_bt PRIVATE -Wl,-z,nodelete -Wl,-z,defs -Wl,--unresolved-symbols=ignore-in-object-files)
  target_link_libraries(ringzero_bt PRIVATE ringzero_native_host ${CMAKE_JS_LIB})
else()
  message(STATUS "node-api-headers or node-addon-api not found: building without the addon")
endif()
