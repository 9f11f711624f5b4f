# Unmasked SIMD floating-point exceptions: #XM, MXCSR has the flag and the destination is as before. Denormals are zeros with
# DAZ, and flushed to zero with FTZ. Packed forms set the flags of all elements.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     ecx, 0x3f800000
        movd    xmm0, ecx
        xorps   xmm1, xmm1
        mov     dword ptr [cell], 0x1d80        # ZM clear
        ldmxcsr [cell]
        catch   1f
2:      divss   xmm0, xmm1
        fail
1:      check_caught 19, 0, 2b
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1d84
        movd    edx, xmm0
        check_eq edx, 0x3f800000
        # A denormal operand: flagged, or a zero with DAZ.
        mov     ecx, 1
        movd    xmm2, ecx
        mov     dword ptr [cell], 0x1e80        # DM clear
        ldmxcsr [cell]
        catch   1f
2:      addss   xmm2, xmm1
        fail
1:      check_caught 19, 0, 2b
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1e82
        mov     dword ptr [cell], 0x1ec0        # DAZ
        ldmxcsr [cell]
        addss   xmm2, xmm1
        movd    edx, xmm2
        check_eq edx, 0
        # Underflow: a denormal result, or zero with FTZ (and underflow masked).
        mov     ecx, 0x00800000
        movd    xmm3, ecx
        mov     ecx, 0x3f000000
        movd    xmm4, ecx
        mov     dword ptr [cell], 0x1f80
        ldmxcsr [cell]
        movaps  xmm5, xmm3
        mulss   xmm5, xmm4
        movd    edx, xmm5
        check_eq edx, 0x00400000
        mov     dword ptr [cell], 0x9f80        # FTZ
        ldmxcsr [cell]
        mulss   xmm3, xmm4
        movd    edx, xmm3
        check_eq edx, 0
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x9fb0     # UE and PE
        # Two elements, two exceptions, one of them unmasked: both flags, no result.
        mov     dword ptr [cell], 0x1d80
        ldmxcsr [cell]
        movaps  xmm6, [ones_and_nan]
        catch   1f
2:      divps   xmm6, [zeros]
        fail
1:      check_caught 19, 0, 2b
        movaps  [cell], xmm6
        check_eq "dword ptr [cell]", 0x3f800000
        check_eq "dword ptr [cell + 4]", 0x7fa00000
        stmxcsr [cell]
        check_eq "dword ptr [cell]", 0x1d85
        done
.balign 16
cell:   .quad 0, 0
ones_and_nan:
        .long 0x3f800000, 0x7fa00000, 0x3f800000, 0x3f800000
zeros:  .long 0, 0x3f800000, 0x3f800000, 0x3f800000
