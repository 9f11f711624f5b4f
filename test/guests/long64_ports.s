# IN and OUT of all widths, by immediate and by DX, EAX's upper half, INS and OUTS with REP.
#! start:  long64
#! expect: done
.include "guest.inc"
.globl start
start:  mov     rax, -1
        mov     dx, 0x300
        in      al, dx
        check_eq rax, 0xffffffffffffff11
        in      ax, dx
        check_eq rax, 0xffffffffffff2211
        in      eax, dx
        mov     ecx, 0x44332211
        check_eq rax, rcx                       # upper half cleared
        mov     dx, 0x302
        in      ax, dx
        check_eq ax, 0x4433
        mov     eax, 0x12345678
        out     dx, al
        mov     dx, 0x314
        in      eax, dx
        check_eq eax, 0x78
        mov     eax, 0xabcdef01
        mov     dx, 0x304
        out     dx, eax
        mov     dx, 0x314
        in      eax, dx
        check_eq eax, 0xabcdef01
        mov     dx, 0x318
        in      eax, dx
        check_eq eax, 4
        mov     edi, SCRATCH
        mov     ecx, 3
        mov     dx, 0x300
        rep insw
        check_eq "dword ptr [SCRATCH]", 0x22112211
        check_eq edi, SCRATCH + 6
        lea     rsi, [text]
        mov     ecx, 4
        rep outsb
        check_eq ecx, 0
        mov     dx, 0x314
        in      eax, dx
        check_eq eax, 'd'
        mov     dx, 0x310
        in      eax, dx
        check_eq eax, 6
        done
text:   .ascii "abcd"
