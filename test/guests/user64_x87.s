# x87: arithmetic in 80 bits, stack faults, compares into flags, control word, integer and BCD stores, and pending
# exceptions that fault at the next waiting instruction (#MF).
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        fninit
        fnstcw  [cell]
        check_eq "word ptr [cell]", 0x37f
        fnstsw  ax
        check_eq ax, 0
        fld1
        fldpi
        fadd    st, st(1)
        fistp   dword ptr [cell]                # 4.14
        check_eq "dword ptr [cell]", 4
        fstp    st(0)
        fild    qword ptr [big]
        fistp   qword ptr [cell]
        mov     rax, [big]
        check_eq rax, [cell]
        fild    qword ptr [big]                 # 63 bits survive only in 80-bit form
        fstp    tbyte ptr [cell]
        fld     tbyte ptr [cell]
        fistp   qword ptr [cell]
        check_eq rax, [cell]
        fld1
        fldz
        fcomi   st, st(1)
        check_if b
        fucomip st, st(1)
        check_if b
        fcom    st(0)
        fnstsw  ax
        and     eax, 0x4700
        check_eq eax, 0x4000
        fstp    st(0)
        fild    dword ptr [packed_in]
        fbstp   [cell]
        check_eq "dword ptr [cell]", 0x12345678
        check_eq "word ptr [cell + 8]", 0
        mov     word ptr [cell], 0xf7f          # toward zero
        fldcw   [cell]
        fld     qword ptr [minus_one_nine]
        fistp   word ptr [cell]
        check_eq "word ptr [cell]", -1
        fninit
        # Stack underflow, masked: the default NaN.
        fadd    st, st(1)
        fnstsw  ax
        and     eax, 0x41
        check_eq eax, 0x41
        fninit
        # Division by zero, not masked: the exception waits for the next x87 instruction.
        mov     word ptr [cell], 0x37b
        fldcw   [cell]
        fldz
        fld1
        fdiv    st, st(1)
        mov     ecx, 5
        fnstsw  ax                              # does not wait
        test    al, 4
        check_if nz
        catch   1f
2:      fld1
        fail
1:      check_caught 16, 0, 2b
        catch   1f
2:      fwait
        fail
1:      check_caught 16, 0, 2b
        fnclex
        fwait
        fninit
        # Environment save and restore.
        fld1
        fldpi
        fnstenv [environment]
        check_eq "word ptr [environment]", 0x37f
        fldenv  [environment]
        fnsave  [environment]
        fnstsw  ax
        check_eq ax, 0
        frstor  [environment]
        fistp   dword ptr [cell]
        check_eq "dword ptr [cell]", 3
        fistp   dword ptr [cell]
        check_eq "dword ptr [cell]", 1
        # MMX shares the registers.
        mov     eax, 0x01020304
        movd    mm0, eax
        paddb   mm0, mm0
        movd    eax, mm0
        check_eq eax, 0x02040608
        emms
        fld1
        fistp   dword ptr [cell]
        check_eq "dword ptr [cell]", 1
        done
.balign 16
cell:   .quad 0, 0
big:    .quad 0x7ffffffffffffffd
packed_in:
        .long 12345678
minus_one_nine:
        .double -1.9
environment:
        .fill 128, 1, 0
