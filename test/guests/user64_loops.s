# LOOP, LOOPE, LOOPNE, JRCXZ and JECXZ: which register counts, and that no flag changes.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        xor     eax, eax
        mov     ecx, 5
1:      inc     eax
        loop    1b
        check_eq eax, 5
        check_eq rcx, 0
        mov     rcx, 0x100000003
        xor     eax, eax
1:      inc     eax
        addr32 loop 1b                          # ECX counts; the write clears the upper half
        check_eq eax, 3
        check_eq rcx, 0
        mov     ecx, 10
        xor     eax, eax
1:      inc     eax
        cmp     eax, 4
        loopne  1b
        check_eq ecx, 6
        mov     ecx, 10
        xor     eax, eax
1:      inc     eax
        cmp     eax, 0
        loope   1b
        check_eq ecx, 9
        mov     ecx, 3
        set_flags ARITH
1:      loop    1b
        check_flags ARITH, ARITH
        xor     ecx, ecx
        jrcxz   1f
        fail
1:      mov     rcx, 0x100000000
        jrcxz   2f
        jecxz   1f
2:      fail
1:      mov     ecx, 1
        jecxz   2b
        mov     ecx, 0                          # LOOP from 0 wraps: 2^64 rounds, so leave after two
        xor     eax, eax
1:      inc     eax
        cmp     eax, 2
        je      1f
        loop    1b
        fail
1:      check_eq rcx, -1
        done
