# Single steps in ring 3, where a KVM whose ring 0 is software runs the real processor: the trap comes behind every instruction, behind
# each iteration of a REP with its registers as they are then, none for a REP with nothing to do but the one behind it; none
# behind an instruction that faulted; PUSHF shows TF; a POPF that clears TF still has its trap, one that sets it has none; DR6.BS
# alone is set.
#! start:  long64
#! expect: done
#! steps:  itself
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set TRAIL, SCRATCH                             # RIP, RCX, flags of each trap; R15 points behind the last
.macro stepping
        lea     r15, [TRAIL]
        push    TF | 2
        popfq
.endm
.macro walk name
        push    2
\name:  popfq
.endm
# The traps since `stepping` stood at these labels.
.macro trapped labels:vararg
        .set    trap_count, 0
        .irp    label, \labels
        check_eq "qword ptr [TRAIL + 24 * trap_count]", "offset \label"
        .set    trap_count, trap_count + 1
        .endr
        check_eq r15d, "TRAIL + 24 * trap_count"
        check_eq "dword ptr [wrong_dr6]", 0
.endm
.globl start
start:  install_idt
        load_tss
        set_gate 1, step, 0x8e
        enter_ring3 1f
        .set in_user, 1
1:      stepping                                # no trap behind the POPF that sets TF
1:      nop
2:      push    rax
3:      walk    behind_0
4:      pop     rax
        trapped 2b, 3b, behind_0, 4b
        # REP: a trap after each element, at the instruction itself but for the last.
        mov     esi, SCRATCH + 0x8000
        mov     edi, SCRATCH + 0x9000
        mov     ecx, 3
        stepping
1:      rep movsb
2:      nop
3:      walk    behind_1
4:      trapped 1b, 1b, 2b, 3b, behind_1, 4b
        check_eq "qword ptr [TRAIL + 8]", 2
        check_eq "qword ptr [TRAIL + 32]", 1
        check_eq "qword ptr [TRAIL + 56]", 0
        check_eq edi, SCRATCH + 0x9003
        # Nothing to do: one trap.
        xor     ecx, ecx
        stepping
1:      rep stosb
2:      walk    behind_2
4:      trapped 2b, behind_2, 4b
        # REPNE SCAS that ends early, REPE CMPS that never begins to differ.
        mov     qword ptr [SCRATCH + 0x8000], 0x0100
        mov     edi, SCRATCH + 0x8000
        mov     ecx, 5
        mov     eax, 1
        stepping
1:      repne scasb
2:      walk    behind_3
4:      trapped 1b, 2b, behind_3, 4b
        check_eq ecx, 3
        # PUSHF's image has TF; flags survive the traps.
        xor     eax, eax
        stepping
1:      stc
2:      pushfq
3:      pop     rax
4:      walk    behind_4
5:      trapped 2b, 3b, 4b, behind_4, 5b
        and     eax, TF | CF | RF
        check_eq eax, (TF | CF)
        # Branches, taken and not; the target is where the trap stands.
        stepping
1:      jmp     2f
        nop
2:      xor     ecx, ecx
3:      jnz     1b
4:      call    5f
after_call: jmp 6f
5:      ret
6:      walk    behind_5
7:      trapped 2b, 3b, 4b, 5b, after_call, 6b, behind_5, 7b
        # An instruction that faults has no trap of its own; the image of its flags has TF.
        catch   3f
        stepping
1:      nop
2:      ud2
3:      trapped 2b
        check_caught 6, 0, 2b
        mov     eax, [caught_rflags]
        and     eax, TF
        check_eq eax, TF
        done
step:   push    rax
        mov     rax, [rsp + 8]
        mov     [r15], rax
        mov     [r15 + 8], rcx
        mov     rax, [rsp + 24]
        mov     [r15 + 16], rax
        add     r15, 24
        mov     rax, dr6
        xor     eax, 0xffff4ff0
        or      [wrong_dr6], eax
        mov     eax, 0xffff0ff0
        mov     dr6, rax
        pop     rax
        iretq
.balign 8
wrong_dr6: .quad 0
