# Which instructions a single-step trap follows: not INT n, INT3 and INT1, which clear TF; SYSCALL and SYSRET by the TF that they
# leave; IRET by the TF before it. DEBUGCTL.BTF: taken branches only, and a #DB clears it. INT1 leaves DR6 alone and checks no DPL.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no INT n in protected mode
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set TRAIL, SCRATCH                             # RIPs of the traps, by `step`; EDI points behind the last
.macro stepping
        mov     edi, TRAIL
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        push    TF | 2
        popfq
.endm
.macro walking
        push    2
        popfq
.endm
.macro trapped number:req, at:req
        check_eq "qword ptr [TRAIL + 8 * \number]", "offset \at"
.endm
.globl start
start:  install_idt
        load_tss
        mov     word ptr [idt_pointer64], 0x3ff # vectors up to 3fh
        lidt    [idt_pointer64]
        set_gate 1, step, 0x8e                  # ring 0 only: INT1 does not care
        set_gate 3, back, 0xee
        set_gate 0x30, back, 0xee
        stepping
        nop
1:      int     0x30                            # its handler is not stepped; the trap after IRET's return belongs to NOP
2:      nop
3:      int3
4:      nop
5:      walking
        trapped 0, 1b
        trapped 1, 3b
        trapped 2, 5b

        # INT1: trap gate semantics, no DR6 bit.
        mov     edi, TRAIL
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        int1
6:      trapped 0, 6b
        check_eq edi, "TRAIL + 8"
        check_eq "dword ptr [last_dr6]", 0xffff0ff0

        # IRET that sets TF: the first trap is behind the instruction it returns to.
        mov     edi, TRAIL
        mov     rax, rsp
        push    DATA
        push    rax
        push    TF | 2
        push    CODE64
        push    offset 7f
        iretq
7:      nop
8:      nop
9:      walking
        trapped 0, 8b
        trapped 1, 9b

        # BTF: one trap, behind the branch; then it is off.
        mov     ecx, 0x1d9
        xor     edx, edx
        mov     eax, 2
        wrmsr
        stepping
        nop
        xor     eax, eax
        jnz     10f                             # not taken
        nop
        jmp     10f
        nop
10:     nop
11:     walking
        trapped 0, 10b
        trapped 1, 11b
        mov     ecx, 0x1d9
        rdmsr
        check_eq eax, 0
        catch   1f
        mov     eax, 0x10000
2:      wrmsr                                   # reserved
        fail
1:      check_caught 13, 0, 2b

        # SYSCALL and SYSRET.
        mov     ecx, 0xc0000081                 # STAR
        xor     eax, eax
        mov     edx, (0x33 << 16) | CODE64
        wrmsr
        mov     ecx, 0xc0000082                 # LSTAR
        mov     eax, offset entry
        xor     edx, edx
        wrmsr
        mov     ecx, 0xc0000084                 # SFMASK
        mov     eax, TF
        wrmsr
        mov     edi, TRAIL
        catch0  16f
        enter_ring3 12f, (TF | 2)
12:     nop
13:     syscall                                 # TF is masked: no trap at the entry
14:     nop                                     # SYSRET brought it back: a trap before this
15:     ud2
16:     trapped 0, 13b
        trapped 1, 14b
        trapped 2, 15b
        check_eq edi, "TRAIL + 24"
        mov     ecx, 0xc0000084
        xor     eax, eax
        xor     edx, edx
        wrmsr
        mov     edi, TRAIL
        catch0  16f
        enter_ring3 12f, (TF | 2)
12:     nop
13:     syscall                                 # TF stays: a trap at the entry
14:     nop
15:     ud2
16:     trapped 0, 13b
        trapped 1, entry
        trapped 2, 14b
        trapped 3, 15b
        check_eq edi, "TRAIL + 32"
        done

entry:  sysretq
back:   iretq
step:   push    rax
        mov     rax, [rsp + 8]
        mov     [rdi], rax
        add     rdi, 8
        mov     rax, dr6
        mov     [last_dr6], eax
        btr     eax, 14
        mov     dr6, rax
        pop     rax
        iretq
.balign 8
last_dr6: .quad 0
