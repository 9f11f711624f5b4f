# Page faults in ring 0: error codes, CR0.WP on and off, accessed and dirty bits, and a handler that makes the page
# present so that the instruction runs again.
#! start:  long64
#! expect: rax=0x1234
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.globl start
start:  install_idt
        small_pages
        map     0x200000, 0
        map     0x201000, (0x201000 | P)
        catch   1f
2:      mov     eax, [0x200010]
        fail
1:      check_caught 14, 0, 2b
        check_eq "qword ptr [caught_cr2]", 0x200010
        catch   1f
2:      mov     [0x200010], eax
        fail
1:      check_caught 14, 2, 2b
        catch   1f
2:      mov     [0x201000], eax
        fail
1:      check_caught 14, 3, 2b
        mov     rcx, cr0
        btr     rcx, 16                         # WP off: ring 0 writes read-only pages
        mov     cr0, rcx
        mov     dword ptr [0x201000], 0x77
        bts     rcx, 16
        mov     cr0, rcx
        check_eq "dword ptr [0x201000]", 0x77
        catch   1f
2:      mov     dword ptr [0x201000], 0x78
        fail
1:      check_caught 14, 3, 2b
        # Accessed and dirty.
        map     0x202000, (0x202000 | P | W)
        check_pte 0x202000, (A | D), 0
        mov     eax, [0x202000]
        check_pte 0x202000, (A | D), A
        mov     [0x202000], eax
        check_pte 0x202000, (A | D), (A | D)
        set_pte 0x202000, (0x202000 | P | W)
        invlpg  [0x202000]
        mov     [0x202000], eax
        check_pte 0x202000, (A | D), (A | D)
        # A fault must not set dirty.
        map     0x203000, (0x203000 | P)
        catch   1f
        mov     [0x203000], eax
1:      check_pte 0x203000, D, 0
        # Not present to present needs no INVLPG.
        set_gate 14, make_present
        map     0x204000, 0
        mov     dword ptr [0x209ffc], 0x1234
        mov     dword ptr [0x204ff8], 0
        check_eq "dword ptr [0x204ffc]", 0x1234
        map     0x205000, 0
        mov     eax, [0x205ffc]
        done
make_present:                                   # maps the page to frame 209000h
        mov     rcx, cr2
        shr     rcx, 12
        and     ecx, 511
        mov     dword ptr [SMALL_PAGES + rcx * 8], 0x209000 | P | W
        add     rsp, 8
        iretq
