# Real mode to protected mode and back: unreal mode keeps the 4 GiB limits, 16-bit protected mode, a 32-bit segment, then
# real mode again; and from real mode all the way to 64-bit mode.
#! start:  real16
#! expect: rax=0x1122334455667788
.include "guest.inc"
.include "catch16.inc"
.globl start
start:  install_ivt
        mov     edi, SCRATCH
        catch   1f
2:      mov     dword ptr [edi], 0x11
        fail
1:      check_caught 13, 2b
        lgdt    [gdt_pointer]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        mov     bx, DATA
        mov     ds, bx
        mov     es, bx
        and     al, 0xfe
        mov     cr0, eax                        # no jump in between: CS stays as it was
        xor     bx, bx
        mov     ds, bx                          # base 0 again, the limit stays 4 GiB
        mov     es, bx
        mov     dword ptr [edi], 0x11223344
        check_eq "dword ptr [edi]", 0x11223344
        mov     esi, SCRATCH
        mov     edi, SCRATCH + 0x100
        mov     ecx, 4
        addr32 rep movsb
        check_eq "dword ptr [edi - 4]", 0x11223344
        # 16-bit protected mode by a far jump, then 32-bit code.
        or      al, 1
        mov     cr0, eax
        jmp     CODE16:protected16
protected16:
        mov     bx, DATA16
        mov     ss, bx
        mov     sp, STACK_TOP
        push    0x1234
        pop     cx
        check_eq cx, 0x1234
        mov     ecx, 0x7fffffff
        .byte   0x66, 0xea                      # far JMP with a 32-bit offset
        .long   protected32
        .word   CODE32
.code32
protected32:
        mov     bx, DATA
        mov     ds, bx
        mov     ss, bx
        mov     esp, STACK_TOP
        inc     ecx
        check_eq ecx, 0x80000000
        call    1f
1:      pop     edx
        check_eq edx, "offset 1b"
        jmp     CODE16:back16
.code16
back16: mov     bx, DATA16                      # limits as in real mode
        mov     ds, bx
        mov     es, bx
        mov     ss, bx
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        jmp     0:real
real:   xor     bx, bx
        mov     ds, bx
        mov     es, bx
        mov     ss, bx
        mov     sp, STACK_TOP
        mov     edi, SCRATCH
        catch   1f
2:      mov     eax, [edi]                      # the limit is back
        fail
1:      check_caught 13, 2b
        # To 64-bit mode directly.
        mov     eax, cr4
        or      eax, 0x20
        mov     cr4, eax
        mov     eax, PAGE_TABLES
        mov     cr3, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x100
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000001
        mov     cr0, eax
        .byte   0x66, 0xea
        .long   long_mode
        .word   CODE64
.code64
long_mode:
        mov     ax, DATA
        mov     ds, ax
        mov     ss, ax
        mov     ecx, 0xc0000080
        rdmsr
        bt      eax, 10                         # LMA
        check_if c
        mov     rax, 0x1122334455667788
        mov     r15, rax
        push    r15
        pop     rax
        done
.balign 8
gdt_pointer:
        .word   0xff
        .long   GDT
