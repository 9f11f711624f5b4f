# Every way into another task and back, with what each does to busy bits, NT and the back link: CALL and JMP to a TSS and to a task gate,
# in the GDT and in an LDT; INT n, an exception without error code and one from ring 3 through a task gate in the IDT; back by IRET and
# by JMP. Tasks of ring 3, with an LDT of their own, and with page tables of their own.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no task switches
.include "guest.inc"
.code32
.include "catch32.inc"
.set TSS_A, 0x110000
.set TSS_B, 0x111000
.set LDT, 0x112000
.set LDT_B, 0x113000
.set PAGE_DIRECTORY, 0x114000
.set PAGE_DIRECTORY_B, 0x115000
.set STACK_B, 0x121000
.set STACK_B0, 0x122000
.set SEL_A, 0x48
.set SEL_B, 0x50
.set GATE_B, 0x60                               # of DPL 3
.set SEL_LDT, 0x68
.set SEL_LDT_B, 0x70
.set LDT_GATE, 4 | 8                            # a task gate in the LDT
.set RAN, SCRATCH                               # times that B ran
.set SAW_NT, SCRATCH + 4
.set SAW_LINK, SCRATCH + 8
.set SAW, SCRATCH + 12
.macro busy selector:req, want:req
        mov     al, [GDT + \selector + 5]
        and     al, 2
        check_eq al, \want
.endm
.macro fresh_b entry:req, cs=CODE32, ss=DATA, esp=STACK_B, ldt=0, cr3=0
        mov     dword ptr [GDT + SEL_B + 4], (0x89 << 8) | 0x11
        mov     dword ptr [TSS_B], 0
        mov     dword ptr [TSS_B + 4], STACK_B0
        mov     dword ptr [TSS_B + 8], DATA
        mov     dword ptr [TSS_B + 0x1c], \cr3
        mov     dword ptr [TSS_B + 0x20], offset \entry
        mov     dword ptr [TSS_B + 0x24], 2
        mov     dword ptr [TSS_B + 0x38], \esp
        mov     dword ptr [TSS_B + 0x48], \ss
        mov     dword ptr [TSS_B + 0x4c], \cs
        mov     dword ptr [TSS_B + 0x50], \ss
        mov     dword ptr [TSS_B + 0x54], \ss
        mov     dword ptr [TSS_B + 0x58], 0
        mov     dword ptr [TSS_B + 0x5c], 0
        mov     dword ptr [TSS_B + 0x60], \ldt
        mov     dword ptr [TSS_B + 0x64], 0
        mov     dword ptr [RAN], 0
        mov     dword ptr [SAW_NT], 0xdead
        mov     dword ptr [SAW_LINK], 0xdead
.endm
# B ran once and came back to A: what it saw, and both busy bits now.
.macro back nt:req, link:req
        check_eq "dword ptr [RAN]", 1
        check_eq "dword ptr [SAW_NT]", \nt
        .if \nt
        check_eq "dword ptr [SAW_LINK]", \link
        .endif
        str     ax
        check_eq ax, SEL_A
        busy    SEL_A, 2
        busy    SEL_B, 0
        check_eq esp, STACK_TOP
        pushfd
        pop     eax
        and     eax, NT
        check_eq eax, 0
        mov     eax, cr0
        and     eax, 8                          # each switch sets TS
        check_eq eax, 8
        clts
