# Real mode: INT, IRET and IF, exceptions that point at the instruction, INTO, INT3, far CALL and RET, vector table moved
# by LIDT, frames of 16 bits.
#! start:  real16
#! expect: done
.include "guest.inc"
.include "catch16.inc"
.globl start
start:  install_ivt
        mov     word ptr [0x40 * 4], offset service
        mov     word ptr [0x40 * 4 + 2], 0x100  # another segment: 1000h below
        sub     word ptr [0x40 * 4], 0x1000
        mov     al, 0xff
        out     0x21, al
        out     0xa1, al
        sti
        stc
        int     0x40
1:      check_if nc                             # the service cleared CF in the frame
        check_eq bx, 0x1234
        check_eq "word ptr [saved_ip]", "offset 1b"
        pushf
        pop     ax
        test    ax, IF
        check_if nz
        cli
        check_eq cx, 2                          # IF was clear inside
        xor     dx, dx
        mov     ax, 5
        xor     cx, cx
        catch   3f
2:      div     cx
        fail
3:      check_caught 0, 2b
        catch   3f
2:      ud2
        fail
3:      check_caught 6, 2b
        catch   3f
        int3
2:      fail
3:      check_caught 3, 2b
        mov     al, 0x7f
        catch   3f
        into                                    # OF clear: nothing
        inc     al
        into
2:      fail
3:      check_caught 4, 2b
        call    0x200:far_function - 0x2000
        check_eq ax, 0x77
        check_eq sp, STACK_TOP
        # 32-bit far return in real mode.
        .byte   0x66
        push    0                               # CS, as 32 bits
        .byte   0x66, 0x68                      # PUSH imm32
        .long   4f
        .byte   0x66
        retf
        fail
4:      check_eq sp, STACK_TOP
        # The vector table somewhere else.
        mov     si, 0
        mov     di, 0x3000
        mov     cx, 0x200
        rep movsw
        mov     word ptr [0x3000 + 0x40 * 4], offset moved
        mov     word ptr [0x3000 + 0x40 * 4 + 2], 0
        lidt    [pointer]
        int     0x40
        check_eq bx, 0x9999
        # IRET loads all 16 flags.
        pushf
        push    cs
        push    offset 5f
        push    bp
        mov     bp, sp
        mov     word ptr [bp + 6], 0x0cd7
        pop     bp
        iret
5:      pushf
        pop     ax
        cld
        and     ax, 0xfd5
        check_eq ax, (OF | DF | SF | ZF | AF | PF | CF)
        done
service:
        push    bp
        mov     bp, sp
        mov     ax, [bp + 2]
        mov     [saved_ip], ax
        and     word ptr [bp + 6], 0xfffe
        pop     bp
        pushf
        pop     cx
        and     cx, IF | 2
        mov     bx, 0x1234
        mov     ax, cs
        check_eq ax, 0x100
        iret
moved:  mov     bx, 0x9999
        iret
far_function:
        mov     ax, cs
        check_eq ax, 0x200
        mov     ax, 0x77
        retf
saved_ip:
        .word   0
.balign 8
pointer:
        .word   0x3ff
        .long   0x3000
