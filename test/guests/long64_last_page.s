# Ring 3 goes through the same instructions again and again while the page that they used last is mapped elsewhere, made
# read-only, made absent, swapped by MOV CR3, or becomes code; the same in the middle of pages in a row, with stores
# across their ends; and while they keep changing pages, up to a page's end, or along a chain of pointers.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set AT, 0x201000
.set ONE, 0x202000              # frames for AT
.set TWO, 0x203000
.set CODE, 0x204000
.set FAR, 0x206000              # pages to wander about
.set CHAIN, 0x210000            # up to eleven pages
.set OTHER, 0x220000            # a frame for one of them
.set NODE, 0x40                 # in each page
.set RUN, 0x230000              # eight pages in a row
.set ELSE, 0x240000             # a frame for the fourth of them
.set ROUNDS, 200

# Through `pages` pages, each leads to the second next; `steps` from the fourth on, it is the `end`th.
.macro chain pages:req, steps:req, end:req
        xor     ecx, ecx
7783:   lea     eax, [rcx + 2]
        cmp     eax, \pages
        jb      7784f
        sub     eax, \pages
7784:   shl     eax, 12
        add     eax, CHAIN + NODE
        mov     edx, ecx
        shl     edx, 12
        mov     [rdx + CHAIN + NODE], rax
        inc     ecx
        cmp     ecx, \pages
        jb      7783b
        mov     qword ptr [OTHER + NODE], CHAIN + 0x3000 + NODE
        mov     r12d, ROUNDS / 5
7785:   mov     ecx, \steps
        call    chase\pages
        check_eq ebx, (CHAIN + \end * 0x1000 + NODE)
        in_kernel map CHAIN + 0x3000, (OTHER | P | W | U)
        mov     ecx, \steps
        call    chase\pages
        check_eq ebx, (CHAIN + 0x3000 + NODE)
        in_kernel map CHAIN + 0x3000, (CHAIN + 0x3000 | P | W | U)
        dec     r12d
        jnz     7785b
.endm

.globl start
start:  install_idt
        load_tss
        small_pages
        mov     dword ptr [ONE], 0x11
        mov     dword ptr [TWO], 0x22
        map     AT, (ONE | P | W | U)
        enter_ring3 user
user:
        .set in_user, 1
        # The accesses are made by `look` and `put`, called through a register, so that all go through the same code;
        # more than once, for a page may only be remembered the second time.
        lea     r14, [look]
        lea     r15, [put]
        # Another frame, by INVLPG and by MOV CR3.
        mov     ebx, AT
        mov     r12d, ROUNDS
1:      in_kernel map AT, (ONE | P | W | U)
        call    r14
        call    r14
        check_eq eax, 0x11
        mov     eax, r12d
        call    r15
        call    r15
        call    r14
        in_kernel map AT, (TWO | P | W | U)
        call    r14
        call    r14
        check_eq eax, 0x22
        mov     eax, r12d
        call    r15
        call    r15
        call    r14
        in_kernel set_pte AT, (ONE | P | W | U)
        in_kernel reload_cr3
        call    r14
        call    r14
        check_eq eax, 0x11
        dec     r12d
        jnz     1b
        check_eq "dword ptr [ONE + 1]", 1
        check_eq "dword ptr [TWO + 1]", 1

        # Writable or not, there or not.
        mov     r12d, ROUNDS
2:      in_kernel map AT, (ONE | P | W | U)
        call    r14
        call    r15
        call    r15
        call    r14
        in_kernel map AT, (ONE | P | U)
        call    r14
        catch   3f
        call    r15
        fail
3:      check_eq "dword ptr [caught_vector]", 14
        check_eq "dword ptr [caught_error]", 7
        pop     rax                             # the call's
        in_kernel map AT, 0
        catch   4f
        call    r14
        fail
4:      check_eq "dword ptr [caught_vector]", 14
        check_eq "dword ptr [caught_error]", 4
        pop     rax
        dec     r12d
        jnz     2b

        # A store faults and its page gets another frame, without INVLPG: the fault took along what was known of it.
        mov     r12d, ROUNDS
9:      in_kernel map AT, (ONE | P | U)
        call    r14
        call    r14
        check_eq eax, 0x11
        catch   10f
        call    r15
        fail
