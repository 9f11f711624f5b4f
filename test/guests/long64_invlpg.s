# INVLPG and MOV CR3 make a changed page-table entry count at once, for data and for code.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.globl start
start:  install_idt
        small_pages
        mov     dword ptr [0x201000], 0x11
        mov     dword ptr [0x202000], 0x22
        check_eq "dword ptr [0x201000]", 0x11
        map     0x201000, (0x202000 | P | W)
        check_eq "dword ptr [0x201000]", 0x22
        set_pte 0x201000, (0x201000 | P | W)
        reload_cr3
        check_eq "dword ptr [0x201000]", 0x11
        map     0x201000, 0
        catch   1f
        mov     eax, [0x201000]
        fail
1:      check_eq "dword ptr [caught_vector]", 14
        # Read-only after it had been writable.
        map     0x201000, (0x201000 | P | W)
        mov     dword ptr [0x201000], 0x33
        map     0x201000, (0x201000 | P)
        catch   1f
        mov     dword ptr [0x201000], 0x44
        fail
1:      check_eq "dword ptr [caught_error]", 3
        # Code: the same address, another frame.
        mov     dword ptr [0x203000], 0x000001b8 # MOV EAX,1; RET
        mov     word ptr [0x203004], 0xc300
        mov     dword ptr [0x204000], 0x000002b8
        mov     word ptr [0x204004], 0xc300
        mov     ebx, 200
2:      map     0x205000, (0x203000 | P | W)
        mov     edx, 0x205000
        call    rdx
        check_eq eax, 1
        map     0x205000, (0x204000 | P | W)
        mov     edx, 0x205000
        call    rdx
        check_eq eax, 2
        dec     ebx
        jnz     2b
        # Code becomes no-execute, then absent.
        map     0x205000, (0x204000 | P | W), NX_HIGH
        catch   1f
        call    rdx
        fail
1:      check_caught 14, 0x11, 0x205000
        map     0x205000, 0
        catch   1f
        call    rdx
        fail
1:      check_caught 14, 0x10, 0x205000
        # A whole table replaced under a 2 MiB page.
        mov     dword ptr [0x400000], 0x55
        mov     dword ptr [0x200000], 0x66
        mov     qword ptr [PAGE_TABLES + 0x2000 + 16], 0x2000e7 # 400000h -> 200000h
        invlpg  [0x400000]
        check_eq "dword ptr [0x400000]", 0x66
        done
