# Accesses through one base register at known distances, which a translator may check together: the first that faults must
# fault precisely, with everything before it done and nothing after it, and devices, read-only pages and code on the way must be
# seen as if each access stood alone.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        map     0x201000, 0
        map     0x202000, (0x202000 | P | W | U)
        map     0x203000, (0x203000 | P | U)
        map     0x204000, (0x206000 | P | W | U)
        map     0x205000, (0x208000 | P | W | U)
        map     0x207000, (MMIO | P | W | U)
        begin_user
        # Stores that run into an absent page: those before it are done, those after it are not.
        mov     ebx, 0x200ff0
        xor     ecx, ecx
        catch   1f
        mov     dword ptr [rbx], 0x11
        inc     ecx
        mov     dword ptr [rbx + 8], 0x22
        inc     ecx
2:      mov     dword ptr [rbx + 16], 0x33
        inc     ecx
        mov     dword ptr [rbx + 4], 0x44
        fail
1:      check_caught 14, 6, 2b
        check_eq "qword ptr [caught_cr2]", 0x201000
        check_eq ecx, 2
        check_eq "dword ptr [0x200ff0]", 0x11
        check_eq "dword ptr [0x200ff8]", 0x22
        check_eq "dword ptr [0x200ff4]", 0
        # Flags live across the accesses, at the fault too.
        mov     eax, 1
        catch   1f
        stc
        mov     ecx, [rbx]
        mov     edx, [rbx + 8]
2:      mov     edx, [rbx + 16]
        fail
1:      check_caught 14, 4, 2b
        check_eq edx, 0x22
        test    dword ptr [caught_rflags], CF
        jnz     1f
        fail
1:
        # A base that moves by constants.
        mov     ebx, 0x200fe0
        catch   1f
        mov     eax, 5
        mov     [rbx], rax
        add     rbx, 8
        mov     [rbx], rax
        lea     rbx, [rbx + 16]
        mov     [rbx - 8], rax
        inc     rbx
        dec     rbx
        sub     rbx, -8
2:      mov     [rbx], rax
        fail
1:      check_caught 14, 6, 2b
        check_eq rbx, 0x201000
        check_eq "qword ptr [0x200fe0]", 5
        check_eq "qword ptr [0x200fe8]", 5
        check_eq "qword ptr [0x200ff0]", 5
        # Pushes and calls down into an absent page, pops up out of one.
        mov     rbp, rsp
        mov     rsp, 0x202010
        catch   1f
        push    1
        push    rbp
2:      push    3
        fail
1:      check_caught 14, 6, 2b
        check_eq rsp, 0x202000
        check_eq "qword ptr [0x202008]", 1
        mov     rsp, 0x202008
        catch   1f
        push    7
2:      call    9f
        fail
1:      check_caught 14, 6, 2b
        check_eq rsp, 0x202000
        mov     rsp, 0x200ff0
        catch   1f
        pop     rax
        pop     rcx
2:      pop     rdx
        fail
1:      check_caught 14, 4, 2b
        check_eq rsp, 0x201000
        check_eq rax, 5
        mov     rsp, rbp
        # The stack pointer as popped, and a frame left by LEAVE.
        push    rsp
        pop     rax
        check_eq rax, rbp
        mov     rbp, rsp
        push    0x55
        push    rsp
        pop     rsp
        pop     rax
        check_eq rax, 0x55
        push    rbp
        mov     rbp, rsp
        sub     rsp, 64
        mov     qword ptr [rbp - 8], 1
        mov     qword ptr [rsp], 2
        leave
        check_eq rsp, rbp
        # A read-only page: loads pass, the store faults; a store that is jumped over must not matter.
        mov     ebx, 0x203000
        mov     eax, [rbx]
        mov     ecx, [rbx + 4]
        test    ebx, ebx
        jnz     1f
        mov     [rbx + 8], eax
1:      catch   1f
        mov     eax, [rbx]
        mov     ecx, [rbx + 4]
2:      mov     [rbx + 8], eax
        fail
1:      check_caught 14, 7, 2b
        # Across a boundary between frames that are not neighbours, in a loop.
        mov     esi, 5
