# CR0.TS and EM, CR4.OSFXSR: #NM and #UD for FPU and SSE instructions, CLTS, WAIT with MP.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software runs ring 3 with the host's CR0.TS and EM
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
# In ring 3, back in ring 0 afterwards.
.macro traps vector:req, insn:vararg
        catch0  7774f
        enter_ring3 7775f
7775:   \insn
        hlt
7774:   check_caught \vector, 0, 7775b
.endm
.globl start
start:  install_idt
        load_tss
        mov     rbx, cr0
        mov     rax, rbx
        or      eax, 8                          # TS
        mov     cr0, rax
        traps   7, fld1
        traps   7, movaps  xmm0, xmm1
        traps   7, movd    mm0, eax
        traps   7, fwait
        clts
        mov     rax, cr0
        check_eq rax, rbx
        or      eax, 4                          # EM
        mov     cr0, rax
        traps   7, fnop
        traps   6, addps   xmm0, xmm1
        mov     cr0, rbx
        mov     rax, cr4
        btr     eax, 9                          # OSFXSR
        mov     cr4, rax
        traps   6, addps   xmm0, xmm1
        bts     eax, 9
        mov     cr4, rax
        xorps   xmm0, xmm0
        fninit
        done
