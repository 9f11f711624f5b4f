# CALL and RET in their forms: near, through a register, through memory addressed by RSP, RET with a byte count,
# returns to addresses that no CALL pushed, and mispaired returns as setjmp and threads make them.
#! start:  long64
#! expect: rax=15 rsp=0x7c00
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        xor     eax, eax
        call    plus1
        lea     rcx, [plus1]
        call    rcx
        push    rcx
        call    [rsp]                           # address with RSP before the push
        pop     rcx
        mov     [target], rcx
        call    [target]
        call    [rip + target]
        push    1
        push    2
        call    plus1_drop16
        check_eq rsp, 0x7c00
        # A call in the page whose push faults: RSP and RIP are the call's.
        mov     rbx, rsp
        catch   7f
        jmp     8f
9:      call    plus1
        fail
8:      mov     rsp, 0x800000001000             # not canonical
        jmp     9b
7:      mov     rcx, rsp
        mov     rsp, rbx
        check_caught 12, 0, 9b
        mov     rdx, 0x800000001000
        check_eq rcx, rdx
        push    offset 1f
        ret
        fail
1:      check_eq eax, 6
        push    offset 2f
        push    offset plus1                    # returns through two addresses that were pushed
        ret
        fail
2:      check_eq eax, 7
        mov     rcx, rsp
        call    escape                          # comes back to 3f with the stack reset, no RET
        fail
3:      check_eq rsp, rcx
        mov     ecx, 7
4:      call    nested                          # the same RET goes to different places
        dec     ecx
        jnz     4b
        call    5f
5:      pop     rdx                             # the position-independent idiom
        check_eq rdx, "offset 5b"
        jmp     [table + rcx * 8]
        fail
6:      jmp     rdx_is_done
plus1:  inc     eax
        ret
plus1_drop16:
        inc     eax
        ret     16
escape: mov     rsp, rcx
        jmp     3b
nested: call    plus1
        ret
rdx_is_done:
        inc     eax
        done
.balign 8
target: .quad 0
table:  .quad 6b
