# Effective addresses: RIP-relative with an immediate behind it, index without base, RSP and R12 as base, RBP and R13
# without displacement, 32-bit address size, negative displacements, FS and GS bases.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  xor     eax, eax                        # null, or IRETQ takes the ring-0 segment away
        mov     fs, ax
        mov     ecx, 0xc0000100                 # FS base
        mov     eax, SCRATCH
        xor     edx, edx
        wrmsr
        begin_user
        mov     dword ptr [rip + cell], 0x12345678
        check_eq "dword ptr [cell]", 0x12345678
        cmp     word ptr [rip + cell], 0x5678
        check_if e
        add     qword ptr [rip + cell + 8], 0x7f
        check_eq "qword ptr [cell + 8]", 0x7f
        mov     r12d, offset cell
        mov     eax, [r12]
        check_eq eax, 0x12345678
        mov     r13d, offset cell
        mov     eax, [r13]
        check_eq eax, 0x12345678
        mov     rbp, r13
        mov     eax, [rbp]
        check_eq eax, 0x12345678
        mov     ecx, 2
        mov     eax, [cell - 8 + rcx * 4]
        check_eq eax, 0x12345678
        mov     r9, -1
        mov     eax, [r12 + r9 * 8 + 8]
        check_eq eax, 0x12345678
        mov     rcx, 0xffffffff00000000 + 4
        mov     eax, [ecx + r12d - 4]           # 32-bit address size: truncated after the sum
        check_eq eax, 0x12345678
        lea     rax, [ecx - 8]
        mov     edx, 0xfffffffc
        check_eq rax, rdx
        lea     eax, [rcx + rcx * 8]
        check_eq rax, 36
        mov     dword ptr fs:[0x10], 0x77
        check_eq "dword ptr [SCRATCH + 0x10]", 0x77
        mov     ecx, 0x10
        mov     eax, fs:[ecx]
        check_eq eax, 0x77
        .byte   0x64                            # LEA knows no segment
        lea     rax, [rcx]
        check_eq rax, 0x10
        mov     rsi, 0x10
        lods    dword ptr fs:[rsi]
        check_eq eax, 0x77
        push    rsi
        mov     rax, [rsp]
        check_eq rax, 0x14
        pop     rsi
        movabs  eax, [cell]
        check_eq eax, 0x12345678
        mov     eax, 0x55
        movabs  [cell], al
        check_eq "byte ptr [cell]", 0x55
        mov     ebx, offset cell
        mov     eax, 1
        xlatb
        check_eq al, 0x56
        done
.balign 8
cell:   .quad 0, 0
