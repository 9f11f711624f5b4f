# Far CALL, JMP and RET in ring 3 of 64-bit mode: which code segments and call gates it may go to, what CS becomes, what is pushed,
# and the error code of each refusal.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software keeps descriptor tables of its own for ring 3
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set CONFORMING, 0x48
.set BOTH_LD, 0x50                      # L and D: no such code
.set ABSENT, 0x58
.set LIMITED, 0x60                      # 32-bit, 100h bytes
.set GATE, 0x68                         # 16 bytes
.set INNER, 0x78                        # 64-bit code of DPL 2
.set pointer, SCRATCH
.macro far_to selector:req, offset=far_back
        mov     qword ptr [pointer], offset \offset
        mov     word ptr [pointer + 4], \selector
.endm
.macro refused vector:req, error:req, insn:vararg
        mov     rbx, rsp
        catch   7774f
7775:   \insn
        fail
7774:   check_caught \vector, \error, 7775b
        check_eq rsp, rbx
.endm
.macro descriptor64 selector:req, high:req, low=0xffff
        mov     dword ptr [GDT + \selector], \low
        mov     dword ptr [GDT + \selector + 4], \high
.endm
# A call gate: to `selector`:in_ring0, of the type and attributes given (8c: DPL 0, ec: DPL 3).
.macro gate selector:req, access=0xec, upper=0
        mov     dword ptr [GDT + GATE], (\selector << 16)
        mov     eax, offset in_ring0
        mov     word ptr [GDT + GATE], ax
        mov     dword ptr [GDT + GATE + 4], \access << 8
        shr     eax, 16
        mov     [GDT + GATE + 6], ax
        mov     dword ptr [GDT + GATE + 8], 0
        mov     dword ptr [GDT + GATE + 12], \upper << 8
.endm
.globl start
start:  descriptor64 CONFORMING, 0x00af9f00
        descriptor64 BOTH_LD, 0x00effb00
        descriptor64 ABSENT, 0x00af7b00
        descriptor64 LIMITED, 0x0040fb00, 0x00ff
        descriptor64 INNER, 0x00afdb00
        begin_user

        # Compatibility code and back, by all widths of RET that can.
        far_to  USER32, compat
        mov     rax, rsp
        call    fword ptr [pointer]
compat_return:
        check_eq rsp, rax
        mov     cx, cs
        check_eq cx, USER64
        # Conforming code keeps the level of its caller, which becomes its RPL.
        far_to  CONFORMING, 1f
        jmp     fword ptr [pointer]
        fail
1:      mov     cx, cs
        check_eq cx, (CONFORMING | 3)
        far_to  USER64, 1f
        call    fword ptr [pointer]
        fail
1:      check_eq "dword ptr [rsp + 4]", (CONFORMING | 3)
        add     rsp, 8
        # RET of 16, 32 and 64 bits, with a byte count.
        mov     rax, rsp
        push    USER64
        push    offset 1f
        rex.w retf
        fail
1:      check_eq rsp, rax
        sub     rsp, 24
        mov     dword ptr [rsp], offset 1f
        mov     dword ptr [rsp + 4], USER64
        .byte   0xca, 16, 0                     # RETF 16
        fail
1:      check_eq rsp, rax
        sub     rsp, 4
        mov     word ptr [rsp], offset 1f
        mov     word ptr [rsp + 2], USER64
        .byte   0x66, 0xcb
        fail
