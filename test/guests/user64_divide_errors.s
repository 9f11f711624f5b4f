# #DE: by zero, and quotients that do not fit, in every width; RIP is the DIV and no register or flag has changed.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro divide_error insn:vararg
        catch   7774f
7775:   \insn
        fail
7774:   check_caught 0, 0, 7775b
.endm
.globl start
start:  begin_user
        xor     ecx, ecx
        mov     eax, 5
        mov     edx, 6
        divide_error div ecx
        check_eq eax, 5
        check_eq edx, 6
        divide_error idiv cl
        divide_error div cx
        divide_error div rcx
        divide_error div qword ptr [zero]
        mov     eax, 0x80000000
        cdq
        mov     ecx, -1
        divide_error idiv ecx                   # -2^31 / -1
        check_eq eax, 0x80000000
        mov     rax, 0x8000000000000000
        cqo
        mov     rcx, -1
        divide_error idiv rcx
        mov     rdx, 3                          # quotient 2^64 * 3 / 3
        mov     rax, 0
        mov     ecx, 3
        divide_error div rcx
        mov     ax, 0x8000
        mov     cl, 0xff
        divide_error idiv cl
        mov     rdx, 2
        mov     rax, 1
        mov     ecx, 3
        div     rcx                             # just fits
        mov     rbx, 0xaaaaaaaaaaaaaaab
        check_eq rax, rbx
        check_eq rdx, 0
        mov     eax, -7
        cdq
        mov     ecx, 2
        idiv    ecx                             # truncates towards zero
        check_eq eax, -3
        check_eq edx, -1
        set_flags ARITH
        mov     ecx, 0
        divide_error div ecx
        done
zero:   .quad 0