10:     check_eq "dword ptr [caught_error]", 7
        pop     rax
        in_kernel set_pte AT, (TWO | P | W | U)
        call    r14
        check_eq eax, 0x22
        call    r15
        call    r14
        check_eq eax, 0x22
        dec     r12d
        jnz     9b

        # Data that becomes code, and is written as before.
        mov     ebx, CODE
        mov     byte ptr [rbx], 0xb8            # MOV EAX, imm32; RET
        mov     byte ptr [rbx + 5], 0xc3
        mov     r12d, ROUNDS
5:      mov     eax, r12d
        call    r15
        dec     r12d
        jnz     5b
        mov     r12d, ROUNDS
6:      lea     eax, [r12 + 1000]
        call    r15
        call    rbx
        lea     ecx, [r12 + 1000]
        check_eq eax, ecx
        dec     r12d
        jnz     6b

        # One instruction, page after page, each time at the last bytes of one, or across its end.
        xor     r12d, r12d
7:      mov     eax, r12d
        and     eax, 3
        shl     eax, 12
        lea     rsi, [rax + FAR + 0xff0]
        mov     ecx, r12d
        shr     ecx, 2
        and     ecx, 15
        mov     [rsi + rcx], r12                # in the page up to 8, then across
        cmp     [rsi + rcx], r12
        check_if e
        mov     [rsi + 15], r12b                # the page's last byte
        movzx   eax, byte ptr [rsi + 15]
        movzx   edx, r12b
        cmp     eax, edx
        check_if e
        movdqu  [rsi - 32 + rcx], xmm0
        inc     r12d
        cmp     r12d, 20000
        jne     7b

        # Pages in a row, here and in memory. The fourth gets another frame, may only be read, and is itself again; the
        # sixth holds code.
        mov     byte ptr [RUN + 0x5000], 0xb8   # MOV EAX, imm32; RET
        mov     byte ptr [RUN + 0x5005], 0xc3
        mov     r12d, ROUNDS
11:     mov     byte ptr [RUN + 0x3000], 0x33
        mov     byte ptr [ELSE], 0x77
        call    walk
        mov     ebx, RUN + 0x5000
        call    rbx
        check_eq eax, r12d
        mov     ebx, RUN + 0x3000
        call    r14
        check_eq eax, 0x33
        mov     ebx, RUN + 0x2ffd               # the store is one byte behind: two bytes here, two there
        mov     eax, 0x44332211
        call    r15
        check_eq "word ptr [RUN + 0x2ffe]", 0x2211
        check_eq "word ptr [RUN + 0x3000]", 0x4433
        in_kernel map RUN + 0x3000, (ELSE | P | W | U)
        mov     ebx, RUN + 0x3000
        call    r14
        check_eq eax, 0x77
        mov     ebx, RUN + 0x2ffd
        mov     eax, 0x88776655
        call    r15
        check_eq "word ptr [RUN + 0x2ffe]", 0x6655
        check_eq "word ptr [ELSE]", 0x8877
        in_kernel map RUN + 0x3000, (RUN + 0x3000 | P | U)
        mov     ebx, RUN + 0x3000
        call    r14
        check_eq eax, 0x33
        catch   12f
        mov     ebx, RUN + 0x2ffd
        mov     eax, 0x11223344
        call    r15
        fail
12:     check_eq "dword ptr [caught_vector]", 14
        check_eq "dword ptr [caught_error]", 7
        pop     rax
        check_eq "word ptr [RUN + 0x2ffe]", 0x6655
        in_kernel map RUN + 0x3000, (RUN + 0x3000 | P | W | U)
        call    walk
        mov     ebx, RUN + 0x5000
        lea     eax, [r12 + 1000]
        call    r15
        call    rbx
        lea     ecx, [r12 + 1000]
        check_eq eax, ecx
        dec     r12d
        jnz     11b

        # Chains of pointers through few pages and through many. One page gets a frame whose pointer leads to itself.
        chain   5, 207, 2
        chain   11, 208, 1
        .set in_user, 0
        catch0  8f
        ud2
8:      done

look:   movzx   eax, byte ptr [rbx]
        ret
put:    mov     [rbx + 1], eax
        ret
walk:   xor     ecx, ecx                        # three times through the eight pages
1:      mov     ebx, ecx
        and     ebx, 7
        shl     ebx, 12
        add     ebx, RUN
        call    r14
        mov     eax, r12d
        call    r15
        inc     ecx
        cmp     ecx, 24
        jb      1b
        ret
.irp pages, 5, 11
chase\pages:
        mov     ebx, CHAIN + 0x3000 + NODE
1:      mov     rbx, [rbx]
        dec     ecx
        jnz     1b
        ret
.endr
