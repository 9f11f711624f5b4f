# Code that jumps back to before the place where its block began, under the limit of CS of real mode: the limit holds for
# where the code is, not for how it was reached.
#! start:  real16
#! expect: rbx=0x1235 rcx=0 done
.include "guest.inc"
.globl start
start:  .code16
        mov     cx, 2
        jmp     behind
        .skip   64, 0x90
before: add     bx, 0x1234
        dec     cx
        jz      over
        jmp     behind2
        .skip   32, 0x90
behind: xor     bx, bx
        jmp     before
behind2:
        mov     bx, 1
        jmp     before
over:   done
