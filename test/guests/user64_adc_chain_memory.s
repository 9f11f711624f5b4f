# 256-bit addition and subtraction with ADC and SBB on memory: CF has to live through address computation and the
# memory access itself, with loop counters that keep it.
#! start:  long64
#! expect: mem[sum:8]=0
#! expect: rbx=0x1 rsi=8
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     ecx, 4
        xor     esi, esi                        # clears CF
1:      mov     rax, [left + rsi * 8]
        adc     [sum + rsi * 8], rax
        lea     rsi, [rsi + 1]
        dec     ecx
        jnz     1b
        setc    bl                              # the carry out of 256 bits
        movzx   ebx, bl
        check_eq "qword ptr [sum + 16]", 0
        check_eq "qword ptr [sum + 24]", 0
        lea     rdi, [sum]
        mov     ecx, 4
        clc
2:      mov     rax, [left + rsi * 8 - 32]
        sbb     [rdi], rax
        lea     rdi, [rdi + 8]
        lea     rsi, [rsi + 1]
        loop    2b
        check_if c                              # 0 - left borrows
        check_eq "qword ptr [sum]", -1
        check_eq "qword ptr [sum + 8]", -3
        check_eq "qword ptr [sum + 16]", -4
        check_eq "qword ptr [sum + 24]", -5
        mov     qword ptr [sum], 0
        mov     qword ptr [sum + 8], 0
        stc
        adc     dword ptr [sum + 28], 1         # 32 bits, at the high half
        check_eq "dword ptr [sum + 28]", 1
        stc
        sbb     byte ptr [sum + 27], 0xff
        check_flags CF, CF
        done
.balign 8
left:   .quad 1, 2, 3, 4
sum:    .quad -1, -3, -4, -5
