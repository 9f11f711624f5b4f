# Instructions that 64-bit mode took away: decimal adjustment, BOUND, INTO, PUSHA and POPA, PUSH and POP of segments, one-byte
# INC and DEC, ARPL, SALC.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no decimal adjustment, BOUND or ARPL
.include "guest.inc"
.code32
.include "catch32.inc"
.globl start
start:  install_idt
        mov     al, 0x79
        add     al, 0x35
        daa
        check_if c
        check_eq al, 0x14
        mov     al, 0x35
        sub     al, 0x47
        das
        check_if c
        check_eq al, 0x88
        mov     ax, 0x0208
        add     al, 5
        aaa
        check_eq ax, 0x0303
        mov     ax, 0x0203
        sub     al, 7
        aas
        check_eq ax, 0x0106
        mov     al, 63
        aam
        check_eq ax, 0x0603
        aad
        check_eq ax, 63
        catch   1f
2:      .byte   0xd4, 0                         # AAM by 0
        fail
1:      check_caught 0, 0, 2b
4:      mov     eax, 5
        bound   eax, [bounds]
        mov     eax, 11
        catch   1f
2:      bound   eax, [bounds]
        fail
1:      check_caught 5, 0, 2b
        mov     al, 0x7f
        inc     al
        catch   1f
        into
2:      fail
1:      check_caught 4, 0, 2b
        mov     eax, 1
        mov     ecx, 2
        mov     edi, 8
        mov     ebp, 0x77
        pusha
        check_eq "dword ptr [esp + 12]", STACK_TOP # the ESP before
        xor     eax, eax
        xor     edi, edi
        mov     dword ptr [esp + 12], 0         # POPA ignores it
        popa
        check_eq eax, 1
        check_eq edi, 8
        check_eq ebp, 0x77
        check_eq esp, STACK_TOP
        push    ds
        check_eq "word ptr [esp]", DATA
        pop     es
        check_eq esp, STACK_TOP
        inc     eax
        .byte   0x48                            # DEC EAX
        check_eq eax, 1
        mov     ax, 0x10
        mov     cx, 0x13
        arpl    ax, cx
        check_if z
        check_eq ax, 0x13
        stc
        .byte   0xd6                            # SALC
        check_eq al, 0xff
        lea     eax, [ecx + 4]
        .byte   0xc4, 0x3d                      # LES EDI,[pointer]
        .long   pointer
        check_eq edi, 0x1234
        mov     ax, es
        check_eq ax, DATA
        done
bounds: .long   0, 10
pointer:
        .long   0x1234
        .word   DATA