3:      mov     ebx, 0x204ff8
        mov     qword ptr [rbx], rsi
        mov     dword ptr [rbx + 8], esi
        add     dword ptr [rbx + 6], 1
        mov     rax, [rbx + 4]
        dec     esi
        jnz     3b
        check_eq "dword ptr [0x206ff8]", 1
        check_eq "byte ptr [0x208000]", 1
        check_eq "byte ptr [0x206ffe]", 1
        # A device among them: each access once, at its width.
        mov     ebx, 0x207000
        mov     edi, [rbx + 0x800]
        mov     dword ptr [rbx], 0x1234
        mov     word ptr [rbx + 4], 0x5678
        mov     al, [rbx + 1]
        mov     edx, [rbx + 0x800]
        sub     edx, edi
        check_eq edx, 2
        check_eq "dword ptr [rbx + 0x804]", 0x5678
        check_eq al, 0x12
        # Base and index, with the index moving; high byte registers, whose instructions have no REX.
        mov     ebp, 0x202100
        xor     ecx, ecx
        mov     eax, 0x1234
        mov     [rbp + rcx * 4], ah
        mov     [rbp + rcx * 4 + 1], al
        inc     rcx
        mov     [rbp + rcx * 4], eax
        mov     bh, [rbp + rcx * 4 - 4]
        check_eq bh, 0x12
        check_eq "word ptr [0x202100]", 0x3412
        check_eq "dword ptr [0x202104]", 0x1234
        # Registers that a translator may keep in memory.
        mov     r14d, 0x202200
        mov     r15d, 2
        mov     [r14], r15
        mov     [r14 + r15 * 8], r14
        mov     [r14 + r15 * 8 + 8], r15
        mov     r15, [r14 + 16]
        check_eq r15, r14
        check_eq "qword ptr [r14 + 24]", 2
        # Instructions that write registers nobody named.
        mov     ebx, 0x202300
        mov     eax, 0x202300
        mov     [rax], rbx
        mov     ecx, 1
        mul     ecx
        mov     [rax + 8], rbx
        mov     edx, 0x202300
        mov     qword ptr [rdx], 3
        cdq
        mov     edx, 0x202300
        lock cmpxchg [rdx], rcx                 # RAX becomes 3
        add     rdx, 8
        check_eq rax, 3
        mov     rax, [rdx]
        check_eq rax, 0x202300
        mov     [rdx - 8], rax
        xchg    rax, rdx
        mov     [rax - 8], rdx
        # What RSP is between pushes and pops, for a trap, for who reads it, for a branch, and for an access.
        mov     rbp, rsp
        xor     ecx, ecx
        mov     eax, 1
        cdq
        catch   1f
        push    rax
        mov     ebx, 7
        push    rbx
2:      div     ecx
        fail
1:      check_caught 0, 0, 2b
        lea     rdx, [rbp - 16]
        check_eq rsp, rdx
        push    3
        push    rsp
        lea     rsi, [rsp + 1]
        push    rsi
        cmp     dword ptr [rsp + 16], 3
        jne     9f
        push    4
        pop     rdi
        xor     edi, 1
        pop     rsi
        pop     rdx
        jz      9f
        check_eq rsp, "qword ptr [rsp - 8]"     # what PUSH RSP wrote
        pop     rax
        xchg    rsp, rbp
        push    5
        xchg    rsp, rbp
        mov     ecx, [rbp]
        pop     rbx
        check_eq ecx, 5
        check_eq ebx, 7
        check_eq rax, 3
        add     rbp, 8
        mov     [rbp - 40], rbp
        mov     rbx, rsp
        call    3f
        .byte   0x90
3:      pop     rdx
        push    rbx
        pop     rsp
        pop     rax
        check_eq eax, 5
        check_eq rsp, rbp
        # Code in the range: stores beside it, then onto it.
        lea     rbx, [4f]
        mov     ecx, 2
3:      mov     [rbx - 16], ecx
        mov     [rbx + 1], ecx
        jmp     4f
        .balign 32
        .quad   0, 0
4:      mov     eax, 0x12345678
        check_eq eax, ecx
        dec     ecx
        jnz     3b
        done
9:      ret
