# Reads of pages that are multiples of 64 MiB apart, by turns: each keeps its own bytes, at any offset and across the
# page's end, whatever INVLPG, MOV CR3 and changed rights do to one of them, and to those whose turn it is not.
#! start:  long64
#! kvm-differs: a KVM whose ring 0 is emulated in software has few vector instructions there
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.set ONE, 0x201000              # by the page table of `small_pages`
.set TWO, 0x4201000             # by tables of their own
.set THREE, 0x8201000
.set TABLE_TWO, SCRATCH
.set TABLE_THREE, SCRATCH + 0x1000

# The sum of a dword in each, read `times` times by turns, in EAX. Spoils ECX.
.macro sum_by_turns times, offset=0
        xor     eax, eax
        mov     ecx, \times
7777:   add     eax, [ONE + \offset]
        add     eax, [TWO + \offset]
        add     eax, [THREE + \offset]
        dec     ecx
        jnz     7777b
.endm

.macro pages_of_two first, second
        mov     dword ptr [TABLE_TWO + 8], (\first)
        mov     dword ptr [TABLE_TWO + 16], (\second)
.endm

.globl start
start:  install_idt
        small_pages
        mov     qword ptr [PAGE_TABLES + 0x2000 + 33 * 8], TABLE_TWO | P | W | U
        mov     qword ptr [PAGE_TABLES + 0x2000 + 65 * 8], TABLE_THREE | P | W | U
        pages_of_two 0x202000 | P | W, 0x206000 | P | W
        mov     dword ptr [TABLE_THREE + 8], 0x203000 | P | W
        reload_cr3
        mov     dword ptr [ONE], 1
        mov     dword ptr [TWO], 10
        mov     dword ptr [THREE], 100
        mov     dword ptr [0x204000], 1000
        sum_by_turns 300
        check_eq eax, 33300
        # Stores are seen by the reads of all turns.
        mov     dword ptr [TWO], 20
        sum_by_turns 300
        check_eq eax, 36300
        # Another frame for one of them, by INVLPG; the others stay.
        mov     dword ptr [TABLE_TWO + 8], 0x204000 | P | W
        invlpg  [TWO]
        sum_by_turns 300
        check_eq eax, 330300
        # And back, by CR3, right after reads of its neighbour.
        mov     dword ptr [TABLE_TWO + 8], 0x202000 | P | W
        reload_cr3
        sum_by_turns 300
        check_eq eax, 36300
        # Absent, when it was another's turn last, and when it was its own.
        mov     ebx, 1
1:      mov     eax, [TWO]
        mov     eax, [ONE]
        test    ebx, ebx
        jnz     2f
        mov     eax, [TWO]
2:      mov     dword ptr [TABLE_TWO + 8], 0
        invlpg  [TWO]
        catch   3f
        mov     eax, [TWO]
        fail
3:      check_eq "dword ptr [caught_vector]", 14
        check_eq "dword ptr [caught_error]", 0
        mov     dword ptr [TABLE_TWO + 8], 0x202000 | P | W
        dec     ebx
        jns     1b
        # The last bytes of a page, and an access that goes on into the next one.
        mov     dword ptr [ONE + 0xffc], 2
        mov     dword ptr [THREE + 0xffc], 200
        mov     dword ptr [TWO + 0xffc], 0x00030000
        mov     dword ptr [0x206000], 0x00050004
        sum_by_turns 100, 0xffc
        check_eq eax, (100 * (2 + 200 + 0x30000))
        mov     ecx, 100
        xor     edx, edx
4:      mov     eax, [ONE]
        mov     eax, [TWO + 0xffe]
        add     edx, eax
        mov     eax, [THREE]
        dec     ecx
        jnz     4b
        check_eq edx, (100 * 0x00040003)
        # Wide reads, and reads that change.
        mov     ecx, 200
5:      movups  xmm0, [ONE]
        movups  xmm1, [TWO]
        movups  xmm2, [THREE]
        add     dword ptr [TWO], 1
        dec     ecx
        jnz     5b
        movd    eax, xmm0
        check_eq eax, 1
        movd    eax, xmm1
        check_eq eax, 219
        movd    eax, xmm2
        check_eq eax, 100
        check_eq "dword ptr [TWO]", 220
        done
