# ringzero_addon(NAME SOURCES…): a backend's Node addon, NAME.node. SOURCES define its entry and rz::binding::start_engine
# (src/binding/start_engine.h); the rest of src/binding is compiled in here. Nothing is built where the headers of
# Node's API are not found, so that engines can be built without Node.
set(RINGZERO_BINDING_DIR ${CMAKE_CURRENT_LIST_DIR}/../src/binding)

function(ringzero_addon NAME)
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
  if(NOT CMAKE_JS_INC OR NOT EXISTS "${NODE_ADDON_API_DIR}/napi.h")
    message(STATUS "node-api-headers or node-addon-api not found: building without the addon ${NAME}")
    return()
  endif()
  add_library(${NAME} SHARED ${ARGN} ${RINGZERO_BINDING_DIR}/vm_object.cpp ${RINGZERO_BINDING_DIR}/vm_methods.cpp
    ${RINGZERO_BINDING_DIR}/vm_core.cpp ${CMAKE_JS_SRC})
  set_target_properties(${NAME} PROPERTIES PREFIX "" SUFFIX ".node")
  target_include_directories(${NAME} PRIVATE ${CMAKE_JS_INC} ${NODE_ADDON_API_DIR})
  target_compile_definitions(${NAME} PRIVATE NAPI_VERSION=9 NODE_ADDON_API_DISABLE_DEPRECATED NODE_ADDON_API_ENABLE_MAYBE
    NAPI_DISABLE_CPP_EXCEPTIONS)
  target_compile_options(${NAME} PRIVATE -fvisibility=hidden -Wall -Wextra -Wno-missing-field-initializers)
  # Threads outlive the worker that loaded the addon: it must stay mapped.
  target_link_options(${NAME} PRIVATE -Wl,-z,nodelete -Wl,-z,defs -Wl,--unresolved-symbols=ignore-in-object-files)
  target_link_libraries(${NAME} PRIVATE ringzero_native_host ${CMAKE_JS_LIB})
endfunction()
