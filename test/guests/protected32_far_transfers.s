# Far CALL, JMP and RET between 32- and 16-bit segments, code segments with a base, a call gate, and the limits of CS.
#! start:  protected32
#! expect: rax=4
.include "guest.inc"
.code32
.include "catch32.inc"
.globl start
start:  install_idt
        xor     eax, eax
        call    CODE32:far_function
        check_eq eax, 1
        check_eq esp, STACK_TOP
        # 16-bit code; it returns with a 32-bit operand size to pop what CALL pushed.
        call    CODE16:function16
        check_eq eax, 2
        # A code segment with base 8000h.
        descriptor 0x48, 0x8000, 0xffff, 0x49b
        call    0x48:far_function - 0x8000
        check_eq eax, 3
        inc     eax
        kvm_differs 4f                          # its emulator has no call gates
        dec     eax
        # A call gate, 32 bits, no parameters, same ring.
        mov     dword ptr [GDT + 0x50], (CODE32 << 16)
        mov     ecx, offset far_function
        mov     [GDT + 0x50], cx
        shr     ecx, 16
        mov     dword ptr [GDT + 0x54], 0x8c00
        mov     [GDT + 0x56], cx
        call    0x50:0
        check_eq eax, 4
        check_eq esp, STACK_TOP
4:      # RET with a byte count.
        push    0x11
        push    0x22
        call    CODE32:far_drop8
        check_eq esp, STACK_TOP
        # Beyond the limit of a small segment: #GP before the jump.
        descriptor 0x58, 0x8000, 0xff, 0x49b
        catch   1f
2:      call    0x58:0x100
        fail
1:      check_caught 13, 0, 2b
        check_eq esp, STACK_TOP
        catch   1f
2:      jmp     DATA:0
        fail
1:      check_caught 13, DATA, 2b
        jmp     CODE32:3f
        fail
3:      done
far_function:
        inc     eax
        retf
far_drop8:
        retf    8
.code16
function16:
        inc     ax
        .byte   0x66
        retf
