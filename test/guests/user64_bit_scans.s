# TZCNT and LZCNT where CPUID reports them, and BSF and BSR under the same bytes where it does not: the prefix is ignored
# then, as 8086 code with stray prefixes and compilers that write "rep bsf" rely on.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     ebx, 0x00800100
        rep bsf eax, ebx
        check_eq eax, 8
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        test    ebx, 8                          # BMI1
        jz      1f
        xor     ebx, ebx
        mov     eax, 77
        .byte   0xf3, 0x0f, 0xbc, 0xc3          # TZCNT EAX,EBX
        check_if c
        check_eq eax, 32
        jmp     2f
1:      xor     ebx, ebx
        mov     eax, 77
        .byte   0xf3, 0x0f, 0xbc, 0xc3
        check_if z
        check_eq eax, 77
2:      mov     eax, 0x80000001
        cpuid
        mov     ebx, 0x00800100
        mov     eax, 77
        test    ecx, 0x20                       # LZCNT
        jz      1f
        .byte   0xf3, 0x0f, 0xbd, 0xc3
        check_eq eax, 8
        done
1:      .byte   0xf3, 0x0f, 0xbd, 0xc3
        check_eq eax, 23
        .byte   0xf3, 0x66, 0xf3, 0x41, 0x0f, 0xbd, 0xc0        # prefixes in any number and order
        done
