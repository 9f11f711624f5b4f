# What goes wrong on the way into a handler: the error codes of #TS, #SS, #NP and #GP with their EXT and IDT bits, for INT n and for an
# exception, from ring 3 to a handler in ring 1 whose stack is bad in each way; and which pairs of exceptions make a double fault.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no interrupts to inner rings
.include "guest.inc"
.code32
.include "catch32.inc"
.set CODE1, 0x48                        # ring 1
.set DATA1, 0x50
.set READ_ONLY1, 0x58
.set ABSENT1, 0x60
.set SMALL1, 0x68                       # 10h bytes
.set ABSENT_CODE, 0x70
.set CONFORMING1, 0x78
.set TASK, 0x80
.set EXT, 1
.set IN_IDT, 2
.set STACK1, 0x5000
.macro gate vector:req, selector:req, access=0xee, offset=ring1_handler
        mov     eax, offset \offset
        mov     dword ptr ds:[IDT + (\vector) * 8], (\selector) << 16
        mov     word ptr ds:[IDT + (\vector) * 8], ax
        mov     dword ptr ds:[IDT + (\vector) * 8 + 4], (\access) << 8
        shr     eax, 16
        mov     word ptr ds:[IDT + (\vector) * 8 + 6], ax
.endm
.macro ring1_stack selector:req, esp=STACK1
        mov     dword ptr ds:[TSS + 12], \esp
        mov     dword ptr ds:[TSS + 16], \selector
.endm
# INT 30h and UD2 in ring 3 end in this exception.
.macro both_fail vector:req, error:req
        mov     edx, offset do_int
        call    in_ring3
        check_caught \vector, (\error), do_int
        check_eq "dword ptr [caught_cs]", USER32
        mov     edx, offset do_ud
        call    in_ring3
        check_caught \vector, (\error | EXT), do_ud
        check_eq "dword ptr [caught_cs]", USER32
.endm
.macro fresh_gates selector=CODE1, access=0xee, offset=ring1_handler
        gate    0x30, \selector, \access, \offset
        gate    6, \selector, \access, \offset
.endm
.macro fails insn:req, vector:req, error:req, at=0
        mov     edx, offset \insn
        call    in_ring3
        .ifc \at,0
        check_caught \vector, (\error), \insn
        .else
        check_caught \vector, (\error), \at
        .endif
