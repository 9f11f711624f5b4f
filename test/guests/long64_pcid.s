# PCID: MOV CR3 with bit 63 keeps the entries of the new PCID, without it drops them; INVPCID of one address, one
# context, all. Only what must be forgotten, and what must be separate, is checked.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.set SPACE2, 0x90000
.globl start
start:  install_idt
        need_cpuid 1, 0, ecx, 17
        need_cpuid 7, 0, ebx, 10
        small_pages
        mov     esi, PAGE_TABLES
        mov     edi, SPACE2
        mov     ecx, 0x600
        rep movsq
        mov     dword ptr [SPACE2], (SPACE2 + 0x1000) | P | W | U
        mov     dword ptr [SPACE2 + 0x1000], (SPACE2 + 0x2000) | P | W | U
        mov     esi, SMALL_PAGES
        mov     edi, SPACE2 + 0x3000
        mov     ecx, 0x200
        rep movsq
        mov     dword ptr [SPACE2 + 0x2008], (SPACE2 + 0x3000) | P | W | U
        mov     dword ptr [0x201000], 0x11
        mov     dword ptr [0x202000], 0x22
        set_pte 0x203000, (0x201000 | P | W)
        mov     dword ptr [SPACE2 + 0x3018], 0x202000 | P | W    # 203000h in the second space
        mov     rax, cr4
        bts     rax, 17
        mov     cr4, rax
        mov     ebx, 100
1:      mov     rax, 0x8000000000000000 + PAGE_TABLES + 1
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x11
        mov     rax, 0x8000000000000000 + SPACE2 + 2
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x22
        dec     ebx
        jnz     1b
        mov     rax, cr3                        # bit 63 is never read back
        check_eq rax, SPACE2 + 2
        # Change the first space's entry; entering without bit 63 must forget.
        set_pte 0x203000, (0x202000 | P | W)
        mov     eax, PAGE_TABLES + 1
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x22
        # INVPCID type 0: one address of another context.
        mov     dword ptr [SPACE2 + 0x3018], 0x201000 | P | W
        mov     eax, 0
        mov     qword ptr [pcid_descriptor], 2
        mov     qword ptr [pcid_descriptor + 8], 0x203000
        invpcid rax, [pcid_descriptor]
        mov     rax, 0x8000000000000000 + SPACE2 + 2
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x11
        # Type 1: a whole context.
        set_pte 0x203000, (0x201000 | P | W)
        mov     eax, 1
        mov     qword ptr [pcid_descriptor], 1
        invpcid rax, [pcid_descriptor]
        mov     rax, 0x8000000000000000 + PAGE_TABLES + 1
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x11
        # Type 2: everything.
        mov     dword ptr [SPACE2 + 0x3018], 0x202000 | P | W
        mov     eax, 2
        mov     qword ptr [pcid_descriptor], 0
        invpcid rax, [pcid_descriptor]
        mov     rax, 0x8000000000000000 + SPACE2 + 2
        mov     cr3, rax
        check_eq "dword ptr [0x203000]", 0x22
        mov     eax, 4
        catch   2f
3:      invpcid rax, [pcid_descriptor]
        fail
2:      check_caught 13, 0, 3b
        done
.balign 16
pcid_descriptor:
        .quad   0, 0
