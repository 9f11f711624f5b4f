# Far CALL, JMP and RET in 64-bit mode, through memory operands of 32 and 64 bits, into compatibility mode and back, with
# RET's byte count; the segment's accessed bit; #GP and #NP for bad selectors.
#! start:  long64
#! expect: rax=4 rsp=0x7c00
.include "guest.inc"
.include "catch64.inc"
.globl start
start:  install_idt
        xor     eax, eax
        mov     dword ptr [pointer], offset far_function
        mov     word ptr [pointer + 4], CODE64
        call    fword ptr [pointer]             # 32-bit frame: 2 dwords
        check_eq eax, 1
        mov     qword ptr [pointer], offset far_function64
        mov     word ptr [pointer + 8], CODE64
        rex.w call fword ptr [pointer]
        check_eq eax, 2
        check_eq rsp, 0x7c00
        push    CODE64
        push    offset 1f
        rex.w retf
        fail
1:      push    CODE32
        push    offset compat
        rex.w retf
        fail
.code32
compat: inc     eax                             # 40h
        mov     ecx, esp
        check_eq ecx, 0x7c00
        call    CODE32:compat_function
        jmp     CODE64:back
compat_function:
        mov     edx, 0xffffffff
        add     edx, 1
        .byte   0xcb                            # RETF, as wide as CALL FWORD pushed
.code64
back:   check_eq eax, 3
        mov     word ptr [pointer + 4], DATA
        catch   1f
2:      call    fword ptr [pointer]
        fail
1:      check_caught 13, DATA, 2b
        check_eq rsp, 0x7c00
        mov     word ptr [pointer + 4], 0
        catch   1f
2:      jmp     fword ptr [pointer]
        fail
1:      check_caught 13, 0, 2b
        mov     rcx, [GDT + CODE64]             # a code segment that is not present
        btr     rcx, 47
        mov     [GDT + 0x48], rcx
        mov     word ptr [pointer + 4], 0x48
        catch   1f
2:      jmp     fword ptr [pointer]
        fail
1:      check_caught 11, 0x48, 2b
        bts     rcx, 47                         # and one that was never used: accessed is set by loading it
        btr     rcx, 40
        mov     [GDT + 0x48], rcx
        mov     dword ptr [pointer], offset 3f
        jmp     fword ptr [pointer]
        fail
3:      mov     rcx, [GDT + 0x48]
        bt      rcx, 40
        check_if c
        inc     eax
        done
far_function:
        inc     eax
        .byte   0xcb                            # RETF, as wide as CALL FWORD pushed
far_function64:
        inc     eax
        rex.w retf
.balign 8
pointer:
        .quad   0, 0
