# Shifts and rotates: count 0 keeps every flag, counts are masked to 5 or 6 bits, rotates write CF and OF only,
# RCL and RCR through carry, double shifts, BMI-free forms on memory.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     eax, 0x80000001
        xor     ecx, ecx
        set_flags ARITH
        shl     eax, cl
        shr     eax, cl
        sar     eax, cl
        rol     eax, cl
        rcr     eax, cl
        shld    eax, edx, cl
        shl     eax, 0
        check_flags ARITH, ARITH
        check_eq eax, 0x80000001
        set_flags 0
        mov     cl, 32                          # masked to 0 for 32 bits, not for 64
        shl     eax, cl
        check_flags ARITH, 0
        mov     rax, 0xffffffff80000001
        shl     eax, cl                         # count 0, but a 32-bit destination clears the upper half
        mov     edx, 0x80000001
        check_eq rax, rdx
        shl     rax, cl
        mov     rdx, 0x8000000100000000
        check_eq rax, rdx
        mov     al, 0x81
        shl     al, 1
        check_flags (CF | OF | ZF | SF | PF), (CF | OF)
        mov     al, 0x81
        sar     al, 1
        check_flags (CF | OF | ZF | SF | PF), (CF | SF | PF)
        check_eq al, 0xc0
        mov     al, 0x81
        mov     cl, 9                           # 8-bit operand, count 9 of 31: all bits out
        shr     al, cl
        check_flags (ZF | SF | PF), (ZF | PF)
        check_eq al, 0
        set_flags (ZF | SF | AF | PF)
        mov     ax, 0x8001
        rol     ax, 1
        check_flags ARITH, (ZF | SF | AF | PF | CF | OF)
        check_eq ax, 3
        set_flags CF
        mov     al, 0
        rcl     al, 1
        check_flags CF, 0
        check_eq al, 1
        mov     cl, 9                           # a full turn through carry for 8 bits
        stc
        mov     al, 0x5a
        rcr     al, cl
        check_flags CF, CF
        check_eq al, 0x5a
        mov     cl, 8
        mov     ax, 0x1234
        ror     al, cl                          # a full turn: CF is the top bit
        check_flags CF, 0
        check_eq ax, 0x1234
        mov     rax, 0x8000000000000000
        mov     rdx, 0xf000000000000000
        shld    rax, rdx, 4
        check_eq rax, 15
        mov     dword ptr [cell], 0x12345678
        mov     eax, 0xabcdef01
        mov     cl, 8
        shrd    [cell], eax, cl
        check_eq "dword ptr [cell]", 0x01123456
        stc
        rcl     dword ptr [cell], 1
        check_eq "dword ptr [cell]", 0x022468ad
        sar     dword ptr [cell], cl
        done
cell:   .quad 0
