# #GP of SSE instructions that few emulators know: misaligned operands of arithmetic, MXCSR's reserved bits, misaligned
# FXSAVE.
#! start:  long64
#! expect: done
#! kvm-differs: a software KVM that answers #GP by emulation makes it #UD or lets it pass (the bare processor gives #GP)
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     eax, SCRATCH
        catch   1f
2:      addps   xmm0, [rax + 4]
        fail
1:      check_caught 13, 0, 2b
        mov     dword ptr [cell], 0x10000
        catch   1f
2:      ldmxcsr [cell]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      fxsave  [rax + 8]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      paddd   xmm3, [rax + 1]
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      aesenc  xmm3, [rax + 1]
        fail
1:      check_caught 13, 0, 2b
        done
.balign 16
cell:   .quad 0
