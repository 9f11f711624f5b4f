# STI and MOV SS hold interrupts off for one instruction, POPF and IRETQ do not. The PIC's timer interrupt is kept waiting
# for each test.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
# One tick, 0.2 ms from now: a periodic one might come twice where the host is busy.
.macro arm
        mov     al, 0x30                        # mode 0: interrupt on terminal count
        out     0x43, al
        mov     al, 0xf0
        out     0x40, al
        mov     al, 0
        out     0x40, al
.endm
.macro wait_pending
        arm
7776:   mov     al, 0x0a                        # read the interrupt request register
        out     0x20, al
        in      al, 0x20
        test    al, 1
        jz      7776b
.endm
.globl start
start:  install_idt
        mov     word ptr [idt_pointer64], 0xfff
        set_gate 0x20, timer
        mov     al, 0x11                        # PICs: vectors 20h and 28h, all masked but IRQ 0
        out     0x20, al
        out     0xa0, al
        mov     al, 0x20
        out     0x21, al
        mov     al, 0x28
        out     0xa1, al
        mov     al, 4
        out     0x21, al
        mov     al, 2
        out     0xa1, al
        mov     al, 1
        out     0x21, al
        out     0xa1, al
        mov     al, 0xfe
        out     0x21, al
        mov     al, 0xff
        out     0xa1, al
        wait_pending
        kvm_differs 9f                          # its interrupts come some instructions late
        xor     ebx, ebx
        sti
1:      nop                                     # still in the shadow
2:      nop
        cli
        check_eq ebx, 1
        check_eq "qword ptr [where]", "offset 2b"
        wait_pending
        mov     ax, ss
        sti
        mov     ss, ax                          # the second shadow does not extend the first
3:      nop
4:      nop
        cli
        check_eq ebx, 2
        cmp     qword ptr [where], offset 3b
        je      5f
        check_eq "qword ptr [where]", "offset 4b"
5:      wait_pending
        push    IF | 2
        popfq                                   # no shadow
6:      nop
        cli
        check_eq ebx, 3
        check_eq "qword ptr [where]", "offset 6b"
        wait_pending
        sti
        cli                                     # never enabled in between
        check_eq ebx, 3
        sti
        hlt                                     # the pending one comes after STI's shadow: HLT is woken
7:      cli
        check_eq ebx, 4
        check_eq "qword ptr [where]", "offset 7b"
9:      mov     ebx, 4
        mov     ecx, 3                          # real wake-ups
8:      arm
        sti
        hlt
        cli
        loop    8b
        check_eq ebx, 7
        done
timer:  inc     ebx
        push    rax
        mov     rax, [rsp + 8]
        mov     [where], rax
        mov     al, 0x20
        out     0x20, al
        pop     rax
        iretq
.balign 8
where:  .quad   0
