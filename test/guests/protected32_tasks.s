# Hardware task switches: JMP, CALL, IRET and a task gate in the IDT, between 32-bit and 16-bit state segments; busy bits, back link,
# NT, CR0.TS, what is saved where, the error code on the new task's stack, the T flag; a busy or short target changes nothing.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no task switches
.include "guest.inc"
.code32
.include "catch32.inc"
.set TSS_A, 0x110000
.set TSS_B, 0x111000
.set TSS_C, 0x112000                            # 16-bit
.set STACK_B, 0x121000
.set STACK_C, 0x8000 - 0x100
.set SEL_A, 0x48
.set SEL_B, 0x50
.set SEL_C, 0x58
.set GATE_B, 0x60
.set CODE16BASED, 0x68
.macro busy selector:req, want:req
        mov     al, [GDT + \selector + 5]
        and     al, 2
        check_eq al, \want
.endm
.macro fresh_b entry:req
        mov     dword ptr [GDT + SEL_B + 4], (0x89 << 8) | 0x11
        mov     dword ptr [TSS_B], 0
        mov     dword ptr [TSS_B + 0x20], offset \entry
        mov     dword ptr [TSS_B + 0x24], 2
        mov     dword ptr [TSS_B + 0x28], 0x0b0000a0    # EAX
        mov     dword ptr [TSS_B + 0x34], 0x0b0000b0    # EBX
        mov     dword ptr [TSS_B + 0x38], STACK_B
        mov     dword ptr [TSS_B + 0x48], DATA
        mov     dword ptr [TSS_B + 0x4c], CODE32
        mov     dword ptr [TSS_B + 0x50], DATA
        mov     dword ptr [TSS_B + 0x54], DATA
        mov     dword ptr [TSS_B + 0x58], 0
        mov     dword ptr [TSS_B + 0x5c], 0
        mov     dword ptr [TSS_B + 0x60], 0
        mov     dword ptr [TSS_B + 0x64], 0
.endm
.globl start
start:  install_idt
        descriptor SEL_A, TSS_A, 0x67, 0x089
        descriptor SEL_B, TSS_B, 0x67, 0x089
        descriptor SEL_C, TSS_C, 0x2b, 0x081
        descriptor CODE16BASED, 0, 0xffff, 0x09b
        mov     dword ptr [GDT + GATE_B], SEL_B << 16
        mov     dword ptr [GDT + GATE_B + 4], 0x8500
        mov     eax, SEL_A
        ltr     ax
        busy    SEL_A, 2

        # CALL: nested, with the link and both busy; IRET comes back, and the next time B goes on behind its IRET.
        fresh_b called
        mov     ebx, 0x0a0000b0
        mov     esi, 0x0a000051
        stc
        call    SEL_B:0
        check_if c                              # flags of A are back
        check_eq ebx, 0x0a0000b0
        check_eq esi, 0x0a000051
        check_eq esp, STACK_TOP
        check_eq "dword ptr [SCRATCH]", 0x0b0000a0
        check_eq "dword ptr [SCRATCH + 4]", STACK_B
        check_eq "dword ptr [SCRATCH + 8]", 1   # NT in B, TS set
        check_eq "dword ptr [SCRATCH + 12]", 1
        check_eq "word ptr [TSS_B]", SEL_A
        str     ax
        check_eq ax, SEL_A
        busy    SEL_A, 2
        busy    SEL_B, 0
        mov     eax, [TSS_B + 0x24]             # IRET cleared NT in what it saved
        and     eax, NT
        check_eq eax, 0
        clts
        call    GATE_B:0                        # through a task gate, to the instruction behind B's IRET
        check_eq "dword ptr [SCRATCH + 16]", 0x77
        busy    SEL_B, 0
        clts

        # JMP: not nested; the old task is no longer busy.
        fresh_b jumped
        jmp     SEL_B:0
