# The Node addon (ringzero_bt.node). Built by cmake-js, or by plain cmake when node-api-headers is installed; without either
# the engine and its program are built alone.
include(${RINGZERO_NATIVE_DIR}/cmake/ringzero_addon.cmake)
ringzero_addon(ringzero_bt binding/addon.cpp binding/start_engine.cpp)
