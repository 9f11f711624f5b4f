# Real mode: segment times 16, offsets that wrap at 64 KiB, word accesses at the last byte of a segment (#GP, #SS), the
# high memory area above 1 MiB, default segments of BP and SP, overrides, LDS and LES.
#! start:  real16
#! expect: done
.include "guest.inc"
.include "catch16.inc"
.globl start
start:  install_ivt
        mov     ax, 0x2000
        mov     es, ax
        mov     word ptr es:[0x10], 0x1234
        mov     ax, 0x1fff
        mov     fs, ax
        check_eq "word ptr fs:[0x20]", 0x1234
        mov     bx, 0xfff8
        mov     byte ptr es:[bx + 0x28], 0x55   # the sum wraps in 16 bits: 0020h
        check_eq "byte ptr es:[0x20]", 0x55
        mov     si, 0xffff
        mov     al, es:[si]
        catch   1f
2:      mov     ax, es:[si]                     # a word at offset ffffh
        fail
1:      check_caught 13, 2b
        mov     bp, 0xffff
        catch   1f
2:      mov     ax, [bp]                        # through SS
        fail
1:      check_caught 12, 2b
        mov     edi, 0x10000
        catch   1f
2:      mov     eax, es:[edi]                   # 32-bit address beyond the limit
        fail
1:      check_eq "word ptr [caught_vector]", 13
        mov     ax, 0xffff                      # high memory area: ffff0h + 10h
        mov     gs, ax
        mov     word ptr gs:[0x10], 0x77
        check_eq "word ptr gs:[0x10]", 0x77
        check_ne "word ptr ds:[0]", 0x77        # address line 20 is open: no wrap to 0
        mov     ax, 0x3000                      # BP uses SS, BX uses DS
        mov     ss, ax
        mov     sp, 0x100
        mov     bp, 0x40
        mov     word ptr [bp], 0x99
        check_eq "word ptr ss:[0x40]", 0x99
        mov     word ptr ds:[bp], 0x11
        check_eq "word ptr ss:[0x40]", 0x99
        mov     bx, 0x40
        check_eq "word ptr [bx]", 0x11
        push    0x4444
        check_eq "word ptr ss:[0xfe]", 0x4444
        pop     cx
        mov     sp, 0                           # PUSH at SP = 0 wraps to fffeh
        push    0x5555
        check_eq sp, 0xfffe
        check_eq "word ptr ss:[0xfffe]", 0x5555
        pop     cx
        check_eq sp, 0
        xor     ax, ax
        mov     ss, ax
        mov     sp, STACK_TOP
        mov     word ptr [pointer], 0x20
        mov     word ptr [pointer + 2], 0x2000
        les     di, [pointer]
        check_eq di, 0x20
        check_eq "byte ptr es:[di]", 0x55
        lds     si, [pointer]
        check_eq "byte ptr [si]", 0x55
        xor     ax, ax
        mov     ds, ax
        done
pointer:
        .long   0
