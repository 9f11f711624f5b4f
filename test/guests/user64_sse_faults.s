# SSE: #GP for misaligned operands of instructions that demand alignment, none for the others, #XM for unmasked MXCSR
# exceptions with the flags set, rounding modes, conversions of NaN. More #GP is in user64_sse_protection.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     eax, SCRATCH
        catch   1f
2:      movaps  xmm0, [rax + 8]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      movntdq [rax + 8], xmm1
        fail
1:      check_caught 13, 0, 2b
        movups  xmm0, [rax + 8]
        movlps  xmm0, [rax + 4]
        addsd   xmm0, [rax + 1]
        # Division by zero, masked, then not.
        mov     ecx, 0x3f800000
        movd    xmm0, ecx
        xorps   xmm1, xmm1
        movaps  xmm2, xmm0
        divss   xmm2, xmm1
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1f84
        movd    edx, xmm2
        check_eq edx, 0x7f800000
        mov     dword ptr [cell], 0x1d80        # ZM clear, flags clear
        ldmxcsr [cell]
        catch   1f
2:      divss   xmm0, xmm1
        fail
1:      check_caught 19, 0, 2b
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1d84
        movd    edx, xmm0                       # unchanged
        check_eq edx, 0x3f800000
        # Setting a flag whose mask is clear faults only at the next operation that raises it anew.
        divss   xmm2, xmm0
        mov     dword ptr [cell], 0x1f80
        ldmxcsr [cell]
        # Rounding modes.
        mov     dword ptr [cell], 0x7f80        # toward zero
        ldmxcsr [cell]
        mov     rdx, 0x3ffe666666666666         # 1.9
        movq    xmm3, rdx
        cvtsd2si edx, xmm3
        check_eq edx, 1
        mov     dword ptr [cell], 0x5f80        # up
        ldmxcsr [cell]
        cvtsd2si edx, xmm3
        check_eq edx, 2
        cvttsd2si rdx, xmm3
        check_eq rdx, 1
        mov     dword ptr [cell], 0x1f80
        ldmxcsr [cell]
        mov     rdx, 0x7ff8000000000000
        movq    xmm3, rdx
        cvtsd2si edx, xmm3                      # NaN: the integer indefinite
        check_eq edx, 0x80000000
        comisd  xmm3, xmm3
        check_flags ARITH, (ZF | PF | CF)
        done
.balign 16
cell:   .quad 0
