# Whatever the engine does in C++ for an instruction, vector registers that the instruction does not name stay as they are:
# accesses across pages, to devices and onto code, page faults, segment loads, CPUID, control registers.
#! start:  long64
#! kvm-differs: a KVM whose ring 0 is emulated in software has few vector instructions there
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"

.macro fill
        pcmpeqd xmm0, xmm0
        movdqa  xmm1, xmm0
        psrlw   xmm1, 3
        movdqa  xmm2, xmm0
        psrld   xmm2, 7
        movdqa  xmm3, xmm0
        psrlq   xmm3, 11
.endm
.macro expect_at offset:req, value:req
        mov     r10, \value
        check_eq "qword ptr [0x300000 + \offset]", r10
        check_eq "qword ptr [0x300008 + \offset]", r10
.endm
.macro same
        movdqu  [0x300000], xmm0
        movdqu  [0x300010], xmm1
        movdqu  [0x300020], xmm2
        movdqu  [0x300030], xmm3
        expect_at 0x00, -1
        expect_at 0x10, 0x1fff1fff1fff1fff
        expect_at 0x20, 0x01ffffff01ffffff
        expect_at 0x30, 0x001fffffffffffff
.endm
.macro keeps insn:vararg
        fill
        \insn
        same
.endm

.globl start
start:  install_idt
        keeps   mov rax, [0x200ffc]
        keeps   mov [0x200ffc], rax
        keeps   add qword ptr [0x200ffa], 1
        keeps   push qword ptr [0x200ffd]
        keeps   pop qword ptr [0x200ffd]
        keeps   xchg [0x200ffe], eax
        keeps   mov eax, [0xfee00020]           # local APIC
        keeps   cpuid
        keeps   mov rax, cr3
        keeps   mov cr3, rax
        keeps   invlpg [0x200000]
        keeps   in al, 0x21
        mov     byte ptr [patched + 1], 0x55    # onto code that was translated
        call    patched
        fill
        mov     byte ptr [patched + 1], 0x66
        call    patched
        same
        check_eq al, 0x66
        mov     esi, 0x200ff0
        mov     edi, 0x201ff8
        mov     ecx, 4
        fill
        rep movsq
        same
        catch   1f
        fill
2:      ud2
        fail
1:      same
        check_caught 6, 0, 2b
        done
patched:
        mov     al, 0x11
        ret
