# REP string instructions that run into an absent page: what was done stays done, RCX, RSI and RDI say how far,
# RIP stays, and the instruction goes on when the page appears. Also across pages that are not contiguous.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        map     0x202000, 0                     # absent
        map     0x204000, (0x205000 | P | W | U)  # two pages exchanged
        map     0x205000, (0x204000 | P | W | U)
        begin_user
        mov     edi, 0x201f00
        mov     ecx, 0x200
        mov     al, 0x5a
        catch   1f
2:      rep stosb
1:      check_caught 14, 6, 2b
        check_eq "qword ptr [caught_cr2]", 0x202000
        check_eq rcx, 0x100
        check_eq rdi, 0x202000
        check_eq "byte ptr [0x201fff]", 0x5a
        mov     esi, 0x201ff9                   # source crosses: 7 bytes are left, no quadword
        mov     edi, 0x208000
        mov     qword ptr [0x208000], 0
        mov     ecx, 4
        catch   1f
2:      rep movsq
1:      check_caught 14, 4, 2b
        check_eq rcx, 4
        check_eq rsi, 0x201ff9
        check_eq "qword ptr [0x208000]", 0
        mov     esi, 0x208000
        mov     edi, 0x201ff4                   # destination: one whole quadword, then a split one
        mov     ecx, 3
        catch   1f
2:      rep movsq
1:      check_caught 14, 6, 2b
        check_eq rcx, 2
        check_eq rdi, 0x201ffc
        check_eq "dword ptr [0x201ffc]", 0x5a5a5a5a
        std                                     # backwards into the absent page from above
        mov     edi, 0x203002
        mov     ecx, 0x10
        catch   1f
2:      rep stosb
1:      cld
        check_caught 14, 6, 2b
        check_eq "qword ptr [caught_cr2]", 0x202fff
        check_eq rcx, 13
        check_eq rdi, 0x202fff
        # CMPS whose difference lies before the absent page never reaches it.
        mov     edi, 0x201f00
        mov     esi, 0x201e00
        mov     ecx, 0x1000
        repe cmpsb
        check_if ne
        check_eq ecx, 0xfff
        # SCAS up to it.
        mov     edi, 0x201f00
        mov     ecx, 0x100
        mov     al, 0x5a
        rep stosb
        mov     edi, 0x201f00
        mov     ecx, 0x1000
        catch   1f
2:      repe scasb
1:      check_caught 14, 4, 2b
        check_eq ecx, 0xf00
        # A copy over pages whose frames are in the other order.
        mov     edi, 0x204ff0
        mov     ecx, 0x20
        mov     al, 0x33
        rep stosb
        check_eq "byte ptr [0x205000]", 0x33
        check_eq "byte ptr [0x20500f]", 0x33
        check_eq "byte ptr [0x205010]", 0
        check_eq "byte ptr [0x204fff]", 0x33
        mov     esi, 0x204ff8
        mov     edi, 0x209000
        mov     ecx, 2
        rep movsq
        mov     rax, 0x3333333333333333
        check_eq rax, [0x209008]
        done
