# Locked instructions of four processors on the same bytes lose nothing: aligned, across a cache line, across a page, through
# two mappings with different rights at once; XCHG without LOCK; CMPXCHG16B; a spin lock around plain memory.
#! start:  long64
#! cpus:   4
#! expect: done mem[counter:8]=4000 mem[xadded:4]=12000 mem[bits:4]=0 mem[guarded:4]=2000
.include "guest.inc"
.include "catch64.inc"
.include "smp64.inc"
.set LINE, SCRATCH + 0x103d             # 8 bytes across a cache line
.set PAGE, SCRATCH + 0x2ffc             # 8 bytes across a page
.globl start
start:  install_idt
        start_cpus 4, work
        xor     ebx, ebx
work:   mov     r12d, 1000
1:      lock inc qword ptr [counter]
        mov     eax, 3
        lock xadd dword ptr [xadded], eax
        lock btc dword ptr [bits], ebx          # an even number of times each
        dec     r12d
        jnz     1b
        mov     r12d, 500
2:      mov     eax, 1                          # XCHG is locked by itself
3:      xchg    [spin], eax
        test    eax, eax
        jz      4f
        pause
        jmp     3b
4:      inc     dword ptr [guarded]
        mov     dword ptr [spin], 0
        dec     r12d
        jnz     2b
        kvm_differs skip_pair                   # a software ring 0 may not have CMPXCHG16B
        mov     r12d, 400
        mov     esi, ebx
        mov     rax, [pair]
        mov     rdx, [pair_high]
5:      lea     rbx, [rax + 1]
        lea     rcx, [rdx + 2]
        lock cmpxchg16b xmmword ptr [pair]
        jnz     5b
        dec     r12d
        jnz     5b
        mov     ebx, esi
skip_pair:
        mov     r12d, 300
6:      lock inc qword ptr [LINE]
        dec     r12d
        jnz     6b
        kvm_differs skip_page                   # a software ring 0 writes what lies across a page in two steps, unlocked
        mov     r12d, 100
7:      lock add qword ptr [PAGE], 0x10001
        mov     eax, 2
        lock xadd qword ptr [PAGE - 0x1000], rax
        dec     r12d
        jnz     7b
        mov     r12d, 50
8:      mov     eax, 1
9:      xchg    [PAGE + 0x1000], rax            # a spin lock that lies across a page
        test    eax, eax
        jz      10f
        pause
        jmp     9b
10:     inc     dword ptr [guarded2]
        mov     qword ptr [PAGE + 0x1000], 0
        dec     r12d
        jnz     8b
skip_page:
        lock inc dword ptr [through]
        test    ebx, ebx
        jz      11f
        rest
11:     await   through, 4
        check_eq "qword ptr [LINE]", 1200
        kvm_differs 12f
        check_eq "dword ptr [PAGE]", 0x1900190
        check_eq "dword ptr [PAGE + 4]", 0
        check_eq "qword ptr [PAGE - 0x1000]", 800
        check_eq "dword ptr [guarded2]", 200
        check_eq "qword ptr [pair]", 1600
        check_eq "qword ptr [pair_high]", 3200
12:
        done
.balign 64
counter: .quad  0
xadded: .long   0
bits:   .long   0
.balign 64
spin:   .long   0
guarded: .long  0
guarded2: .long 0
.balign 64
through: .long  0
.balign 16
pair:   .quad   0
pair_high: .quad 0
