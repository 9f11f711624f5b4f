# Padding and long stretches of code that change: NOPs become instructions, in the middle of a run of them and behind the
# first hundreds of bytes of straight code; functions that fill a page are rewritten one by one, each called before and
# after, and the neighbours stay what they were.
#! start:  long64
#! expect: rax=0x64
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        # INC ECX in place of two NOPs, at the beginning, in the middle and at the end of a run.
        xor     ecx, ecx
        call    padded
        check_eq ecx, 0
        mov     word ptr [pad], 0xc1ff
        call    padded
        check_eq ecx, 1
        mov     word ptr [pad + 100], 0xc1ff
        call    padded
        check_eq ecx, 3
        mov     word ptr [pad_end - 2], 0xc1ff
        call    padded
        check_eq ecx, 6
        mov     word ptr [pad + 100], 0x9090
        call    padded
        check_eq ecx, 8
        # The last instruction of a block that is as long as blocks get.
        call    straight
        check_eq eax, 64
        mov     byte ptr [straight_end - 4], 5
        call    straight
        check_eq eax, 68
        # 64 functions of a page: MOV EAX,imm32; NOPs; RET.
        lea     rdi, [page]
        xor     ecx, ecx
1:      mov     byte ptr [rdi], 0xb8
        mov     [rdi + 1], ecx
        mov     rax, 0x9090909090909090
        .irp    at, 5, 13, 21, 29, 37, 45, 53, 55
        mov     [rdi + \at], rax
        .endr
        mov     byte ptr [rdi + 63], 0xc3
        call    rdi
        check_eq eax, ecx
        add     rdi, 64
        inc     ecx
        cmp     ecx, 64
        jb      1b
        # Each gets INC EAX among its NOPs; all others stay.
        lea     rsi, [page]
        mov     ebp, 64
2:      mov     word ptr [rsi + 40], 0xc0ff
        lea     rdi, [page]
        xor     ebx, ebx
        mov     ecx, 64
3:      call    rdi
        add     ebx, eax
        add     rdi, 64
        dec     ecx
        jnz     3b
        mov     edx, 2016 + 65                  # 0 + 1 + ... + 63, and one for each that was changed
        sub     edx, ebp
        check_eq ebx, edx
        add     rsi, 64
        dec     ebp
        jnz     2b
        mov     eax, 0x64
        done

        .balign 64
padded: nop
pad:    .fill   200, 1, 0x90
pad_end:
        ret
        .balign 64
straight:
        xor     eax, eax
        .rept   64
        .byte   0x48, 0x81, 0xc0                # ADD RAX,imm32; the last one is patched
        .long   1
        .endr
straight_end:
        ret
        .balign 4096
page:   .fill   4096, 1, 0xcc
