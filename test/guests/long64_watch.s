# Data breakpoints met by ring 3 code: which bytes of which accesses hit, reads and writes apart, several by one instruction, in the
# middle of REP MOVS and across pages; none for an access that faults, for elements that a mask leaves out, for PREFETCH and LEA.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no data breakpoints in ring 3
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set AT, SCRATCH + 0x100
.set NEAR_END, SCRATCH + 0x1000
# DR0..DR3 at these addresses, DR7 enables and says of what length and kind.
.macro watch dr7:req, at0=AT, at1=0, at2=0, at3=0
        .set in_user, 0
        catch0  7781f
        ud2
7781:   mov     eax, \at0
        mov     dr0, rax
        mov     eax, \at1
        mov     dr1, rax
        mov     eax, \at2
        mov     dr2, rax
        mov     eax, \at3
        mov     dr3, rax
        mov     eax, 0xffff0ff0
        mov     dr6, rax
        mov     eax, \dr7
        mov     dr7, rax
        enter_ring3 7782f
7782:   .set in_user, 1
.endm
# This hits: the trap is behind it, DR6 says what.
.macro hits dr6:req, insn:vararg
        mov     qword ptr [seen_rip], 0
7783:   \insn
7784:   nop
        check_eq "qword ptr [seen_rip]", "offset 7784b"
        check_eq "dword ptr [seen_dr6]", (0xffff0ff0 | \dr6)
.endm
.macro misses insn:vararg
        mov     qword ptr [seen_rip], 0
        \insn
        nop
        check_eq "qword ptr [seen_rip]", 0
.endm
.set WRITE0, 0x10001
.set ANY0, 0x30001
.set BYTES4, 0xc0000
.set BYTES8, 0x80000
.globl start
start:  install_idt
        load_tss
        set_gate 1, seen, 0x8e
        enter_ring3 1f
        .set in_user, 1
1:      mov     ebx, AT
        xor     eax, eax
        xor     ecx, ecx
        # A write of four bytes.
        watch   (WRITE0 | BYTES4)
        hits    1, mov [rbx], eax
        hits    1, mov [rbx + 3], al
        hits    1, mov [rbx - 1], ax
        hits    1, mov [rbx - 7], rax
        hits    1, movups [rbx - 15], xmm0
        hits    1, inc byte ptr [rbx + 2]
        hits    1, xchg [rbx], eax
        hits    1, lock add [rbx], ecx
        misses  mov [rbx + 4], rax
        misses  mov [rbx - 8], rax
        misses  mov eax, [rbx]
        misses  cmp [rbx], eax
        misses  lea rax, [rbx]
        misses  prefetcht0 [rbx]
        mov     eax, 7
        mov     dword ptr [rbx], 3
        hits    1, cmpxchg [rbx], ecx                   # fails, and writes what was there
        # Reads too, of eight.
        watch   (ANY0 | BYTES8)
        hits    1, mov al, [rbx + 7]
        hits    1, mov rax, [rbx - 7]
        hits    1, cmp [rbx], eax
        hits    1, cmovc rax, [rbx]                     # read whether it moves or not
        hits    1, movups xmm1, [rbx - 15]
        hits    1, test byte ptr [rbx + 5], 1
        misses  mov rax, [rbx + 8]
        misses  mov rax, [rbx - 8]
        misses  prefetcht0 [rbx]
        # Two of them by one instruction, by its read and its write.
        mov     esi, AT
        mov     edi, AT + 0x40
        watch   0x00130005, AT, (AT + 0x40)               # RW of one byte, W of one byte
        hits    3, movsb
        # The element of a REP that hits: what is behind it has not happened yet.
        watch   WRITE0, (AT + 0x10)
        mov     esi, AT + 0x200
        mov     edi, AT + 0x0c
        mov     ecx, 16
        mov     qword ptr [seen_rip], 0
1:      rep movsb
2:      check_eq "qword ptr [seen_rip]", "offset 1b"
        check_eq "qword ptr [seen_rcx]", 11
        check_eq ecx, 0
        # Across pages.
        mov     ebx, NEAR_END
        watch   (WRITE0 | BYTES4), NEAR_END
        hits    1, mov [rbx - 2], eax
        hits    1, movups [rbx - 15], xmm0
        misses  mov [rbx - 4], eax
        watch   (WRITE0 | BYTES4), (NEAR_END - 4)
        hits    1, mov [rbx - 1], ax
        misses  mov [rbx], eax
        # Off.
        watch   0
        misses  mov [rbx - 4], eax
        done
seen:   push    rax
        mov     rax, [rsp + 8]
        mov     [seen_rip], rax
        mov     [seen_rcx], rcx
        mov     rax, dr6
        mov     [seen_dr6], eax
        mov     eax, 0xffff0ff0
        mov     dr6, rax
        pop     rax
        iretq
.balign 8
seen_rip: .quad 0
seen_rcx: .quad 0
seen_dr6: .quad 0
