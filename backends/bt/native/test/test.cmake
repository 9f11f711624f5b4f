# Unit tests of the engine and of the native code it shares; one line per folder.
include(test/irq/irq.cmake OPTIONAL)
include(test/guests/guests.cmake OPTIONAL)
include(test/decode/decode.cmake)
include(test/bare/bare.cmake OPTIONAL)
include(test/diff/diff.cmake)
include(test/transport/transport.cmake OPTIONAL)
include(test/cpu/cpu.cmake)
include(test/verify/verify.cmake)
