# Code that is written again as it was, as just-in-time compilers do that fill their buffers anew: the same bytes back after
# others had run in between; others that differ in one byte, in the first and in the last; constants of a whole page that
# change round by round; a function that goes on elsewhere in its page, changed in either piece; stores that read what they
# change; a page that is filled by one REP STOS and written again. Each call must see what was stored last.
#! start:  long64
#! expect: rax=0x64
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set FUNCTIONS, 64
.globl start
start:  begin_user
        # MOV EAX,1; RET and MOV EAX,2; RET by turns, then INC EAX in place of the first byte's MOV, and back.
        mov     ebp, 50
1:      mov     dword ptr [lone], 0x000001b8
        mov     word ptr [lone + 4], 0xc300
        call    lone
        check_eq eax, 1
        mov     byte ptr [lone + 1], 2
        call    lone
        check_eq eax, 2
        mov     byte ptr [lone + 1], 1
        call    lone
        check_eq eax, 1
        mov     eax, 6
        mov     dword ptr [lone], 0xc3c0ff      # INC EAX; RET
        call    lone
        check_eq eax, 7
        mov     byte ptr [lone + 1], 0xc8       # DEC EAX
        call    lone
        check_eq eax, 6
        mov     byte ptr [lone + 2], 0x90       # and on into what was the next function's tail
        mov     byte ptr [lone + 3], 0xc3
        call    lone
        check_eq eax, 5
        dec     ebp
        jnz     1b
        # 64 functions of a page, emitted anew in each round with other constants, in an order of their own, and called;
        # in every fourth round one byte of each is another instruction. Then all are called again.
        xor     r12d, r12d
2:      xor     ecx, ecx
3:      imul    edi, ecx, 37
        and     edi, FUNCTIONS - 1
        mov     r13d, edi
        shl     edi, 6
        lea     rdi, [rdi + page]
        mov     eax, r12d
        shl     eax, 8
        or      eax, r13d                       # what it returns: the round and its number
        mov     byte ptr [rdi], 0xb8
        mov     [rdi + 1], eax
        mov     word ptr [rdi + 5], 0xba49      # MOV R10,imm64
        mov     rdx, 0x123456789abcdef0
        add     rdx, rax
        mov     [rdi + 7], rdx
        mov     word ptr [rdi + 15], 0xc0ff     # INC EAX
        test    r12d, 3
        jnz     4f
        mov     byte ptr [rdi + 16], 0xc8       # DEC EAX
4:      mov     rbx, 0x9090909090909090
        .irp    at, 17, 25, 33, 41, 49, 55
        mov     [rdi + \at], rbx
        .endr
        mov     byte ptr [rdi + 63], 0xc3
        mov     r14d, eax
        call    rdi
        call    check_function
        inc     ecx
        cmp     ecx, FUNCTIONS
        jb      3b
        xor     r13d, r13d
5:      mov     edi, r13d
        shl     edi, 6
        lea     rdi, [rdi + page]
        mov     r14d, r12d
        shl     r14d, 8
        or      r14d, r13d
        call    rdi
        call    check_function
        inc     r13d
        cmp     r13d, FUNCTIONS
        jb      5b
        inc     r12d
        cmp     r12d, 12
        jb      2b
        # A block of several pieces: MOV EAX,imm; JMP +; MOV EDX,imm; RET. Either is patched, and patched back.
        mov     ebp, 20
6:      mov     dword ptr [pieces + 1], 0x11
        mov     byte ptr [piece2], 0xba
        mov     dword ptr [piece2 + 1], 0x22
        call    pieces
        check_eq eax, 0x11
        check_eq edx, 0x22
        mov     byte ptr [piece2 + 1], 0x23
        call    pieces
        check_eq eax, 0x11
        check_eq edx, 0x23
        mov     byte ptr [piece2], 0xb8         # MOV EAX
        call    pieces
        check_eq eax, 0x23
        mov     byte ptr [piece2], 0xba
        mov     byte ptr [pieces + 1], 0x12
        call    pieces
        check_eq eax, 0x12
        check_eq edx, 0x23
        dec     ebp
        jnz     6b
        # Stores that read: a constant is counted up and down, added to under LOCK, exchanged.
        mov     dword ptr [lone], 0x000000b8
        mov     word ptr [lone + 4], 0xc300
        mov     ebp, 30
7:      inc     byte ptr [lone + 1]
        call    lone
        check_eq eax, 1
        lock add dword ptr [lone + 1], 0x100
        call    lone
        check_eq eax, 0x101
        mov     edx, 0x55
        xchg    [lone + 1], edx
        check_eq edx, 0x101
        call    lone
        check_eq eax, 0x55
        mov     ecx, 9
        mov     eax, 0x55
        lock cmpxchg [lone + 1], ecx
        call    lone
        check_eq eax, 9
        sub     byte ptr [lone + 1], 9
        call    lone
        check_eq eax, 0
        dec     ebp
        jnz     7b
        # A store that crosses into the next page changes the constant of a function at the end of this one.
        mov     dword ptr [page + 4096 - 8], 0x000007b8
        mov     dword ptr [page + 4096 - 4], 0xc3909000
        lea     rdi, [page + 4096 - 8]
        call    rdi
        check_eq eax, 7
        mov     rax, 0x90c3909000000008
        mov     [page + 4096 - 7], rax          # its last byte is the first of the next page
        call    rdi
        check_eq eax, 8
        # The whole page by one REP STOS, then two functions as they were in the last round.
        mov     ebp, 10
8:      lea     rdi, [page]
        mov     ecx, 4096
        mov     al, 0xc3
        rep stosb
        lea     rdi, [page]
        mov     eax, 0x77
        call    rdi
        check_eq eax, 0x77
        mov     dword ptr [page], 0x000055b8
        mov     word ptr [page + 4], 0xc300
        call    rdi
        check_eq eax, 0x55
        dec     ebp
        jnz     8b
        mov     eax, 0x64
        done

# EAX is R14D + 1, in every fourth round - 1; R10 goes with it.
check_function:
        mov     edx, 1
        test    r12d, 3
        jnz     1f
        neg     edx
1:      add     edx, r14d
        check_eq eax, edx
        mov     rdx, 0x123456789abcdef0
        mov     eax, r14d
        add     rdx, rax
        check_eq r10, rdx
        ret

        .balign 64
lone:   .fill   64, 1, 0xcc
        .balign 4096
page:   .fill   4096, 1, 0xcc
        nop
        .balign 64
pieces: mov     eax, 0
        jmp     piece2
        .fill   64, 1, 0xcc
piece2: mov     edx, 0
        ret