.endm
.globl start
start:  install_idt
        descriptor SEL_A, TSS_A, 0x67, 0x089
        descriptor SEL_B, TSS_B, 0x67, 0x089
        descriptor SEL_LDT, LDT, 0xff, 0x082
        descriptor SEL_LDT_B, LDT_B, 0xff, 0x082
        mov     dword ptr [GDT + GATE_B], SEL_B << 16
        mov     dword ptr [GDT + GATE_B + 4], 0xe500
        mov     dword ptr [LDT + 8], SEL_B << 16
        mov     dword ptr [LDT + 12], 0xe500
        mov     dword ptr [TSS_A + 4], STACK_RING0
        mov     dword ptr [TSS_A + 8], DATA
        mov     eax, SEL_A
        ltr     ax
        mov     eax, SEL_LDT
        lldt    ax
        mov     dword ptr [TSS_A + 0x60], SEL_LDT       # what a switch back loads; a switch never stores it
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]

        # CALL to the TSS, to a gate in the GDT, to one in the LDT: nested, back by IRET.
        fresh_b by_iret
        call    SEL_B:0
        back    1, SEL_A
        fresh_b by_iret
        call    GATE_B:0
        back    1, SEL_A
        fresh_b by_iret
        call    LDT_GATE:0
        back    1, SEL_A
        sldt    ax                              # and with the LDT that the TSS says
        check_eq ax, SEL_LDT
        # JMP in the same three ways: not nested, back by JMP.
        fresh_b by_jump
        jmp     SEL_B:0
        back    0, 0
        fresh_b by_jump
        jmp     GATE_B:0
        back    0, 0
        fresh_b by_jump
        jmp     LDT_GATE:0
        back    0, 0
        # By CALL through a pointer in memory, and back by a JMP through a gate: A's own, which is busy, is refused.
        fresh_b by_refused_jump
        mov     dword ptr [SAW], 0
        mov     word ptr [SCRATCH + 0x24], SEL_B
        call    fword ptr [SCRATCH + 0x20]
        back    1, SEL_A
        check_eq "dword ptr [SAW]", SEL_A       # the error code of its #GP

        # INT n and an exception through the IDT: nested.
        mov     dword ptr [IDT + 0x30 * 8], SEL_B << 16
        mov     dword ptr [IDT + 0x30 * 8 + 4], 0xe500
        fresh_b by_iret
        int     0x30
        back    1, SEL_A
        mov     dword ptr [IDT + 6 * 8], SEL_B << 16
        mov     dword ptr [IDT + 6 * 8 + 4], 0x8500
        fresh_b by_iret_further
1:      ud2                                     # B moves A's EIP behind it
        back    1, SEL_A
        call    setup_idt32
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]

        # Refused on the way in, with nothing switched: the gate's TSS busy, the gate not present, of ring 0 from ring 3.
        fresh_b by_iret
        mov     byte ptr [GDT + SEL_B + 5], 0x8b
        catch   1f
2:      call    GATE_B:0
        fail
1:      check_caught 13, SEL_B, 2b
        catch   1f
2:      int     0x30
        fail
1:      check_eq "dword ptr ds:[caught_vector]", 13
        mov     byte ptr [GDT + SEL_B + 5], 0x89
        mov     byte ptr [GDT + GATE_B + 5], 0x65
        catch   1f
2:      jmp     GATE_B:0
        fail
1:      check_caught 11, GATE_B, 2b
        mov     byte ptr [GDT + GATE_B + 5], 0x85
        call    ring3
        check_caught 13, GATE_B, call_gate
        mov     byte ptr [GDT + GATE_B + 5], 0xe5
        check_eq "dword ptr [RAN]", 0
        str     ax
        check_eq ax, SEL_A
        # From ring 3 through the gate of DPL 3: B is ring 0's, IRET comes back to ring 3.
        fresh_b by_iret
        call    ring3
        check_caught 6, 0, behind_call_gate
        check_eq "dword ptr [RAN]", 1
        check_eq "dword ptr [SAW_NT]", 1
        check_eq "dword ptr [caught_cs]", USER32
        clts
        # By INT 30h from ring 3.
        mov     dword ptr [IDT + 0x30 * 8], SEL_B << 16
        mov     dword ptr [IDT + 0x30 * 8 + 4], 0xe500
        fresh_b by_iret
        mov     edx, 1
        call    ring3
        check_caught 6, 0, behind_int
        check_eq "dword ptr [RAN]", 1
        clts

        # A task of ring 3, by CALL from ring 0; an exception of it comes to its own stack of ring 0.
        fresh_b user_task, USER32, USERDATA
        catch0  1f
        call    SEL_B:0
        fail
