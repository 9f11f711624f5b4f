# With CR4.OSXMMEXCPT clear an unmasked SIMD floating-point exception is #UD, with the flag set in MXCSR; masked ones are as
# ever.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM without the processor's help runs ring 3 under the host's CR4
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  mov     rax, cr4
        and     eax, ~0x400
        mov     cr4, rax
        begin_user
        mov     ecx, 0x3f800000
        movd    xmm0, ecx
        xorps   xmm1, xmm1
        mov     dword ptr [cell], 0x1d80        # ZM clear
        ldmxcsr [cell]
        catch   1f
2:      divss   xmm0, xmm1
        fail
1:      check_caught 6, 0, 2b
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1d84
        movd    edx, xmm0
        check_eq edx, 0x3f800000
        # Masked exceptions need no OSXMMEXCPT.
        mov     dword ptr [cell], 0x1f80
        ldmxcsr [cell]
        divss   xmm0, xmm1
        movd    edx, xmm0
        check_eq edx, 0x7f800000
        done
.balign 16
cell:   .quad 0, 0
