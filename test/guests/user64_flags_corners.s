# Arithmetic flags where they are easy to get wrong: carries out of every width, overflow, INC/DEC keeping CF, NEG of 0
# and of the smallest number, logic clearing CF and OF.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     al, 0x7f
        add     al, 1
        check_flags ARITH, (OF | SF | AF)
        mov     ax, 0xffff
        add     ax, 1
        check_flags ARITH, (CF | PF | AF | ZF)
        mov     eax, 0x80000000
        add     eax, eax
        check_flags ARITH, (CF | OF | PF | ZF)
        mov     rax, 0x7fffffffffffffff
        sub     rax, -1
        check_flags ARITH, (CF | OF | SF | PF)
        set_flags CF
        mov     eax, 0xffffffff
        inc     eax
        check_flags ARITH, (CF | PF | AF | ZF)
        set_flags 0
        dec     eax
        check_flags ARITH, (PF | AF | SF)
        set_flags CF
        mov     al, 0x7f
        inc     al
        check_flags ARITH, (CF | OF | SF | AF)
        xor     eax, eax
        neg     eax
        check_flags ARITH, (PF | ZF)
        mov     rax, 0x8000000000000000
        neg     rax
        check_flags ARITH, (CF | OF | SF | PF)
        set_flags CF | OF
        mov     eax, 0x80
        or      al, al
        check_flags (CF | OF | ZF | SF | PF), SF
        set_flags ARITH
        not     eax
        check_flags ARITH, ARITH
        set_flags 0
        mov     al, 0xff
        stc
        adc     al, 0
        check_flags ARITH, (CF | PF | AF | ZF)
        set_flags CF
        mov     al, 0x80
        sbb     al, 0x7f
        check_flags ARITH, (OF | PF | ZF | AF)
        set_flags 0
        cmc
        check_flags ARITH, CF
        cld
        std
        pushfq
        pop     rax
        cld
        bt      eax, 10
        check_if c
        set_flags ARITH
        lahf
        check_eq ah, 0xd7
        set_flags ARITH
        mov     ah, 0
        sahf
        check_flags ARITH, OF
        set_flags 0
        mov     eax, -1
        imul    eax, eax
        check_flags (CF | OF), 0
        mov     eax, 0x10000
        imul    eax, eax
        check_flags (CF | OF), (CF | OF)
        mov     eax, 0x80000000
        mov     ecx, 2
        mul     ecx
        check_flags (CF | OF), (CF | OF)
        check_eq edx, 1
        done
