# XSAVE, XRSTOR and XGETBV with SSE and AVX state: round trip, the initial state of components that are not in the image,
# XSTATE_BV, the requested-feature mask, alignment; and that the upper halves of YMM survive SSE and not VEX.128.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  need_cpuid 1, 0, ecx, 26
        need_cpuid 1, 0, ecx, 28
        mov     rax, cr4
        bts     rax, 18
        mov     cr4, rax
        xor     ecx, ecx
        mov     eax, 7
        xor     edx, edx
        xsetbv
        begin_user
        xor     ecx, ecx
        xgetbv
        and     eax, 7                          # some KVMs show ring 3 the host's
        check_eq eax, 7
        need_cpuid 1, 0, ecx, 27
        mov     rax, 0x1122334455667788
        movq    xmm1, rax
        vinsertf128 ymm1, ymm1, xmm1, 1
        mov     edi, SCRATCH
        mov     eax, 7
        xor     edx, edx
        xsave64 [rdi]
        check_eq "dword ptr [rdi + 576 + 16]", 0x55667788
        mov     eax, [rdi + 512]
        and     eax, 6
        check_eq eax, 6
        vzeroall
        mov     eax, 7
        xrstor64 [rdi]
        vextractf128 xmm2, ymm1, 1
        movq    rcx, xmm2
        mov     rax, 0x1122334455667788
        check_eq rcx, rax
        # An SSE write keeps the upper half, a VEX.128 write clears it.
        xorps   xmm1, xmm1
        vextractf128 xmm2, ymm1, 1
        movq    rcx, xmm2
        check_eq rcx, rax
        vxorps  xmm1, xmm1, xmm1
        vextractf128 xmm2, ymm1, 1
        movq    rcx, xmm2
        check_eq rcx, 0
        # Only SSE asked for: AVX keeps what it has.
        mov     eax, 7
        xor     edx, edx
        xrstor64 [rdi]
        xorps   xmm1, xmm1
        mov     eax, 2
        xrstor64 [rdi]
        movq    rcx, xmm1
        mov     rax, 0x1122334455667788
        check_eq rcx, rax
        # A component whose bit is clear in the image comes up in its initial state.
        mov     qword ptr [rdi + 512], 2
        mov     eax, 6
        xor     edx, edx
        xrstor64 [rdi]
        vextractf128 xmm2, ymm1, 1
        movq    rcx, xmm2
        check_eq rcx, 0
        catch   1f
2:      xsave   [rdi + 32]
        fail
1:      check_caught 13, 0, 2b
        mov     qword ptr [rdi + 512], 0x8000000
        mov     eax, 7
        catch   1f
2:      xrstor  [rdi]
        fail
1:      check_caught 13, 0, 2b
        # MXCSR belongs to SSE alone in the compacted form: XRSTOR of AVX leaves it, in the standard form it loads it.
        mov     dword ptr [rdi + 24], 0x1f81
        mov     qword ptr [rdi + 512], 0
        mov     qword ptr [rdi + 520], 0
        ldmxcsr [other_mxcsr]
        mov     eax, 4
        xor     edx, edx
        xrstor  [rdi]
        stmxcsr [rdi + 1024]
        check_eq "dword ptr [rdi + 1024]", 0x1f81
        mov     eax, 0xd
        mov     ecx, 1
        cpuid
        test    al, 2                           # XSAVEC, and with it the compacted form
        jz      3f
        mov     byte ptr [rdi + 527], 0x80
        mov     byte ptr [rdi + 520], 4
        ldmxcsr [other_mxcsr]
        mov     eax, 4
        xor     edx, edx
        xrstor  [rdi]
        stmxcsr [rdi + 1024]
        check_eq "dword ptr [rdi + 1024]", 0x1fa0
        mov     byte ptr [rdi + 520], 2
        mov     eax, 2
        xrstor  [rdi]
        stmxcsr [rdi + 1024]
        check_eq "dword ptr [rdi + 1024]", 0x1f80
3:      mov     ecx, 99
        catch   1f
2:      xgetbv
        fail
1:      check_caught 13, 0, 2b
        done
other_mxcsr:
        .long   0x1fa0
