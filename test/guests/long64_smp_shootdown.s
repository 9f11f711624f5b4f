# A page is mapped elsewhere and the other processor told by an interrupt to drop its translation: from its answer on, it
# reads, writes and executes the new page only.
#! start:  long64
#! cpus:   2
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.include "smp64.inc"
.set ROUNDS, 100
.set VA, 0x240000
.set ONE, 0x250000
.set TWO, 0x260000
.globl start
start:  install_idt
        small_pages
        set_gate 0x40, flush
        # Both pages begin with code that says which it is; the counters follow.
        mov     dword ptr [ONE], 0x000001b8     # mov eax, 1
        mov     word ptr [ONE + 4], 0xc300      # (last byte of the immediate), ret
        mov     dword ptr [TWO], 0x000002b8
        mov     word ptr [TWO + 4], 0xc300
        map     VA, ONE | P | W
        start_cpus 2, other
        mov     r12d, ROUNDS
1:      mov     r13d, TWO
        mov     r14d, ONE
        test    r12d, 1
        jz      2f
        xchg    r13d, r14d
2:      lea     eax, [r13 + P + W]
        mov     [SMALL_PAGES + (VA - 0x200000) / 0x1000 * 8], eax
        invlpg  [VA]
        mov     dword ptr [flushed], 0
        send_ipi 0x40, 1
        await   flushed, 1
        # Two rounds of the other, so that one of them began after its answer.
        mov     ecx, 2
3:      mov     dword ptr [said], 0
4:      pause
        mov     eax, [said]
        test    eax, eax
        jz      4b
        loop    3b
        mov     edx, [r14 + 0x100]              # it does not write the old page any more
        mov     ecx, 200
5:      pause
        loop    5b
        check_eq edx, "dword ptr [r14 + 0x100]"
        mov     ecx, 1
        cmp     r13d, ONE
        je      6f
        inc     ecx
6:      check_eq eax, ecx                       # and runs the new one's code
        dec     r12d
        jnz     1b
        done

other:  sti
1:      mov     edi, VA
        call    rdi
        mov     [said], eax
        inc     dword ptr [rdi + 0x100]
        jmp     1b

flush:  push    rax
        invlpg  [VA]
        eoi
        mov     dword ptr [flushed], 1
        pop     rax
        iretq
.balign 64
flushed: .long  0
said:   .long   0
