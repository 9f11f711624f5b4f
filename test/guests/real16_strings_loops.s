# 16-bit string instructions wrap SI and DI at 64 KiB and count in CX; 32-bit address size uses ESI, EDI and ECX; LOOP and
# JCXZ in both sizes; 32-bit operands in 16-bit code; 16-bit jumps wrap IP.
#! start:  real16
#! expect: done
.include "guest.inc"
.include "catch16.inc"
.globl start
start:  install_ivt
        mov     ax, 0x2000
        mov     es, ax
        mov     di, 0xfffe
        mov     cx, 4
        mov     al, 0x5a
        rep stosb                               # wraps to the start of the segment
        check_eq di, 2
        check_eq "word ptr es:[0xfffe]", 0x5a5a
        check_eq "word ptr es:[0]", 0x5a5a
        mov     edi, 0x12340010                 # the upper half is kept
        mov     ecx, 0x00050002
        mov     ax, 0x1122
        rep stosw
        check_eq edi, 0x12340014
        check_eq ecx, 0x00050000
        mov     edi, 0x20
        mov     ecx, 0x3
        mov     eax, 0x11223344
        .byte   0x67
        rep stosd
        check_eq edi, 0x2c
        check_eq "dword ptr es:[0x28]", 0x11223344
        mov     ecx, 0x10003
        xor     ax, ax
1:      inc     ax
        loop    1b                              # CX
        check_eq ax, 3
        check_eq ecx, 0x10000
        jcxz    2f
        fail
2:      jecxz   3f
        jmp     4f
3:      fail
4:      mov     ecx, 3
        xor     ax, ax
5:      inc     ax
        addr32 loop 5b
        check_eq ax, 3
        mov     eax, 0x12345678
        push    eax
        pop     bx
        pop     cx
        check_eq bx, 0x5678
        check_eq cx, 0x1234
        movzx   eax, bx
        check_eq eax, 0x5678
        mov     eax, -1
        inc     ax                              # only the lower half
        check_eq eax, 0xffff0000
        lea     ebx, [eax + 5]
        check_eq ebx, 0xffff0005
        lea     bx, [eax + 7]
        check_eq ebx, 0xffff0007
        pusha
        mov     sp, STACK_TOP - 16
        popa
        check_eq sp, STACK_TOP
        mov     ax, 0x1234
        mov     ss, ax
        xor     ax, ax
        mov     ss, ax
        enter   8, 0
        check_eq sp, (STACK_TOP - 10)
        leave
        check_eq sp, STACK_TOP
        kvm_differs 6f                          # no decimal adjustment in its emulator
        mov     al, 0x99
        add     al, 0x01
        daa
        check_if c
        check_eq al, 0
        mov     ax, 0x0107
        aad
        check_eq ax, 17
        aam
        check_eq ax, 0x0107
6:      done
