# Gates of the 80286 in 32-bit mode: call, interrupt and trap gates with 16-bit offsets push words, within a ring and from ring 3 to
# ring 0 with parameters; the upper half of the offset is not part of it; the error code is a word; 16-bit RETF and IRET come back.
# A task gate of the 80286 leads to a 16-bit task, by CALL and by INT.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no call gates, and no INT n in protected mode
.include "guest.inc"
.code32
.include "catch32.inc"
.set GATE0, 0x48                                # to ring 0 code, callable from ring 0
.set GATE3, 0x50                                # the same, callable from ring 3, three parameters
.set GATE_TASK, 0x58
.set SEL_A, 0x60
.set SEL_C, 0x68                                # a 16-bit task
.set CODE16BASED, 0x70
.set TSS_A, 0x110000
.set TSS_C, 0x112000
.set STACK_C, 0x4f00
.set STACK_USER, 0x4800
.macro gate286 at:req, selector:req, handler:req, type:req, count=0
        mov     ecx, offset \handler            # below 64 KiB
        mov     word ptr [\at], cx
        mov     word ptr [\at + 2], \selector
        mov     word ptr [\at + 4], ((\type) << 8) | (\count)
        mov     word ptr [\at + 6], 0xdead      # reserved for the 80286: not part of the offset
.endm
.macro enter_ring3 label:req
        push    USERDATA
        push    STACK_USER
        push    2
        push    USER32
        push    offset \label
        iretd
.endm
.globl start
start:  install_idt
        descriptor SEL_A, TSS_A, 0x67, 0x089
        descriptor SEL_C, TSS_C, 0x2b, 0x081
        descriptor CODE16BASED, 0, 0xffff, 0x09b
        mov     dword ptr [TSS_A + 4], STACK_RING0
        mov     dword ptr [TSS_A + 8], DATA
        mov     eax, SEL_A
        ltr     ax

        # CALL within the ring: two words.
        gate286 (GDT + GATE0), CODE32, from_gate, 0x84
        call    GATE0:0x12345678
behind_call:
        check_eq esp, STACK_TOP
        check_eq edx, (STACK_TOP - 4)
        check_eq ecx, (CODE32 << 16 | 0x8000) + (behind_call - start)

        # JMP takes the same way, and pushes nothing.
        gate286 (GDT + GATE0), CODE32, jumped_to, 0x84
        jmp     GATE0:0
        fail
jumped_to:
        check_eq esp, STACK_TOP

        # Refused: not present, of a ring further in, to data.
        gate286 (GDT + GATE0), CODE32, from_gate, 0x04
        catch   1f
2:      call    GATE0:0
        fail
1:      check_caught 11, GATE0, 2b
        gate286 (GDT + GATE0), DATA, from_gate, 0x84
        catch   1f
2:      call    GATE0:0
        fail
1:      check_caught 13, DATA, 2b
        check_eq esp, STACK_TOP
        gate286 (GDT + GATE0), CODE32, from_gate, 0x84
        catch0  1f
        enter_ring3 2f
2:      call    GATE0:0
        nop
1:      check_caught 13, GATE0, 2b

        # From ring 3: SS, SP, three words, CS, IP on the stack of ring 0; RETF 6 takes the parameters off both.
        gate286 (GDT + GATE3), CODE32, inner, 0xe4, 3
        catch0  1f
        enter_ring3 2f
2:      pushw   0x1111
        pushw   0x2222
        pushw   0x3333
        call    (GATE3 + 3):0
behind_inner:
        mov     ebx, esp
3:      ud2
        nop
1:      check_caught 6, 0, 3b
        check_eq "dword ptr [caught_cs]", USER32
        check_eq ebx, STACK_USER
        check_eq edx, (STACK_RING0 - 14)
        check_eq "word ptr [SCRATCH + 0x40 + 12]", USERDATA
        check_eq "word ptr [SCRATCH + 0x40 + 10]", (STACK_USER - 6)
        check_eq "word ptr [SCRATCH + 0x40 + 8]", 0x1111
        check_eq "word ptr [SCRATCH + 0x40 + 6]", 0x2222
        check_eq "word ptr [SCRATCH + 0x40 + 4]", 0x3333
        check_eq "word ptr [SCRATCH + 0x40 + 2]", USER32
        check_eq "word ptr [SCRATCH + 0x40]", "offset behind_inner"

        # INT through an interrupt gate: FLAGS, CS, IP as words, IF clear in the handler; through a trap gate it stays.
        mov     al, 0xff                        # both PICs masked: IF may be set
        out     0x21, al
        out     0xa1, al
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]
        gate286 (IDT + 0x30 * 8), CODE32, interrupted, 0x86
        gate286 (IDT + 0x31 * 8), CODE32, interrupted, 0x87
        sti
        stc
        int     0x30
behind_int:
        check_if c
        pushfd
        pop     eax
        cli
        and     eax, IF
        check_eq eax, IF
        check_eq esp, STACK_TOP
        check_eq edx, (STACK_TOP - 6)
        check_eq ecx, (CODE32 << 16 | 0x8000) + (behind_int - start)
        and     esi, IF
        check_eq esi, 0
        mov     ax, [SCRATCH]
        and     ax, IF | CF | 2
        check_eq ax, (IF | CF | 2)
        sti
        int     0x31
        cli
        and     esi, IF
        check_eq esi, IF

        # Ring 3 may use neither: their DPL is 0.
        catch0  1f
        enter_ring3 2f
