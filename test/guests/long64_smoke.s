# The start state and the end of a program: a carry out of every bit.
#! start:  long64
#! expect: rax=0 rbx=5 rsp=0x7c00 set=CF|PF|AF|ZF clear=SF|OF mem[value:8]=0x1122334455667788
.include "guest.inc"
.globl start
start:
        mov     ebx, 5
        mov     rax, 0x1122334455667788
        mov     [value], rax
        mov     rax, -1
        add     rax, 1
        done
value:   .quad   0
