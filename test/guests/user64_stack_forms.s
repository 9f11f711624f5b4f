# PUSH, POP, PUSHF, POPF, ENTER and LEAVE in the forms where RSP is an operand, an address or both.
#! start:  long64
#! expect: rsp=0x7c00
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        push    rsp                             # the value before
        check_eq "qword ptr [rsp]", 0x7c00
        mov     rax, rsp
        check_eq rax, 0x7bf8
        mov     qword ptr [rsp], 0x7b00
        pop     rsp                             # the value read wins over the increment
        check_eq rsp, 0x7b00
        mov     rsp, 0x7c00
        push    0x11
        push    0x22
        pop     qword ptr [rsp + 8]             # address with RSP after the increment
        check_eq rsp, 0x7bf8
        check_eq "qword ptr [rsp + 8]", 0x22
        check_eq "qword ptr [rsp]", 0x11
        push    qword ptr [rsp]                 # address with RSP before the decrement
        check_eq "qword ptr [rsp]", 0x11
        pop     qword ptr [rsp]                 # onto itself
        check_eq rsp, 0x7bf8
        add     rsp, 8
        push    -1                              # sign-extended
        check_eq "qword ptr [rsp]", -1
        push    0x80000000 - 0x100000000
        pop     rax
        mov     rcx, 0xffffffff80000000
        check_eq rax, rcx
        pop     rax
        pushw   0x1234                          # 16 bits: RSP moves by 2
        check_eq rsp, 0x7bfe
        pop     ax
        check_eq rax, 0xffffffffffff1234
        mov     rbp, 0x1111
        enter   0x20, 0
        check_eq rbp, 0x7bf8
        check_eq rsp, 0x7bd8
        check_eq "qword ptr [rbp]", 0x1111
        leave
        check_eq rbp, 0x1111
        check_eq rsp, 0x7c00
        mov     rbp, 0x7a00
        mov     qword ptr [rbp - 8], 0x77
        enter   0x10, 2                         # nested: copies one outer frame pointer
        check_eq "qword ptr [rbp]", 0x7a00
        check_eq "qword ptr [rbp - 8]", 0x77
        check_eq "qword ptr [rbp - 16]", 0x7bf8
        check_eq rsp, 0x7bd8
        leave
        check_eq rsp, 0x7c00
        set_flags CF | ZF | OF
        pushfq
        pop     rax
        and     eax, ARITH
        check_eq eax, (CF | ZF | OF)
        mov     rax, 0x8000000000000001
        push    rax
        xchg    [rsp], rsp
        check_eq rsp, rax
        mov     rsp, 0x7c00
        done
