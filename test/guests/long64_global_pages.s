# Global pages survive MOV CR3 and go with CR4.PGE or INVLPG; pages that are not global do not survive.
# A processor may always forget, so only what must be forgotten is checked, and that global entries serve all spaces.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.globl start
start:  install_idt
        small_pages
        mov     rax, cr4
        or      al, 0x80
        mov     cr4, rax
        mov     dword ptr [0x201000], 0x11
        mov     dword ptr [0x202000], 0x22
        map     0x203000, (0x201000 | P | W | G)
        check_eq "dword ptr [0x203000]", 0x11
        set_pte 0x203000, (0x202000 | P | W | G)
        invlpg  [0x203000]
        check_eq "dword ptr [0x203000]", 0x22
        set_pte 0x203000, (0x201000 | P | W | G)
        mov     rax, cr4
        and     al, 0x7f
        mov     cr4, rax                        # PGE off: everything goes
        check_eq "dword ptr [0x203000]", 0x11
        or      al, 0x80
        mov     cr4, rax
        map     0x204000, (0x201000 | P | W)
        check_eq "dword ptr [0x204000]", 0x11
        set_pte 0x204000, (0x202000 | P | W)
        mov     rcx, cr3
        mov     cr3, rcx
        check_eq "dword ptr [0x204000]", 0x22
        # Toggling CR0.PG would leave long mode; toggling WP must not lose a mapping.
        mov     rcx, cr0
        btr     rcx, 16
        mov     cr0, rcx
        check_eq "dword ptr [0x203000]", 0x11
        bts     rcx, 16
        mov     cr0, rcx
        # A write through a clean global page marks it dirty.
        set_pte 0x203000, (0x201000 | P | W | G)
        invlpg  [0x203000]
        mov     eax, [0x203000]
        mov     [0x203000], eax
        check_pte 0x203000, D, D
        done