.endm
.globl start
start:  install_idt
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]
        descriptor CODE1, 0, 0xfffff, 0xcbb
        descriptor DATA1, 0, 0xfffff, 0xcb3
        descriptor READ_ONLY1, 0, 0xfffff, 0xcb1
        descriptor ABSENT1, 0, 0xfffff, 0xc33
        descriptor SMALL1, 0, 0xf, 0x4b3
        descriptor ABSENT_CODE, 0, 0xfffff, 0xc3b
        descriptor CONFORMING1, 0, 0xfffff, 0xcbf
        descriptor TASK, TSS, 0x67, 0x089
        mov     dword ptr [TSS + 4], STACK_RING0
        mov     dword ptr [TSS + 8], DATA
        mov     eax, TASK
        ltr     ax

        # It works: ring 1, with the frame on its stack.
        ring1_stack (DATA1 | 1)
        fresh_gates
        mov     edx, offset do_int
        call    in_ring3
        check_caught 13, 0, ring1_hlt                   # the handler's HLT
        check_eq "dword ptr [caught_cs]", (CODE1 | 1)
        check_eq "dword ptr [STACK1 - 20]", "offset behind_int"
        check_eq "dword ptr [STACK1 - 16]", USER32
        check_eq "dword ptr [STACK1 - 4]", USERDATA

        # The stack of ring 1.
        ring1_stack 0
        both_fail 10, 0
        ring1_stack DATA1                               # RPL 0
        both_fail 10, DATA1
        ring1_stack (DATA | 1)                          # DPL 0
        both_fail 10, DATA
        ring1_stack (READ_ONLY1 | 1)
        both_fail 10, READ_ONLY1
        ring1_stack (CODE1 | 1)
        both_fail 10, CODE1
        ring1_stack 0x101                               # behind the table
        both_fail 10, 0x100
        ring1_stack 5                                   # no LDT
        both_fail 10, 4
        ring1_stack (ABSENT1 | 1)
        both_fail 12, ABSENT1
        ring1_stack (SMALL1 | 1), 0x10                  # 20 bytes do not fit
        both_fail 12, SMALL1
        ring1_stack (SMALL1 | 1), 0x1000
        both_fail 12, SMALL1
        ring1_stack (DATA1 | 1)
        descriptor TASK, TSS, 0x0f, 0x08b               # ends before SS1; TR still has the old limit
        mov     byte ptr [GDT + TASK + 5], 0x89
        mov     eax, TASK
        ltr     ax
        both_fail 10, TASK
        descriptor TASK, TSS, 0x67, 0x089
        mov     eax, TASK
        ltr     ax

        # The handler's code segment.
        fresh_gates 0
        both_fail 13, 0
        fresh_gates DATA1
        both_fail 13, DATA1
        fresh_gates 0x100
        both_fail 13, 0x100
        fresh_gates ABSENT_CODE
        both_fail 11, ABSENT_CODE
        # The gate.
        gate    0x30, CODE1, 0x6e
        fails   do_int, 11, (0x30 * 8 | IN_IDT)
        gate    6, CODE1, 0x6e
        fails   do_ud, 11, (6 * 8 | IN_IDT | EXT)
        .irp    type, 0xe0, 0xe8, 0xec, 0xfb, 0xe9       # no gates of an IDT; the fourth is a code segment
        gate    0x30, CODE1, \type
        fails   do_int, 13, (0x30 * 8 | IN_IDT)
        gate    6, CODE1, \type
        fails   do_ud, 13, (6 * 8 | IN_IDT | EXT)
        .endr
        gate    0x30, CODE1, 0x8e                       # DPL 0: not by INT n, but by exceptions
        fails   do_int, 13, (0x30 * 8 | IN_IDT)
        gate    6, CODE1, 0x8e
        fails   do_ud, 13, 0, ring1_hlt
        fails   do_int50, 13, (0x50 * 8 | IN_IDT)         # behind the table
        gate    3, CODE1, 0x6e
        fails   do_int3, 11, (3 * 8 | IN_IDT)
        gate    4, CODE1, 0x6e
        fails   do_into, 11, (4 * 8 | IN_IDT)
        gate    5, CODE1, 0x6e
        fails   do_bound, 11, (5 * 8 | IN_IDT | EXT)
        gate    1, CODE1, 0x6e                          # INT1 counts as an event from outside
        fails   do_int1, 11, (1 * 8 | IN_IDT | EXT)

        # Two contributory exceptions are a double fault; a benign one first is not.
        gate    0, CODE1, 0x6e
        fails   do_div, 8, 0
        gate    0, CODE1, 0xe0
        fails   do_div, 8, 0
        gate    0, ABSENT_CODE
        fails   do_div, 8, 0
        ring1_stack 0
        gate    0, CODE1
        fails   do_div, 8, 0                            # #TS
        ring1_stack (ABSENT1 | 1)
        fails   do_div, 8, 0                            # #SS
        ring1_stack (DATA1 | 1)
        gate    13, CODE1, 0x6e
        fails   do_hlt, 8, 0
        gate    11, CODE1, 0x6e
        fails   do_load, 8, 0                           # #NP while #NP is delivered
        gate    13, CODE32, 0xee, (stub0 + 13 * 16)
        gate    6, CODE1, 0x6e                          # #UD, then #NP, whose gate is not present: both contribute now
        fails   do_ud, 8, 0
        gate    11, CODE32, 0xee, (stub0 + 11 * 16)
        done

do_int: int     0x30
behind_int: ud2
do_ud:  ud2
        nop
do_int50: int   0x50
do_int3: int3
do_into: into
do_int1: .byte  0xf1
do_div: div     cl
do_hlt: hlt
do_bound: bound eax, ss:[bounds]
do_load: mov    es, bx
        nop
in_ring3:
        catch0  1f
        mov     eax, esp
        mov     ebx, ABSENT1 | 3
        xor     ecx, ecx
        push    USERDATA
        push    eax
        push    0x802                           # OF
        push    USER32
        push    edx
        iretd
1:      ret
ring1_handler:
ring1_hlt: hlt
.balign 8
bounds: .long   1, 0