2:      int     0x30
        nop
1:      check_caught 13, (0x30 * 8 + 2), 2b
        # With DPL 3 it changes stacks: SS, SP, FLAGS, CS, IP.
        gate286 (IDT + 0x30 * 8), CODE32, interrupted, 0xe6
        catch0  1f
        enter_ring3 2f
2:      int     0x30
behind_user_int:
3:      ud2
        nop
1:      check_caught 6, 0, 3b
        check_eq "dword ptr [caught_cs]", USER32
        check_eq edx, (STACK_RING0 - 10)
        check_eq "word ptr [SCRATCH + 0x40 + 8]", USERDATA
        check_eq "word ptr [SCRATCH + 0x40 + 6]", STACK_USER
        check_eq "word ptr [SCRATCH + 0x40 + 4]", 2
        check_eq "word ptr [SCRATCH + 0x40 + 2]", USER32
        check_eq "word ptr [SCRATCH + 0x40]", "offset behind_user_int"

        # An exception with an error code: that is a word too.
        gate286 (IDT + 13 * 8), CODE32, protection, 0x86
        mov     eax, 0x1234
faults: mov     fs, ax
behind_fault:
        check_eq edx, (STACK_TOP - 8)
        check_eq "word ptr [SCRATCH + 2]", 0x1234
        check_eq ecx, (CODE32 << 16 | 0x8000) + (faults - start)
        check_eq esp, STACK_TOP
        call    setup_idt32

        # A gate to a 16-bit task, by CALL and through the IDT.
        mov     dword ptr [GDT + GATE_TASK], SEL_C << 16
        mov     dword ptr [GDT + GATE_TASK + 4], 0x8500
        mov     word ptr [TSS_C + 0x0e], offset small
        mov     word ptr [TSS_C + 0x10], 2
        mov     word ptr [TSS_C + 0x1a], STACK_C
        mov     word ptr [TSS_C + 0x22], DATA
        mov     word ptr [TSS_C + 0x24], CODE16BASED
        mov     word ptr [TSS_C + 0x26], DATA16
        mov     word ptr [TSS_C + 0x28], DATA
        mov     word ptr [TSS_C + 0x2a], 0
        call    GATE_TASK:0
        check_eq "word ptr [SCRATCH + 4]", 1
        check_eq "word ptr [TSS_C]", SEL_A
        clts
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]
        mov     dword ptr [IDT + 0x32 * 8], SEL_C << 16
        mov     dword ptr [IDT + 0x32 * 8 + 4], 0x8500
        int     0x32                            # the task goes on behind its IRET
        check_eq "word ptr [SCRATCH + 4]", 2
        str     ax
        check_eq ax, SEL_A
        clts
        # An exception with an error code, in a 16-bit task: a word on its stack.
        mov     dword ptr [IDT + 13 * 8], SEL_C << 16
        mov     dword ptr [IDT + 13 * 8 + 4], 0x8500
        mov     word ptr [TSS_C + 0x0e], offset small_fault
        mov     word ptr [TSS_C + 0x1a], STACK_C
        mov     eax, 0x1230
task_faults: mov fs, ax
behind_task_fault:
        check_eq "word ptr [SCRATCH + 6]", 0x1230
        check_eq "word ptr [SCRATCH + 8]", (STACK_C - 2)
        clts
        done

from_gate:                                      # EDX = ESP, ECX = the two words
        mov     edx, esp
        mov     ecx, [esp]
        .byte   0x66
        retf
inner:  mov     edx, esp
        call    keep_frame
        .byte   0x66, 0xca                      # RETF 6 with a 16-bit operand size
        .word   6
interrupted:
        mov     edx, esp
        call    keep_frame
        mov     ecx, [esp]
        mov     ax, [esp + 4]
        mov     ss:[SCRATCH], ax
        pushfd
        pop     esi
        .byte   0x66
        iret
keep_frame:                                     # 14 bytes at EDX to SCRATCH + 40h, through SS: DS may be ring 3's
        pushf
        xor     eax, eax
1:      mov     cl, ss:[edx + eax]
        mov     ss:[SCRATCH + 0x40 + eax], cl
        inc     eax
        cmp     eax, 14
        jb      1b
        popf
        ret
protection:
        mov     edx, esp
        mov     ecx, [esp + 2]
        mov     ax, [esp]
        mov     [SCRATCH + 2], ax
        lea     esp, [esp + 2]
        add     word ptr [esp], behind_fault - faults
        .byte   0x66
        iret
.code16
small:  mov     eax, SCRATCH
        inc     word ptr [eax + 4]
        iret
        jmp     small
small_fault:
        mov     eax, SCRATCH
        mov     cx, sp
        mov     [eax + 8], cx
        pop     cx
        mov     [eax + 6], cx
        mov     eax, TSS_A
        add     word ptr [eax + 0x20], behind_task_fault - task_faults
        iret
.code32
