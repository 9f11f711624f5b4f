# Short loops, whose turns a translator may run together: each access faults where it would alone, with every turn before it
# done and none after it; devices, read-only pages and code on the way are met turn by turn; the flags are the last turn's.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set ROUNDS, 21
.globl start
start:  small_pages
        map     0x201000, 0
        map     0x203000, (0x203000 | P | U)
        map     0x207000, (MMIO | P | W | U)
        begin_user
        # Stores up into an absent page, from every distance.
        mov     ebp, ROUNDS
1:      lea     eax, [rbp * 8]
        mov     ebx, 0x201000
        sub     ebx, eax
        xor     ecx, ecx
        catch   3f
2:      mov     [rbx], rcx
        add     rbx, 8
        inc     ecx
        cmp     ecx, 1000
        jne     2b
        fail
3:      check_caught 14, 6, 2b
        check_eq "qword ptr [caught_cr2]", 0x201000
        check_eq ecx, ebp
        check_eq rbx, 0x201000
        dec     ecx
        check_eq "qword ptr [0x200ff8]", rcx
        dec     ebp
        jnz     1b
        # Loads down into it, two a turn.
        mov     ebx, 0x202018
        mov     qword ptr [0x202008], 7
        mov     qword ptr [0x202010], 8
        xor     ecx, ecx
        catch   3f
1:      mov     eax, [rbx - 8]
2:      add     eax, [rbx - 16]
        sub     rbx, 8
        inc     ecx
        jnz     1b
        fail
3:      check_caught 14, 4, 2b
        check_eq eax, "dword ptr [0x202000]"
        check_eq ecx, 2
        check_eq rbx, 0x202008
        # As many turns as were asked for.
        xor     ecx, ecx
1:      mov     [rcx * 8 + 0x202100], rcx
        inc     rcx
        cmp     ecx, ROUNDS
        jne     1b
        mov     ebp, ROUNDS
1:      mov     ecx, ebp
        mov     ebx, 0x202100
        xor     eax, eax
2:      add     rax, [rbx]
        add     rbx, 8
        dec     ecx
        jnz     2b
        check_eq ecx, 0
        lea     edx, [rbp * 8 + 0x202100]
        check_eq ebx, edx
        lea     edx, [rbp - 1]
        imul    edx, ebp
        shr     edx, 1
        check_eq eax, edx
        dec     ebp
        jnz     1b
        # A carry that goes from turn to turn, and out.
        mov     ebp, ROUNDS
1:      xor     ecx, ecx
2:      mov     qword ptr [rcx * 8 + 0x202300], -1
        mov     qword ptr [rcx * 8 + 0x202500], 0
        inc     ecx
        cmp     ecx, ebp
        jne     2b
        xor     esi, esi
        stc
2:      mov     rax, [rsi * 8 + 0x202300]
        adc     [rsi * 8 + 0x202500], rax
        inc     rsi
        dec     ecx
        jnz     2b
        setc    dl
        check_eq dl, 1
        check_eq esi, ebp
2:      or      rcx, [rsi * 8 + 0x2024f8]
        dec     rsi
        jnz     2b
        check_eq rcx, 0
        dec     ebp
        jnz     1b
        # Out of the middle of a turn.
        mov     dword ptr [0x202140], 0x55
        mov     ebx, 0x202100
        xor     ecx, ecx
1:      cmp     dword ptr [rbx], 0x55
        je      2f
        add     rbx, 8
        inc     ecx
        cmp     ecx, 100
        jne     1b
        fail
2:      check_eq ecx, 8
        check_eq rbx, 0x202140
        # Into a read-only page.
        mov     ebx, 0x202fe0
        mov     dword ptr [rbx + 28], 4
        xor     ecx, ecx
        catch   2f
1:      add     dword ptr [rbx], 1
        add     rbx, 4
        inc     ecx
        cmp     ecx, 100
        jne     1b
        fail
2:      check_caught 14, 7, 1b
        check_eq ecx, 8
        check_eq rbx, 0x203000
        check_eq "dword ptr [0x202ffc]", 5
        # Into a device: it sees the stores that were made, and no more.
        mov     edi, [0x207800]
        mov     ebx, 0x206fe0
1:      mov     [rbx], ebx
        add     rbx, 4
        cmp     ebx, 0x207008
        jne     1b
        mov     edx, [0x207800]
        sub     edx, edi
        check_eq edx, 2
        check_eq "dword ptr [0x206ffc]", 0x206ffc
        # Each turn writes the number that it adds.
        lea     rbx, [rip + 2f + 2]
        mov     ecx, ROUNDS
        xor     eax, eax
1:      mov     [rbx], cl
2:      add     eax, 100
        dec     ecx
        jnz     1b
        check_eq eax, (ROUNDS * (ROUNDS + 1) / 2)
        done
