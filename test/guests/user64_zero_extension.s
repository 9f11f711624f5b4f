# 32-bit results clear the upper half of their register, 8- and 16-bit results keep it, and the odd cases: CMOV that is
# not taken, NOP that looks like XCHG EAX,EAX, XCHG R8D,EAX, sign extensions, MOVSXD, BSWAP.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     rax, -1
        mov     rbx, rax
        mov     rcx, rax
        mov     rdx, rax
        add     eax, 0
        mov     r8d, 0xffffffff
        check_eq rax, r8
        xor     ebx, ebx
        check_eq rbx, 0
        mov     cl, 0
        check_eq rcx, 0xffffffffffffff00
        mov     cx, 0
        check_eq rcx, 0xffffffffffff0000
        cmp     ecx, ecx
        cmovne  edx, ecx                        # not taken, still clears
        check_eq rdx, r8
        mov     rax, -1
        .byte   0x90                            # NOP, not a 32-bit XCHG
        check_eq rax, -1
        .byte   0x87, 0xc0                      # XCHG EAX,EAX spelled out does clear
        check_eq rax, r8
        mov     rax, -1
        mov     r9, rax
        xchg    r9d, eax
        check_eq rax, r8
        check_eq r9, r8
        mov     eax, 0x80000000
        cdqe
        mov     rcx, 0xffffffff80000000
        check_eq rax, rcx
        mov     rdx, 5
        cdq
        check_eq rdx, r8
        cqo
        check_eq rdx, -1
        mov     ax, 0x8000
        cwde
        mov     ecx, 0xffff8000
        check_eq rax, rcx
        cbw
        check_eq ax, 0
        mov     ecx, 0x80000001
        movsxd  rdx, ecx
        mov     rax, 0xffffffff80000001
        check_eq rdx, rax
        mov     rax, 0x1122334455667788
        bswap   eax
        mov     ecx, 0x88776655
        check_eq rax, rcx
        mov     rax, -1
        lea     eax, [rax + 1]
        check_eq rax, 0
        mov     rcx, -1
        movzx   ecx, cl
        check_eq rcx, 0xff
        mov     rdx, -1
        mov     eax, 2
        mov     ecx, 3
        mul     ecx
        check_eq rdx, 0
        mov     rdx, -1
        imul    edx, ecx, 5
        check_eq rdx, 15
        mov     r10, -1
        shr     r10d, 0                         # count 0 still clears
        check_eq r10, r8
        mov     r11, -1
        mov     ecx, 0
        sete    r11b
        shl     r11d, cl
        mov     ecx, r11d
        check_eq r11, rcx
        done
