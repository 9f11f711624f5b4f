# Interrupts between processors: a ping-pong in which each side sleeps until the other's interrupt comes, by physical
# and by logical destination; a broadcast; an NMI. No wake-up may be lost.
#! start:  long64
#! cpus:   3
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "smp64.inc"
.set ROUNDS, 300
.globl start
start:  install_idt
        set_gate 0x40, ping
        set_gate 0x41, pong
        set_gate 0x42, all
        set_gate 2, nmi
        mov     edi, LAPIC + 0xd0
        mov     dword ptr [rdi], 1 << 24        # logical id, flat model: bit of the number
        start_cpus 3, other
        await   ready, 2
        # Physical destination, both sides halted between.
        mov     r12d, ROUNDS
1:      mov     dword ptr [got_pong], 0
        send_ipi 0x40, 1
        cli
2:      cmp     dword ptr [got_pong], 0
        jne     3f
        sti
        hlt
        cli
        jmp     2b
3:      sti
        dec     r12d
        jnz     1b
        check_eq "dword ptr [pings]", ROUNDS
        # Logical destination: processors 1 and 2 together.
        mov     dword ptr [heard], 0
        send_ipi 0x842, 6
        await   heard, 2
        # Shorthands: others, all, self.
        mov     dword ptr [heard], 0
        send_ipi OTHERS | 0x42
        await   heard, 2
        mov     dword ptr [heard], 0
        send_ipi 0x80042
        await   heard, 3
        mov     dword ptr [heard], 0
        send_ipi 0x40042
        await   heard, 1
        # An NMI.
        send_ipi 0x400, 2
        await   nmis, 1
        done

other:  mov     edi, LAPIC + 0xd0
        mov     eax, 1
        mov     ecx, ebx
        shl     eax, cl
        shl     eax, 24
        mov     [rdi], eax
        lock inc dword ptr [ready]
        cmp     ebx, 2
        je      2f
1:      sti
        hlt
        jmp     1b
2:      sti
        await   heard, 0
3:      cmp     dword ptr [nmis], 0
        jne     4f
        pause
        jmp     3b
4:      cli
        hlt
        jmp     4b

ping:   push    rax
        push    rdi
        inc     dword ptr [pings]
        eoi
        send_ipi 0x41, 0
        pop     rdi
        pop     rax
        iretq
pong:   push    rax
        mov     dword ptr [got_pong], 1
        eoi
        pop     rax
        iretq
all:    push    rax
        lock inc dword ptr [heard]
        eoi
        pop     rax
        iretq
nmi:    lock inc dword ptr [nmis]
        iretq
.balign 64
ready:  .long   0
pings:  .long   0
got_pong: .long 0
heard:  .long   0
nmis:   .long   0
