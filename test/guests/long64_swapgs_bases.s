# FS and GS bases: MSRs, SWAPGS, a selector load that replaces the base, FSGSBASE instructions, canonical checks.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.macro write_base msr:req, low:req, high=0
        mov     ecx, \msr
        mov     eax, \low
        mov     edx, \high
        wrmsr
.endm
.globl start
start:  install_idt
        mov     qword ptr [SCRATCH], 0x11
        mov     qword ptr [SCRATCH + 0x1000], 0x22
        write_base 0xc0000101, SCRATCH
        write_base 0xc0000102, SCRATCH + 0x1000
        check_eq "qword ptr gs:[0]", 0x11
        swapgs
        check_eq "qword ptr gs:[0]", 0x22
        mov     ecx, 0xc0000102
        rdmsr
        check_eq eax, SCRATCH
        swapgs
        check_eq "qword ptr gs:[0]", 0x11
        inc     qword ptr gs:[0]
        mov     rax, gs:[0]
        check_eq rax, 0x12
        write_base 0xc0000100, 0xfff00000, 0xffffffff   # FS base -1 MiB: wraps to low memory
        mov     eax, SCRATCH + SCRATCH
        check_eq "qword ptr fs:[rax]", 0x12
        mov     ax, DATA                        # a selector load gives the descriptor's base
        mov     fs, ax
        mov     eax, SCRATCH
        check_eq "qword ptr fs:[rax]", 0x12
        mov     ecx, 0xc0000100
        rdmsr
        check_eq eax, 0
        mov     ecx, 0xc0000101
        mov     eax, 0
        mov     edx, 0x8000
        catch   1f
2:      wrmsr
        fail
1:      check_caught 13, 0, 2b
        kvm_differs 3f                          # its emulator knows no FSGSBASE bit
        catch   1f
2:      rdgsbase rax                            # CR4.FSGSBASE is off
        fail
1:      check_caught 6, 0, 2b
        need_cpuid 7, 0, ebx, 0
        mov     rax, cr4
        bts     rax, 16
        mov     cr4, rax
        mov     ebx, SCRATCH + 0x1000
        wrgsbase rbx
        check_eq "qword ptr gs:[0]", 0x22
        rdgsbase rax
        check_eq rax, rbx
        mov     rbx, 0x800000000000
        catch   1f
2:      wrfsbase rbx
        fail
1:      check_caught 13, 0, 2b
3:      done
