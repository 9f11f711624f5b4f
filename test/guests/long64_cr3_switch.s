# Two address spaces with different code and data at the same address, switched back and forth: translated code, jump
# caches and TLBs must all follow CR3.
#! start:  long64
#! expect: rbx=900
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.set SPACE2, 0x90000            # PML4, PDPT, PD and page table of the second space
.globl start
start:  install_idt
        small_pages
        mov     esi, PAGE_TABLES                # a copy of the tables, then its own PD and page table
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
        mov     dword ptr [SPACE2 + 0x3000], 0x201000 | P | W | U   # 200000h -> 201000h
        mov     dword ptr [0x200000], 0x000101b8 # MOV EAX,101h; RET
        mov     word ptr [0x200004], 0xc300
        mov     dword ptr [0x201000], 0x000202b8
        mov     word ptr [0x201004], 0xc300
        mov     dword ptr [0x200800], 1
        mov     dword ptr [0x201800], 2
        mov     edx, 0x200000
        mov     ecx, 300
        xor     ebx, ebx
1:      mov     eax, PAGE_TABLES
        mov     cr3, rax
        call    rdx
        check_eq eax, 0x101
        add     ebx, [0x200800]
        mov     eax, SPACE2
        mov     cr3, rax
        call    rdx
        check_eq eax, 0x202
        add     ebx, [0x200800]
        dec     ecx
        jnz     1b
        mov     rax, cr3
        check_eq rax, SPACE2
        done
