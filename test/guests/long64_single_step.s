# EFLAGS.TF: a trap after each instruction, with DR6.BS; the instruction that sets TF runs one more; REP traps each
# iteration; the handler runs without TF; POPF that clears it traps once more; MOV SS swallows one.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no trap per REP iteration, nor MOV SS's hold
.include "guest.inc"
.include "catch64.inc"
.globl start
start:  install_idt
        set_gate 1, step
        mov     edi, offset trail
        pushfq
        or      dword ptr [rsp], TF
        popfq
1:      nop                                     # the first trap is after this
2:      xor     eax, eax
3:      inc     eax
        mov     rcx, ss
4:      mov     ss, ecx                         # no trap behind this, but behind the next
5:      nop
6:      pushfq
        and     dword ptr [rsp], ~TF
7:      popfq                                   # trap after it: TF was set before
8:      nop
        check_eq "qword ptr [trail]", "offset 2b"
        check_eq "qword ptr [trail + 8]", "offset 3b"
        check_eq "qword ptr [trail + 24]", "offset 4b"
        check_eq "qword ptr [trail + 32]", "offset 6b"
        check_eq "qword ptr [trail + 48]", "offset 7b"
        check_eq "qword ptr [trail + 56]", "offset 8b"
        check_eq edi, "offset trail + 64"
        mov     esi, SCRATCH                    # REP: one trap an iteration, RIP on the instruction until the last
        mov     edi, offset trail
        mov     ecx, 3
        mov     r8d, SCRATCH
        push    TF | 2
        popfq
9:      rep lodsb
10:     push    2
        popfq
        check_eq "qword ptr [trail]", "offset 9b"
        check_eq "qword ptr [trail + 8]", "offset 9b"
        check_eq "qword ptr [trail + 16]", "offset 10b"
        done
step:   push    rax
        mov     rax, [rsp + 8]
        mov     [rdi], rax
        add     rdi, 8
        mov     rax, dr6
        bt      eax, 14
        check_if c
        btr     eax, 14
        mov     dr6, rax
        pop     rax
        iretq
.balign 8
trail:  .fill 64, 8, 0