1:      check_eq rsp, rax

        # Refused: by type, level, presence.
        far_to  CODE64
        refused 13, CODE64, jmp fword ptr [pointer]
        refused 13, CODE64, call fword ptr [pointer]
        far_to  (CODE64 | 3)
        refused 13, CODE64, jmp fword ptr [pointer]
        far_to  (INNER | 2)
        refused 13, INNER, jmp fword ptr [pointer]
        far_to  USERDATA
        refused 13, (USERDATA - 3), jmp fword ptr [pointer]
        far_to  0
        refused 13, 0, jmp fword ptr [pointer]
        far_to  3
        refused 13, 0, call fword ptr [pointer]
        far_to  0x103                           # behind the table
        refused 13, 0x100, jmp fword ptr [pointer]
        far_to  0xf                             # no LDT
        refused 13, 0xc, jmp fword ptr [pointer]
        far_to  (BOTH_LD | 3)
        refused 13, BOTH_LD, jmp fword ptr [pointer]
        far_to  (ABSENT | 3)
        refused 11, ABSENT, jmp fword ptr [pointer]
        refused 11, ABSENT, call fword ptr [pointer]
        far_to  0xf3                            # a task: none in long mode, busy or not
        refused 13, 0xf0, jmp fword ptr [pointer]
        far_to  (LIMITED | 3), 0x100
        mov     dword ptr [pointer], 0x100
        refused 13, 0, jmp fword ptr [pointer]
        refused 13, 0, call fword ptr [pointer]

        # RET: not inward, not to what is no code, not to an address that is none.
        .irp    selector, CODE64, CODE64 | 2, INNER | 2
        push    \selector
        push    offset far_back
        refused 13, (\selector & ~3), rex.w retf
        add     rsp, 16
        .endr
        push    (CODE64 | 3)
        push    offset far_back
        refused 13, CODE64, rex.w retf
        mov     qword ptr [rsp + 8], 0
        refused 13, 0, rex.w retf
        mov     qword ptr [rsp + 8], USERDATA
        refused 13, (USERDATA - 3), rex.w retf
        mov     qword ptr [rsp + 8], (ABSENT | 3)
        refused 11, ABSENT, rex.w retf
        mov     qword ptr [rsp + 8], (BOTH_LD | 3)
        refused 13, BOTH_LD, rex.w retf
        mov     qword ptr [rsp + 8], USER64
        mov     rax, 0x800000000000
        mov     [rsp], rax
        refused 13, 0, rex.w retf
        mov     qword ptr [rsp + 8], (LIMITED | 3)
        mov     qword ptr [rsp], 0x100
        refused 13, 0, rex.w retf
        add     rsp, 16

        # Call gates.
        far_to  (GATE | 3)
        gate    CODE64, 0x8c
        refused 13, GATE, call fword ptr [pointer]
        gate    CODE64, 0x6c
        refused 11, GATE, call fword ptr [pointer]
        gate    CODE64, 0xe4                    # the 80286's: none in long mode
        refused 13, GATE, call fword ptr [pointer]
        gate    CODE64, 0xec, 0x0c              # its upper half has a type
        refused 13, GATE, call fword ptr [pointer]
        gate    CODE32
        refused 13, CODE32, call fword ptr [pointer]
        gate    BOTH_LD
        refused 13, BOTH_LD, call fword ptr [pointer]
        gate    USERDATA
        refused 13, (USERDATA - 3), call fword ptr [pointer]
        gate    0
        refused 13, 0, call fword ptr [pointer]
        gate    ABSENT
        refused 11, ABSENT, call fword ptr [pointer]
        gate    CODE64
        refused 13, CODE64, jmp fword ptr [pointer]     # only CALL goes inward
        gate    CONFORMING
        mov     rax, rsp
        call    fword ptr [pointer]             # pushes 64 bits each, at ring 3
        fail
gate_return:
        check_eq rsp, rax
        gate    USER64
        jmp     fword ptr [pointer]
        fail
behind_gate:
        gate    CODE64                          # to ring 0: SS, RSP, CS, RIP on its stack
        mov     rax, rsp
        .set in_user, 0
        call    fword ptr [pointer]
from_ring0:
        .set in_user, 1
        check_eq rsp, rax
        mov     cx, cs
        check_eq cx, USER64
        done

in_ring0:
        mov     cx, cs
        cmp     cx, (CONFORMING | 3)
        jne     1f
        check_eq "dword ptr [rsp + 8]", USER64
        lea     rcx, [rsp + 16]
        check_eq rcx, rax
        mov     qword ptr [rsp], offset gate_return
        rex.w retf
1:      cmp     cx, USER64
        je      behind_gate
        .set in_user, 0
        check_eq cx, CODE64
        check_eq rsp, (STACK_RING0 - 32)
        check_eq "qword ptr [rsp]", "offset from_ring0"
        check_eq "qword ptr [rsp + 8]", USER64
        check_eq "qword ptr [rsp + 16]", rax
        check_eq "qword ptr [rsp + 24]", USERDATA
        mov     cx, ss
        check_eq cx, 0
        rex.w retf
        .set in_user, 1
far_back: fail
.code32
compat: check_eq "dword ptr [esp]", "offset compat_return"
        check_eq "dword ptr [esp + 4]", USER64
        .byte   0xcb
.code64