1:      check_caught 6, 0, user_task_end
        check_eq "dword ptr [caught_cs]", USER32
        check_eq "dword ptr [caught_rsp]", (STACK_B0 - 8)
        str     ax
        check_eq ax, SEL_B
        jmp     a_again
after_user_task:
        clts

        # A task with its own LDT and page directory: the same address is other memory there.
        call    build_pages
        mov     eax, PAGE_DIRECTORY
        mov     cr3, eax
        mov     dword ptr [TSS_A + 0x1c], PAGE_DIRECTORY
        mov     eax, cr4
        or      eax, 0x10
        mov     cr4, eax
        mov     eax, cr0
        bts     eax, 31
        mov     cr0, eax
        mov     dword ptr [0x530000], 0xa
        fresh_b with_pages, cr3=PAGE_DIRECTORY_B, ldt=SEL_LDT_B
        mov     dword ptr [LDT_B + 16], 0xffff | (0x1000 << 16)
        mov     dword ptr [LDT_B + 20], 0x00cf9310      # data, base 101000h
        call    SEL_B:0
        back    1, SEL_A
        check_eq "dword ptr [SAW]", SEL_LDT_B
        check_eq "dword ptr [SCRATCH + 0x1010]", 0x77
        check_eq "dword ptr [0x530000]", 0xa
        check_eq "dword ptr [0x130000]", 0xb
        mov     eax, cr3
        check_eq eax, PAGE_DIRECTORY
        sldt    ax
        check_eq ax, SEL_LDT
        done

.macro note
        inc     dword ptr [RAN]
        pushfd
        pop     eax
        shr     eax, 14
        and     eax, 1
        mov     [SAW_NT], eax
        movzx   eax, word ptr [TSS_B]
        mov     [SAW_LINK], eax
.endm
by_iret:
        note
        iretd
        fail
by_iret_further:
        note
        add     dword ptr [TSS_A + 0x20], 2     # behind UD2
        iretd
        fail
by_jump:
        note
        jmp     SEL_A:0
        fail
by_refused_jump:
        note
        catch   1f
        jmp     SEL_A:0                         # busy: a task is not re-entrant
        fail
1:      mov     eax, [caught_error]
        mov     [SAW], eax
        iretd
        fail
with_pages:
        note
        sldt    ax
        movzx   eax, ax
        mov     [SAW], eax
        mov     eax, 4 | 16
        mov     fs, ax
        mov     dword ptr fs:[0x10], 0x77
        mov     dword ptr [0x530000], 0xb
        iretd
        fail
user_task:
        mov     eax, 1
user_task_end: ud2
        nop
# Go back to A without a link: make it available, and B no longer current.
a_again:
        mov     byte ptr [GDT + SEL_A + 5], 0x89
        mov     dword ptr [TSS_A + 0x20], offset after_user_task
        jmp     SEL_A:0
# In ring 3: CALL through the gate, or with EDX = 1 INT 30h. Comes back by the exception behind it.
ring3:  catch0  1f
        mov     eax, esp
        push    USERDATA
        push    eax
        push    2
        push    USER32
        push    offset 2f
        iretd
2:      test    edx, edx
        jnz     3f
call_gate: call GATE_B:0
behind_call_gate: ud2
        nop
3:      int     0x30
behind_int: ud2
        nop
1:      xor     edx, edx
        ret
# Two directories of 4 MiB pages, the same but for 400000h, which is 0 in the second.
build_pages:
        xor     ecx, ecx
1:      mov     eax, ecx
        shl     eax, 22
        or      eax, 0x83
        mov     [PAGE_DIRECTORY + ecx * 4], eax
        mov     [PAGE_DIRECTORY_B + ecx * 4], eax
        inc     ecx
        cmp     ecx, 1024
        jb      1b
        mov     dword ptr [PAGE_DIRECTORY_B + 4], 0x83
        ret
