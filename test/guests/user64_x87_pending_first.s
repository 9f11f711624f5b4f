# An x87 exception that an earlier instruction left pending is reported by the next waiting x87 or MMX instruction before
# any fault of that instruction's own operand (absent page, address that is not canonical), and by the state loads that
# wait. Instructions that do not wait see their operand's fault.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        map     0x200000, 0
        begin_user
        .macro  expect vector:req, error:req, what:vararg
        catch   1f
2:      \what
        fail
1:      check_caught \vector, \error, 2b
        .endm
        fninit
        fldcw   [unmasked]
        fldz
        fld1
        fdiv    st, st(1)                       # division by zero: pending from here on
        expect  16, 0, fld dword ptr [0x200000]
        expect  16, 0, fistp qword ptr [0x200000]
        expect  16, 0, fldcw [0x200000]
        expect  16, 0, paddb mm0, [0x200000]
        expect  16, 0, movq [0x200000], mm0
        expect  16, 0, fldenv [0x200000]
        expect  16, 0, frstor [0x200000]
        expect  16, 0, fldenv [environment]
        expect  16, 0, frstor [environment]
        mov     edi, 0x200000
        expect  16, 0, maskmovq mm0, mm1
        lea     rdi, [environment]
        expect  16, 0, maskmovq mm0, mm1
        mov     rcx, 0x8000000000000000
        expect  16, 0, fadd dword ptr [rcx]
        expect  16, 0, fadd dword ptr [0x1ffffe]        # crosses into the absent page
        # These do not wait.
        expect  14, 6, fnstcw [0x200000]
        expect  14, 6, fnstsw [0x200000]
        expect  14, 6, fnstenv [0x200000]
        expect  14, 6, fnsave [0x200000]
        expect  14, 4, cvtpi2pd xmm0, [0x200000]        # no MMX register
        fnstsw  ax
        test    al, 4
        check_if nz
        fnclex
        expect  14, 4, fld dword ptr [0x200000]
        expect  14, 4, paddb mm0, [0x200000]
        done
unmasked:
        .word   0x37b
.balign 16
environment:
        .fill 128, 1, 0
