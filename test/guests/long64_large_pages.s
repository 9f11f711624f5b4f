# Reads all over 2 MiB pages, by turns with others that share their entries of a translator's TLB; then one of them has another
# frame, by INVLPG of an address elsewhere in it, by MOV CR3, or becomes small pages.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.set LARGE, 0x40000000          # 2 MiB pages: this one
.set ALIAS, 0x44000000          # ... and one 64 MiB behind
.set FIRST, 0x400000            # frames
.set SECOND, 0x600000
.set PS, 0x80
.set PD, PAGE_TABLES + 0x3000   # of the second GiB
.set TABLE, SCRATCH

.macro entry linear, value
        mov     qword ptr [PD + (\linear - 0x40000000) / 0x200000 * 8], (\value)
.endm
# Adds up the first dword of each 4 KiB of both, in an order that changes page each time; each holds its frame's mark.
.macro check_sums want_large, want_alias
        xor     eax, eax
        xor     edx, edx
        xor     ecx, ecx
7771:   mov     esi, ecx
        imul    esi, esi, 37
        and     esi, 511
        shl     esi, 12
        add     eax, [LARGE + rsi]
        add     edx, [ALIAS + rsi]
        add     eax, [LARGE + rsi + 8]
        inc     ecx
        cmp     ecx, 512
        jb      7771b
        check_eq eax, (1024 * \want_large)
        check_eq edx, (512 * \want_alias)
.endm

.globl start
start:  install_idt
        xor     ecx, ecx
1:      mov     dword ptr [FIRST + rcx], 1
        mov     dword ptr [FIRST + rcx + 8], 1
        mov     dword ptr [SECOND + rcx], 2
        mov     dword ptr [SECOND + rcx + 8], 2
        add     ecx, 0x1000
        cmp     ecx, 0x200000
        jb      1b
        entry   LARGE, (FIRST | P | W | PS)
        entry   ALIAS, (SECOND | P | W | PS)
        reload_cr3
        mov     ebx, 3
2:      check_sums 1, 2
        check_sums 1, 2
        entry   LARGE, (SECOND | P | W | PS)
        invlpg  [LARGE + 0x155000]
        check_sums 2, 2
        entry   LARGE, (FIRST | P | W | PS)
        entry   ALIAS, (FIRST | P | W | PS)
        reload_cr3
        check_sums 1, 1
        entry   ALIAS, (SECOND | P | W | PS)
        invlpg  [ALIAS]
        check_sums 1, 2
        dec     ebx
        jnz     2b
        # A global page outlives MOV CR3, and not INVLPG.
        mov     rax, cr4
        or      eax, 0x80
        mov     cr4, rax
        entry   LARGE, (FIRST | P | W | PS | G)
        invlpg  [LARGE]
        check_sums 1, 2
        reload_cr3
        check_sums 1, 2
        entry   LARGE, (SECOND | P | W | PS | G)
        invlpg  [LARGE + 0x1ff000]
        check_sums 2, 2
        # Small pages in its place: of the first frame, one absent.
        xor     ecx, ecx
3:      mov     eax, ecx
        shl     eax, 12
        add     eax, FIRST | P | W
        mov     [TABLE + rcx * 8], rax
        inc     ecx
        cmp     ecx, 512
        jb      3b
        entry   LARGE, (TABLE | P | W)
        invlpg  [LARGE + 0x3000]
        check_sums 1, 2
        mov     qword ptr [TABLE + 100 * 8], 0
        invlpg  [LARGE + 100 * 0x1000]
        catch   4f
        mov     eax, [LARGE + 100 * 0x1000 + 8]
        fail
4:      check_eq "dword ptr [caught_vector]", 14
        mov     eax, [LARGE + 101 * 0x1000]
        check_eq eax, 1
        done
