# FXSAVE and FXRSTOR round trip, MXCSR's mask, and what FXRSTOR refuses.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        fninit
        fld1
        mov     rax, 0x1122334455667788
        movq    xmm0, rax
        movq    xmm15, rax
        pslldq  xmm15, 8
        mov     dword ptr [cell], 0x1fa0
        ldmxcsr [cell]
        mov     edi, SCRATCH
        fxsave64 [rdi]
        check_eq "word ptr [rdi]", 0x37f
        check_eq "byte ptr [rdi + 4]", 0x80     # abridged tag: ST0 is register 7
        check_eq "dword ptr [rdi + 24]", 0x1fa0
        check_eq rax, [rdi + 160]
        check_eq rax, [rdi + 160 + 15 * 16 + 8]
        check_ne "dword ptr [rdi + 28]", 0      # MXCSR mask
        xorps   xmm0, xmm0
        xorps   xmm15, xmm15
        fninit
        mov     dword ptr [cell], 0x1f80
        ldmxcsr [cell]
        fxrstor64 [rdi]
        movq    rcx, xmm0
        check_eq rcx, rax
        psrldq  xmm15, 8
        movq    rcx, xmm15
        check_eq rcx, rax
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1fa0
        fistp   dword ptr [cell]
        check_eq "dword ptr [cell]", 1
        or      dword ptr [rdi + 24], 0x10000
        catch   1f
2:      fxrstor [rdi]
        fail
1:      check_caught 13, 0, 2b
        done
.balign 16
cell:   .quad 0
