# AH, CH, DH and BH beside SPL, BPL, SIL, DIL and R8B: which prefix means which, operations between high and low bytes,
# with memory, and that all other bits stay.
#! start:  long64
#! expect: rsp=0x7c00
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     rax, 0x1122334455667788
        mov     rbx, 0xaabbccddeeff0102
        mov     ah, bh
        mov     rcx, 0x1122334455660188
        check_eq rax, rcx
        add     ah, al                          # 01 + 88
        check_eq ah, 0x89
        check_eq al, 0x88
        xchg    al, ah
        check_eq ax, 0x8889
        movzx   ecx, ah
        check_eq ecx, 0x88
        movsx   ecx, bh
        check_eq ecx, 1
        movsx   cx, ah
        check_eq cx, 0xff88
        mov     byte ptr [cell], 0x7e
        mov     dh, [cell]
        check_eq dh, 0x7e
        add     [cell], dh
        check_flags (OF | SF | CF), (OF | SF)
        check_eq "byte ptr [cell]", 0xfc
        mov     rsi, -1
        mov     sil, 0x12
        check_eq rsi, 0xffffffffffffff12
        mov     rbp, 0x3344
        mov     r8, -1
        mov     r8b, bpl
        check_eq r8, 0xffffffffffffff44
        mov     dil, r8b
        check_eq dil, 0x44
        mov     rcx, rsp
        mov     r9b, spl
        check_eq r9b, 0
        check_eq rcx, 0x7c00
        mov     ah, 5
        mov     al, 7
        mul     ah
        check_eq ax, 35
        mov     ax, 0x0709
        mov     bh, 4
        catch   1f
        div     bh                              # 1801 / 4 does not fit AL
        fail
1:      check_caught 0
        mov     ax, 0x0109                      # 265 / 4
        div     bh
        check_eq al, 66
        check_eq ah, 1
        setc    ch
        inc     ch
        dec     bh
        check_eq bh, 3
        mov     cl, 4
        mov     ah, 0xf0
        shr     ah, cl
        check_eq ah, 0x0f
        neg     ah
        check_eq ah, 0xf1
        not     ah
        check_eq ah, 0x0e
        test    ah, 0x10
        check_if z
        cmp     ah, bh
        check_if a
        done
cell:   .quad 0
