# No usable IDT: the processor shuts down.
#! start:  long64
#! expect: shutdown
.include "guest.inc"
.globl start
start:  lidt    [empty]
        ud2
        done
.balign 8
empty:  .word   0
        .quad   0
