# CPUID is consistent with what works; RDTSC and RDTSCP go forward, TSC_AUX, CR4.TSD in ring 3.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  install_idt
        load_tss
        mov     rbx, -1
        xor     eax, eax
        xor     ecx, ecx
        cpuid
        cmp     eax, 1
        check_if ae
        bt      rbx, 32                         # upper halves cleared
        check_if nc
        mov     eax, 0x80000001
        cpuid
        bt      edx, 29                         # long mode
        check_if c
        mov     eax, 1
        cpuid
        and     edx, 0x07808111                 # FPU TSC CX8 CMOV MMX FXSR SSE SSE2
        check_eq edx, 0x07808111
        mov     r8, -1
        mov     ecx, 1000
1:      push    rcx
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        cmp     r8, -1
        je      2f
        cmp     rax, r8
        check_if ae
2:      mov     r8, rax
        pop     rcx
        loop    1b
        mov     rax, cr4
        or      eax, 4                          # TSD
        mov     cr4, rax
        rdtsc                                   # ring 0 may
        kvm_differs 5f                          # ring 3 runs with the host's CR4
        catch0  3f
        enter_ring3 4f
4:      rdtsc
        nop
3:      check_caught 13, 0, 4b
5:        need_cpuid 0x80000001, 0, edx, 27
        mov     ecx, 0xc0000103
        mov     eax, 0x1234
        xor     edx, edx
        wrmsr
        rdtscp
        check_eq ecx, 0x1234
        done
