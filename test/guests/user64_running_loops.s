# Loops that a translator may let run on as long as their accesses stay within pages that lie in a row: copies, sums and
# fills, up and down, through one register or two, over pages whose frames are in a row, in disorder, and reversed. From
# every distance to a page's end, for every number of turns, each byte is as when the loop goes turn by turn, and a
# fault comes where it would.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set FROM, 0x210000             # four pages each
.set TO, 0x220000
.set GONE, 0x224000
.set FRAMES, 0x230000           # in whatever order
.set AMOUNT, 0x208000
.set LOOPS, 9

# Spoils RAX. `order` tells which frames the pages of FROM and TO get.
.macro frames order:req
        .set at, FROM
        .irpc frame, \order
        .set backed, FRAMES + 0x\frame * 0x1000
        map     at, (backed | P | W | U)
        .set at, at + 0x1000
        .if at == FROM + 0x4000
        .set at, TO
        .endif
        .endr
.endm

.globl start
start:  small_pages
        map     GONE, 0
        begin_user
        mov     r14d, 3                         # with each order
again:  cmp     r14d, 2
        je      1f
        ja      2f
        in_kernel frames 76543210
        jmp     3f
1:      in_kernel frames 05214736
        jmp     3f
2:      in_kernel frames 01234567
3:      # Numbers to copy, no two alike.
        xor     ecx, ecx
1:      imul    eax, ecx, 0x9e3779b1
        mov     [rcx * 4 + FROM], eax
        inc     ecx
        cmp     ecx, 0x1000
        jne     1b

        # Every loop, for 1 to 9 turns and for as many as pass two pages, from places about the first page's end.
        xor     r13d, r13d
place:  mov     r12d, 1
turns:  mov     eax, r12d
        cmp     eax, 10
        jb      1f
        mov     eax, 600
1:      mov     [AMOUNT], rax
        xor     ebp, ebp
1:      call    clear
        mov     rcx, [AMOUNT]
        lea     rsi, [r13 * 8 + FROM + 0xf80]
        lea     rdi, [r13 * 4 + TO + 0xfa0]
        lea     rax, [rip + table]
        movsxd  rdx, dword ptr [rax + rbp * 4]
        add     rax, rdx
        call    rax
        call    compare
        inc     ebp
        cmp     ebp, LOOPS
        jne     1b
        inc     r12d
        cmp     r12d, 11
        jne     turns
        inc     r13d
        cmp     r13d, 17
        jne     place

        # A fill that meets the absent page, from every distance: RCX says how many turns it made.
        mov     r12d, 1
1:      mov     edi, GONE
        mov     eax, r12d
        shl     eax, 4
        sub     edi, eax
        xor     ecx, ecx
        pxor    xmm0, xmm0
        catch   3f
2:      movups  [rdi], xmm0
        add     rdi, 16
        inc     rcx
        cmp     rcx, -1
        jne     2b
        fail
3:      check_caught 14, 6, 2b
        check_eq ecx, r12d
        check_eq edi, GONE
        check_eq "qword ptr [caught_cr2]", GONE
        inc     r12d
        cmp     r12d, 600
        jne     1b

        # Two registers, whose sum is of some use where neither is; and an index that counts from below zero.
        mov     r12d, 1
1:      mov     ecx, r12d
        neg     rcx
        lea     rsi, [r12 * 8 + FROM + 0x100]
        xor     eax, eax
2:      add     rax, [rsi + rcx * 8]
        add     rcx, 1
        jnz     2b
        xor     edx, edx
        xor     ecx, ecx
3:      mov     r8, [rcx * 8 + FROM + 0x100]
        lea     rdx, [rdx + r8]
        inc     ecx
        cmp     ecx, r12d
        jne     3b
        check_eq rax, rdx
        inc     r12d
        cmp     r12d, 1200
        jne     1b

        dec     r14d
        jnz     again

        # One that writes the number that its next turns add, and a copy onto what it is itself, which is the same.
        lea     rbx, [rip + 2f + 2]
        mov     ecx, 100
        xor     eax, eax
1:      mov     [rbx], cl
2:      add     eax, 100
        dec     ecx
        cmp     ecx, 0
        jnz     1b
        check_eq eax, 5050
        lea     rsi, [rip + 1f]
        mov     rdi, rsi
        mov     ecx, 6
1:      mov     al, [rsi]
        mov     [rdi], al
        add     rsi, 1
        add     rdi, 1
        sub     ecx, 1
        jnz     1b
        check_eq ecx, 0
        done

