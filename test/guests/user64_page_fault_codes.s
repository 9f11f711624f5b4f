# Error codes and CR2 of page faults from ring 3: read and write of an absent page, write to a read-only page, access to a
# supervisor page, fetch from an absent and from a no-execute page, a reserved bit.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        mov     byte ptr [0x203000], 0xc3       # RET
        mov     byte ptr [0x204000], 0xc3
        map     0x200000, 0
        map     0x201000, (0x201000 | P | U)
        map     0x202000, (0x202000 | P | W)
        map     0x203000, (0x203000 | P | W | U), NX_HIGH
        map     0x204000, (0x204000 | P | W | U)
        map     0x205000, (0x205000 | P | W | U), 0x00080000   # reserved address bit 51
        begin_user
        catch   1f
2:      mov     eax, [0x200123]
        fail
1:      check_caught 14, 4, 2b
        check_eq "qword ptr [caught_cr2]", 0x200123
        catch   1f
2:      mov     [0x200ffc], eax
        fail
1:      check_caught 14, 6, 2b
        check_eq "qword ptr [caught_cr2]", 0x200ffc
        mov     eax, [0x201000]
        catch   1f
2:      mov     [0x201008], eax
        fail
1:      check_caught 14, 7, 2b
        catch   1f
2:      add     dword ptr [0x201008], 1         # a read-modify-write is a write
        fail
1:      check_caught 14, 7, 2b
        catch   1f
2:      mov     eax, [0x202000]
        fail
1:      check_caught 14, 5, 2b
        catch   1f
2:      mov     [0x202000], eax
        fail
1:      check_caught 14, 7, 2b
        mov     rsp, 0x7c00
        catch   1f
        mov     eax, 0x200000
        jmp     rax
1:      check_caught 14, 0x14, 0x200000
        check_eq "qword ptr [caught_cr2]", 0x200000
        catch   1f
        mov     eax, 0x203000
        call    rax
1:      check_caught 14, 0x15, 0x203000
        mov     rsp, 0x7c00
        mov     eax, 0x204000
        call    rax
        catch   1f
        mov     eax, 0x202000
        call    rax
1:      check_caught 14, 0x15, 0x202000
        mov     rsp, 0x7c00
        catch   1f
2:      mov     eax, [0x205000]
        fail
1:      check_caught 14, 0xd, 2b
        done