back_by_jump:
        check_eq "dword ptr [SCRATCH + 20]", 0
        busy    SEL_A, 2
        busy    SEL_B, 0
        clts

        # A 16-bit task: 16-bit registers, no FS, GS or CR3; from it, IRET to a 32-bit one.
        mov     word ptr [TSS_C + 0x0e], offset small
        mov     word ptr [TSS_C + 0x10], CF | 2
        mov     word ptr [TSS_C + 0x12], 0xc0a0 # AX
        mov     word ptr [TSS_C + 0x1a], STACK_C
        mov     word ptr [TSS_C + 0x22], DATA
        mov     word ptr [TSS_C + 0x24], CODE16BASED
        mov     word ptr [TSS_C + 0x26], DATA16
        mov     word ptr [TSS_C + 0x28], DATA
        mov     word ptr [TSS_C + 0x2a], 0
        mov     eax, DATA
        mov     gs, ax
        mov     eax, 0x0a0000a0
        call    SEL_C:0
        check_eq eax, 0x0a0000a0
        mov     ax, gs
        check_eq ax, DATA
        check_eq "word ptr [CAUGHT + 0x80]", 0xc0a0
        check_eq "word ptr [CAUGHT + 0x82]", STACK_C
        check_eq "word ptr [CAUGHT + 0x84]", 0
        check_eq "word ptr [TSS_C]", SEL_A
        check_eq "word ptr [TSS_C + 0x12]", 0x5c5c
        check_eq "word ptr [TSS_C + 0x0e]", "offset small_end"
        busy    SEL_C, 0
        busy    SEL_A, 2
        clts

        # Through the IDT, with an error code on the new stack: #GP by a selector beyond the GDT.
        fresh_b faulted
        mov     dword ptr [IDT + 13 * 8], SEL_B << 16
        mov     dword ptr [IDT + 13 * 8 + 4], 0x8500
        mov     eax, 0x1230
1:      mov     fs, ax
2:      check_eq "dword ptr [SCRATCH + 24]", 0x1230
        check_eq "dword ptr [SCRATCH + 28]", "offset 1b"
        clts
        call    setup_idt32

        # T: a debug trap in the new task, before its first instruction.
        fresh_b stepped
        mov     dword ptr [TSS_B + 0x64], 1
        mov     eax, 0xffff0ff0
        mov     dr6, eax
        catch   stepped_resume
        jmp     SEL_B:0
        jmp     stepped_done
stepped: mov    dword ptr [SCRATCH + 32], 0xbad
stepped_resume:
        check_caught 1, 0, stepped
        check_eq "dword ptr [SCRATCH + 32]", 0
        mov     eax, dr6
        check_eq eax, 0xffff8ff0
        mov     dword ptr [TSS_B + 0x64], 0
        jmp     SEL_A:0                         # A goes on behind its JMP
stepped_done: nop

        # Refused: busy, null, LDT, short, not present.
        busy    SEL_A, 2
        clts
        catch   1f
2:      jmp     SEL_A:0
        fail
1:      check_caught 13, SEL_A, 2b
        mov     byte ptr [GDT + SEL_B + 5], 0x09
        catch   1f
2:      jmp     SEL_B:0
        fail
1:      check_caught 11, SEL_B, 2b
        mov     byte ptr [GDT + SEL_B + 5], 0x89
        mov     byte ptr [GDT + SEL_B], 0x66
        catch   1f
2:      jmp     SEL_B:0
        fail
1:      check_caught 10, SEL_B, 2b
        mov     byte ptr [GDT + SEL_B], 0x67
        busy    SEL_A, 2
        busy    SEL_B, 0
        mov     eax, cr0                        # nothing switched
        and     eax, 8
        check_eq eax, 0

        # A bad data segment is a fault of the new task, with its registers.
        fresh_b called
        mov     dword ptr [TSS_B + 0x58], GATE_B
        catch   1f
        mov     dword ptr [TSS_B + 0x20], 0x1234
        call    SEL_B:0
        fail
1:      check_eq "dword ptr ds:[caught_vector]", 10
        check_eq "dword ptr ds:[caught_error]", GATE_B
        check_eq "dword ptr ds:[caught_rip]", 0x1234
        str     ax
        check_eq ax, SEL_B
        clts
        done

called: mov     [SCRATCH], eax
        mov     [SCRATCH + 4], esp
        pushf
        pop     eax
        shr     eax, 14
        and     eax, 1
        mov     [SCRATCH + 8], eax
        mov     eax, cr0
        shr     eax, 3
        and     eax, 1
        mov     [SCRATCH + 12], eax
        iretd
        mov     dword ptr [SCRATCH + 16], 0x77
        iretd
jumped: pushf
        pop     eax
        and     eax, NT
        mov     [SCRATCH + 20], eax
        mov     al, [GDT + SEL_A + 5]
        and     eax, 2
        or      [SCRATCH + 20], eax
        jmp     SEL_A:0
.code16
small:  jnc     1f
        mov     [CAUGHT + 0x80], ax
        mov     [CAUGHT + 0x82], sp
        mov     ax, gs
        mov     [CAUGHT + 0x84], ax
        mov     ax, 0x5c5c
1:      iret
small_end:
.code32
faulted: pop    dword ptr [SCRATCH + 24]
        mov     eax, [TSS_A + 0x20]
        mov     [SCRATCH + 28], eax
        add     dword ptr [TSS_A + 0x20], 2         # behind the MOV
        iretd
