# Ring 3 in 32-bit mode: IRET to it, the stack from a 32-bit TSS on the way back, the frame, what segments are dropped, IN
# without permission and with the TSS's I/O bitmap.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no IRET in 32-bit mode
.include "guest.inc"
.code32
.include "catch32.inc"
.macro enter_ring3 label:req
        mov     eax, esp
        push    USERDATA
        push    eax
        push    2
        push    USER32
        push    offset \label
        iretd
.endm
.globl start
start:  install_idt
        descriptor 0xf0, TSS, 0xff, 0x089
        mov     dword ptr [TSS + 4], STACK_RING0
        mov     dword ptr [TSS + 8], DATA
        mov     word ptr [TSS + 0x66], 0x68
        mov     dword ptr [TSS + 0x68 + 0x60], 0xfffffffe # ports 300h..31fh: only 300h
        mov     eax, 0xf0
        ltr     ax
        catch0  1f
        enter_ring3 2f
2:      ud2
        nop
1:      check_caught 6, 0, 2b
        check_eq "dword ptr [caught_cs]", USER32
        check_eq "dword ptr [caught_rsp]", (STACK_RING0 - 8)
        check_eq "dword ptr [STACK_RING0 - 8]", STACK_TOP
        check_eq "dword ptr [STACK_RING0 - 4]", USERDATA
        mov     ax, cs
        check_eq ax, CODE32
        catch0  1f
        enter_ring3 2f
2:      cli
        nop
1:      check_caught 13, 0, 2b
        catch0  1f
        enter_ring3 2f
2:      mov     ax, DATA                        # a ring-0 segment
        mov     es, ax
1:      check_eq "dword ptr ds:[caught_vector]", 13
        check_eq "dword ptr ds:[caught_error]", DATA
        catch0  1f
        enter_ring3 2f
2:      mov     edx, 0x300
        in      al, dx                          # allowed
3:      mov     edx, 0x301
4:      in      al, dx
        nop
1:      check_caught 13, 0, 4b
        # DS of ring 0 becomes null on the way out.
5:      mov     ax, DATA
        mov     gs, ax
        catch0  1f
        enter_ring3 2f
2:      mov     cx, gs
        ud2
1:      check_eq cx, 0
        done
