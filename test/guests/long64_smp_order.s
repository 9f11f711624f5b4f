# The memory model: stores of one processor are seen in order by another (message passing), and a store is not passed by a
# later load of the same processor when MFENCE or a locked instruction stands between (store buffering).
#! start:  long64
#! cpus:   2
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "smp64.inc"
.set ROUNDS, 500
.globl start
start:  install_idt
        start_cpus 2, other
        # Message passing.
        mov     r12d, 1
1:      mov     [data], r12d
        mov     [flag], r12d
        inc     r12d
        cmp     r12d, 4000
        jne     1b
        await   passed, 1
        # Store buffering. Round n: both store n, fence, load the other's; at least one must see n.
        mov     r12d, 1
2:      mov     [go], r12d
        mov     [left], r12d
        test    r12d, 1
        jz      3f
        mfence
        jmp     4f
3:      lock or dword ptr [rsp], 0
4:      mov     r13d, [right]
6:      pause
        cmp     [finished], r12d
        jne     6b
        cmp     r13d, r12d
        je      5f
        cmp     dword ptr [loaded], r12d
        je      5f
        fail
5:      inc     r12d
        cmp     r12d, ROUNDS
        jne     2b
        done

other:  xor     esi, esi
1:      mov     eax, [flag]
        mov     ecx, [data]
        cmp     ecx, eax                        # data may be newer, never older
        check_if ae
        cmp     eax, esi                        # nor does the flag go back
        check_if ae
        mov     esi, eax
        cmp     eax, 3999
        jne     1b
        mov     dword ptr [passed], 1
        mov     r12d, 1
2:      cmp     [go], r12d
        jne     2b
        mov     [right], r12d
        mfence
        mov     eax, [left]
        mov     [loaded], eax
        mov     [finished], r12d
        inc     r12d
        jmp     2b
.balign 64
data:   .long   0
.balign 64
flag:   .long   0
.balign 64
passed: .long   0
go:     .long   0
.balign 64
left:   .long   0
.balign 64
right:  .long   0
.balign 64
finished: .long 0
loaded: .long   0
