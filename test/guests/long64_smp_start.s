# INIT and SIPI start processors one by one with APIC ids of their own; a SIPI to a processor that runs does nothing; INIT
# stops one and another SIPI starts it again. CPUID tells every processor the same topology and its own ids.
#! start:  long64
#! cpus:   4
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "smp64.inc"
.globl start
start:  install_idt
        start_cpus 4, other
        check_eq "dword ptr [cpus_woken]", 3
        await   seen, 0xe                       # bits 1, 2, 3: each number once
        # A SIPI to processors that are not waiting for one.
        lea     eax, [cpu_entry]
        shr     eax, 12
        or      eax, OTHERS | 0x4600
        mov     edi, ICR_LOW
        mov     [rdi], eax
        mov     ecx, 100000
1:      pause
        loop    1b
        check_eq "dword ptr [cpus_woken]", 3
        # INIT level de-assert changes nothing, as on every processor since the Pentium 4.
        mov     dword ptr [rdi], 0x88500        # all, level, de-assert
        # One processor stops and starts again.
        mov     dword ptr [cpus_here], 0
        mov     dword ptr [ticks], 0
        await   ticks, 1                        # processor 2 counts
        send_ipi 0x500, 2                       # INIT
        mov     ecx, 100000
2:      pause
        loop    2b
        mov     edx, [counter]
        mov     ecx, 100000
3:      pause
        loop    3b
        check_eq edx, "dword ptr [counter]"     # it counts no more
        lea     edx, [cpu_entry]
        shr     edx, 12
        or      edx, 0x4600
        mov     edi, ICR_HIGH
        mov     dword ptr [rdi], 2 << 24
        mov     edi, ICR_LOW
        mov     [rdi], edx
        await   cpus_here, 1
        check_eq "dword ptr [cpus_woken]", 4
        done

other:  lock bts dword ptr [seen], ebx
        mov     edi, LAPIC_ID
        mov     eax, [rdi]
        shr     eax, 24
        check_eq eax, ebx
        # The topology leaves agree with that number.
        mov     esi, ebx
        mov     eax, 1
        cpuid
        bt      edx, 28                         # HTT: more than one logical processor in the package
        check_if c
        shr     ebx, 16
        and     ebx, 0xff
        check_eq ebx, 4
        xor     eax, eax
        cpuid
        cmp     eax, 11
        jb      1f
        mov     eax, 11
        xor     ecx, ecx
        cpuid
        test    ebx, ebx                        # no level: the leaf is not there
        jz      1f
        check_eq edx, esi
1:      mov     ebx, esi
        cmp     ebx, 2
        je      2f
        rest
2:      mov     dword ptr [ticks], 1
3:      lock inc dword ptr [counter]
        mov     dword ptr [ticks], 1
        jmp     3b
.balign 64
seen:   .long   0
ticks:  .long   1
.balign 64
counter: .long  0
