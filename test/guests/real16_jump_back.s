# A jump backward inside a page of real-mode code, behind which a block goes on: below where it began, and inside the limit of CS.
#! start:  real16
#! expect: done
.include "guest.inc"
.code16
.globl start
start:  xor     bx, bx
        jmp     2f
1:      inc     bx
        cmp     bx, 5
        je      3f
2:      add     ax, bx
        jmp     1b
3:      check_eq bx, 5
        done
