# Two processors set accessed and dirty bits of one page-table entry while a third changes its software bits with locked
# instructions: nobody's bits get lost.
#! start:  long64
#! cpus:   3
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.include "smp64.inc"
.set ROUNDS, 2000
.set VA, 0x240000
.set ENTRY, SMALL_PAGES + (VA - 0x200000) / 0x1000 * 8
.globl start
start:  install_idt
        small_pages
        map     VA, 0x250000 | P | W
        start_cpus 3, other
        mov     r12d, ROUNDS
1:      lock add qword ptr [ENTRY], 0           # a software counter in bits 52..62
        mov     rax, 1 << 52
        lock xadd [ENTRY], rax
        mov     ecx, A | D
        not     rcx
        lock and [ENTRY], rcx                   # clean again
        dec     r12d
        jnz     1b
        lock inc dword ptr [stop]
        await   stopped, 2
        mov     rax, [ENTRY]
        shr     rax, 52
        check_eq eax, ROUNDS
        mov     eax, [ENTRY]
        and     eax, ~(A | D)
        check_eq eax, 0x250000 | P | W
        # Clean, told to all, then written once: dirty for good.
        mov     ecx, A | D
        not     rcx
        lock and [ENTRY], rcx
        invlpg  [VA]
        mov     dword ptr [VA], 1
        mov     eax, [ENTRY]
        and     eax, A | D
        check_eq eax, A | D
        done

other:  mov     edi, VA
1:      invlpg  [rdi]
        lock inc dword ptr [rdi + rbx * 4]
        invlpg  [rdi]
        mov     eax, [rdi]
        cmp     dword ptr [stop], 0
        je      1b
        lock inc dword ptr [stopped]
        rest
.balign 64
stop:   .long   0
stopped: .long  0