# RCX turns from RSI to RDI, 16 bytes each. They end with the flags of their last turn, which the caller does not see.
.balign 4
table:  .long up - table, down - table, indexed - table, scaled - table, pair - table, middle - table, four - table
        .long   stack - table, little - table

up:     movups  xmm0, [rsi]
        movups  [rdi], xmm0
        add     rsi, 16
        add     rdi, 16
        sub     rcx, 1
        jnz     up
        ret
down:   mov     rax, rcx
        shl     rax, 4
        lea     rsi, [rsi + rax - 16]
        lea     rdi, [rdi + rax - 16]
1:      mov     rax, [rsi + 8]
        mov     rdx, [rsi]
        sub     rsi, 16
        mov     [rdi], rdx
        mov     [rdi + 8], rax
        add     rdi, -16
        sub     rcx, 1
        jnz     1b
        ret
indexed:
        xor     edx, edx
        shl     rcx, 4
1:      movups  xmm0, [rsi + rdx]
        movups  [rdi + rdx], xmm0
        add     rdx, 16
        cmp     rdx, rcx
        jne     1b
        ret
scaled: xor     edx, edx                        # the array's place in the displacement, and in the base
        lea     rcx, [rcx + rcx]
        sub     rsi, FROM
        shr     rsi, 3
1:      mov     rax, [rsi * 8 + FROM]
        mov     [rdi + rdx * 8], rax
        inc     rsi
        inc     rdx
        cmp     rdx, rcx
        jne     1b
        ret
pair:   mov     rdx, rdi                        # several places of each array
        shl     rcx, 4
        add     rcx, rdi
1:      mov     eax, [rsi]
        mov     [rdi], eax
        mov     rax, [rsi + 4]
        mov     [rdi + 4], rax
        mov     eax, [rsi + 12]
        mov     [rdi + 12], eax
        lea     rsi, [rsi + 16]
        lea     rdi, [rdi + 16]
        cmp     rcx, rdi
        ja      1b
        ret
middle: shl     rcx, 4                          # the step in between, and the way back to the access
        add     rcx, rsi
1:      add     rsi, 16
        movups  xmm1, [rsi - 16]
        add     rdi, 16
        movups  [rdi - 16], xmm1
        cmp     rsi, rcx
        jne     1b
        ret
four:   lea     r8, [rsi + 8]                   # four registers that move
        lea     r9, [rdi + 8]
1:      mov     rax, [rsi]
        mov     rdx, [r8]
        mov     [rdi], rax
        mov     [r9], rdx
        add     rsi, 16
        add     r8, 16
        add     rdi, 16
        add     r9, 16
        sub     rcx, 1
        jnz     1b
        ret

stack:  lea     rdi, [rdi - 8]                  # RSP stays, and is added to an index
        sub     rdi, rsp
        shl     rcx, 4
        xor     edx, edx
1:      mov     rax, [rsi + rdx]
        lea     rdi, [rdi + 8]
        mov     [rsp + rdi], rax
        add     rdx, 8
        cmp     rdx, rcx
        jne     1b
        ret

little: shl     rcx, 2                          # much to do for a small step, and a look far ahead
1:      mov     eax, [rsi]
        mov     edx, [rsi + 0x40]
        add     rsi, 4
        .rept   8
        lea     r8, [rdx + r8]
        xor     r8d, edx
        .endr
        mov     [rdi], eax
        add     rdi, 4
        sub     rcx, 1
        jnz     1b
        ret

clear:  push    rcx
        push    rdi
        mov     edi, TO
        mov     ecx, 0x800
        mov     rax, 0x5a5a5a5a5a5a5a5a
        rep stosq
        pop     rdi
        pop     rcx
        ret

# What lies at TO is what was copied, between what was there.
compare:
        mov     rcx, [AMOUNT]
        shl     rcx, 4
        lea     rsi, [r13 * 8 + FROM + 0xf80]
        lea     rdi, [r13 * 4 + TO + 0xfa0]
        repe cmpsb
        check_if e
        mov     rax, 0x5a5a5a5a5a5a5a5a
        check_eq "qword ptr [rdi]", rax
        check_eq "qword ptr [r13 * 4 + TO + 0xf98]", rax
        mov     edi, TO
        lea     ecx, [r13 * 4 + 0xfa0]
        repe scasb
        check_if e
        ret
