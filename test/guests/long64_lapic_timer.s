# The local APIC's timer: one-shot, periodic and TSC-deadline, delivered through its vector, acknowledged by EOI; TPR
# holds it off; a self-IPI; the spurious vector register enables it all.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.set LAPIC, 0xfee00000
.globl start
start:  install_idt
        set_gate 0x40, tick
        set_gate 0x41, ipi
        mov     al, 0xff
        out     0x21, al
        out     0xa1, al
        mov     edi, LAPIC
        mov     dword ptr [rdi + 0xf0], 0x1ff
        mov     dword ptr [rdi + 0x3e0], 0xb    # divide by 1
        mov     dword ptr [rdi + 0x320], 0x40   # one-shot
        mov     dword ptr [rdi + 0x380], 100000
        sti
1:      hlt
        test    ebx, ebx
        jz      1b
        cli
        check_eq ebx, 1
        check_eq "dword ptr [rdi + 0x390]", 0
        mov     dword ptr [rdi + 0x320], 0x20040 # periodic
        mov     dword ptr [rdi + 0x380], 200000
        sti
2:      cmp     ebx, 4                          # by spinning: an interrupt must break into a loop
        jb      2b
        cli
        mov     dword ptr [rdi + 0x320], 0x10040
        mov     dword ptr [rdi + 0x380], 0
        sti
        mov     ecx, 50000                      # a last tick may be on its way
3:      loop    3b
        mov     esi, ebx
        mov     ecx, 50000
3:      loop    3b
        cli
        check_eq esi, ebx
        # Self-IPI, held off by the task priority.
        mov     dword ptr [rdi + 0x80], 0x50
        mov     dword ptr [rdi + 0x300], 0x44041 # self, fixed, vector 41h
        sti
        nop
        nop
        nop
        check_eq ebp, 0
        mov     ecx, 50000
4:      test    dword ptr [rdi + 0x220], 2      # some KVMs deliver a little late
        loopz   4b
        check_eq "dword ptr [rdi + 0x220]", 2   # IRR bit 41h
        mov     rax, cr8
        check_eq eax, 5
        xor     eax, eax
        mov     cr8, rax
        mov     ecx, 50000
5:      test    ebp, ebp                        # some KVMs deliver a little late
        loopz   5b
        check_eq ebp, 1
        cli
        check_eq "dword ptr [rdi + 0x220]", 0
6:
        need_cpuid 1, 0, ecx, 24
        mov     dword ptr [rdi + 0x320], 0x40040 # TSC deadline
        mfence
        xor     ebx, ebx
        rdtsc
        add     eax, 300000
        adc     edx, 0
        mov     ecx, 0x6e0
        wrmsr
        sti
4:      hlt
        test    ebx, ebx
        jz      4b
        cli
        mov     ecx, 0x6e0
        rdmsr
        or      eax, edx
        check_eq eax, 0                         # disarmed
        done
tick:   inc     ebx
        mov     dword ptr [rdi + 0xb0], 0
        iretq
ipi:    inc     ebp
        mov     dword ptr [rdi + 0xb0], 0
        iretq
