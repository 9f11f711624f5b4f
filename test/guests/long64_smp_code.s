# One processor changes code that another runs: with an interrupt and a serialising instruction; with a flag and CPUID;
# and by the protocol of kernels that patch live code, INT3 over the first byte until the rest is written.
#! start:  long64
#! cpus:   2
#! expect: done
#! kvm-differs: a software ring 0 may not have INT3
.include "guest.inc"
.include "catch64.inc"
.include "smp64.inc"
.set ROUNDS, 60
.globl start
start:  install_idt
        set_gate 0x40, sync
        set_gate 3, int3
        start_cpus 2, other
        # Protocol 1: the other loops over the code; patch, interrupt it, it serialises by IRET, then must show the value.
        mov     r12d, 1
1:      mov     [patched + 1], r12d             # the immediate of MOV EAX
        mov     dword ptr [synced], 0
        send_ipi 0x40, 1
        await   synced, 1
        mov     dword ptr [shown], 0
2:      pause                                   # a value that was computed after the interrupt
        mov     eax, [shown]
        test    eax, eax
        jz      2b
        mov     dword ptr [shown], 0
3:      pause
        mov     eax, [shown]
        test    eax, eax
        jz      3b
        check_eq eax, r12d
        inc     r12d
        cmp     r12d, ROUNDS
        jne     1b
        # Protocol 2: the other waits for a flag in the block that holds the code, and serialises by CPUID.
        mov     dword ptr [stage], 1
        mov     r12d, 1
4:      mov     [patched2 + 2], r12d            # the immediate of MOV R8D
        mov     [turn], r12d
5:      pause
        cmp     [done_turn], r12d
        jne     5b
        check_eq r12d, "dword ptr [shown2]"
        inc     r12d
        cmp     r12d, ROUNDS
        jne     4b
        mov     dword ptr [turn], -1
        # Protocol 3: a 5-byte jump over a 5-byte NOP and back, while the other calls it all the time.
        await   stage, 2
        mov     r12d, ROUNDS
6:      mov     byte ptr [site], 0xcc
        mov     dword ptr [synced], 0
        send_ipi 0x40, 1
        await   synced, 1
        test    r12d, 1
        jnz     7f
        mov     dword ptr [site + 1], 0x00441f          # the tail of NOP
        mov     r13b, 0x0f
        jmp     8f
7:      mov     dword ptr [site + 1], offset jumped - site - 5
        mov     r13b, 0xe9
8:      mov     dword ptr [synced], 0
        send_ipi 0x40, 1
        await   synced, 1
        mov     [site], r13b
        mov     dword ptr [synced], 0
        send_ipi 0x40, 1
        await   synced, 1
        # From now on only the new code runs.
        mov     r14d, [straight]
        mov     r15d, [jumps]
        mov     ecx, 1000
9:      pause
        loop    9b
        mov     eax, r14d
        test    r12d, 1
        jnz     10f
        sub     r15d, [jumps]                   # jumps stopped, but for one call under way
        cmp     r15d, -1
        jge     11f
        fail
10:     sub     eax, [straight]
        cmp     eax, -1
        jge     11f
        fail
11:     dec     r12d
        jnz     6b
        check_ne "dword ptr [straight]", 0
        check_ne "dword ptr [jumps]", 0
        done

other:  sti
1:      call    patched
        mov     [shown], eax
        cmp     dword ptr [stage], 0
        je      1b
        mov     esi, 1
2:      mov     eax, [turn]
        cmp     eax, -1
        je      3f
        cmp     eax, esi
        jne     2b
        xor     eax, eax
        cpuid
patched2:
        mov     r8d, 0
        mov     [shown2], r8d
        mov     [done_turn], esi
        inc     esi
        jmp     2b
3:      mov     dword ptr [stage], 2
4:      call    function
        jmp     4b

.balign 64
patched:
        mov     eax, 0x7fffffff
        ret
.balign 64
function:
        nop
site:   .byte   0x0f, 0x1f, 0x44, 0x00, 0x00
        inc     dword ptr [straight]
        ret
jumped: inc     dword ptr [jumps]
        ret

sync:   push    rax
        eoi
        mov     dword ptr [synced], 1
        pop     rax
        iretq
int3:   mov     qword ptr [rsp], offset site    # again, until it is something else
        iretq
.balign 64
synced: .long   0
shown:  .long   0
.balign 64
stage:  .long   0
turn:   .long   0
done_turn: .long 0
shown2: .long   0
.balign 64
straight: .long 0
jumps:  .long   0
