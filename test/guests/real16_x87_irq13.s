# CR0.NE clear: an unmasked x87 exception is IRQ 13 before the next waiting instruction, which runs once the handler has
# cleared the exception; writing port F0h drops the line, and lets FWAIT go on in spite of the exception.
#! start:  real16
#! expect: done
#! kvm-differs: KVM has no FERR# and raises #MF
.include "guest.inc"
.code16
.globl start
start:  cli
        mov     eax, cr0
        and     eax, ~0x2e                      # NE, TS, EM, MP
        mov     cr0, eax
        mov     word ptr [0x75 * 4], offset irq13
        mov     word ptr [0x75 * 4 + 2], 0
        mov     al, 0x11
        out     0x20, al
        out     0xa0, al
        mov     al, 8
        out     0x21, al
        mov     al, 0x70
        out     0xa1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xa1, al
        mov     al, 1
        out     0x21, al
        out     0xa1, al
        mov     al, 0xfb                        # the cascade
        out     0x21, al
        mov     al, 0xdf                        # line 13
        out     0xa1, al
        xor     bx, bx
        mov     cx, 3
1:      fninit
        fldcw   [unmasked]
        sti
        fld1
        fldz
        fdivp                                   # 1 / 0, noticed by the next
        nop
        dec     cx
        check_ne bx, 0x99                       # flags and integers go on meanwhile
2:      fld1
        cli
        jcxz    3f
        jmp     1b
3:      check_eq bx, 3
        check_eq "word ptr [resumed]", "offset 2b"
        # A masked exception is none.
        fninit
        sti
        fld1
        fldz
        fdivp
        fld1
        fwait
        cli
        check_eq bx, 3
        # FWAIT notices too.
        fninit
        fldcw   [unmasked]
        sti
        fld1
        fldz
        fdivp
4:      fwait
        cli
        check_eq bx, 4
        check_eq "word ptr [resumed]", "offset 4b"
        done
irq13:  push    ax
        push    bp
        mov     bp, sp
        mov     ax, [bp + 4]
        mov     [resumed], ax
        out     0xf0, al
        fwait                                   # ignored
        fnstsw  ax
        test    al, 4                           # ZE
        check_if nz
        inc     bx
        fnclex
        fwait
        mov     al, 0x20
        out     0xa0, al
        out     0x20, al
        pop     bp
        pop     ax
        iret
unmasked: .word 0x37b
resumed: .word  0
