# Code whose constants are rewritten again and again, as inline caches are: immediates of 4 and 8 bytes, whole and in part,
# by stores of every kind, then the opcode in front of them. Each call must see what was stored last.
#! start:  long64
#! expect: rax=0x77
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        # A 4-byte immediate in another page, patched in one store.
        mov     ecx, 100
        xor     ebx, ebx
1:      mov     [four + 1], ecx
        call    four
        add     ebx, eax
        loop    1b
        check_eq ebx, 5050
        # An 8-byte one, into a register that translators like to keep in memory, and beside others in the same block.
        mov     ecx, 100
        xor     ebx, ebx
        mov     rsi, 0x100000000
2:      lea     rax, [rsi + rcx]
        mov     [eight + 2], rax
        mov     dword ptr [eight_more + 2], ecx
        call    eight
        check_eq r15, "[eight + 2]"
        check_eq r14, rcx
        check_eq edx, 5
        loop    2b
        # Part of it, one byte and two.
        mov     byte ptr [four + 3], 0x55
        call    four
        check_eq eax, 0x550001
        mov     ah, 0x66
        mov     byte ptr [four + 4], ah
        call    four
        check_eq eax, 0x66550001
        mov     word ptr [four + 1], 0x1234
        call    four
        check_eq eax, 0x66551234
        # Read-modify-write, LOCK, exchange, push, REP MOVS, SSE.
        add     dword ptr [four + 1], 1
        call    four
        check_eq eax, 0x66551235
        lock inc dword ptr [four + 1]
        call    four
        check_eq eax, 0x66551236
        mov     edx, 42
        xchg    [four + 1], edx
        check_eq edx, 0x66551236
        call    four
        check_eq eax, 42
        mov     dword ptr [SCRATCH], 0xabcd
        mov     esi, SCRATCH
        lea     rdi, [four + 1]
        mov     ecx, 4
        rep movsb
        call    four
        check_eq eax, 0xabcd
        mov     eax, 0x4321
        movd    xmm9, eax
        movd    [four + 1], xmm9
        call    four
        check_eq eax, 0x4321
        # The immediate and the byte behind it: MOV EAX,imm then NOP becomes INC EAX in parts.
        mov     rax, 0xc3c0ff00000007           # 07 00 00 00, FF C0, C3
        mov     [four + 1], rax
        call    four
        check_eq eax, 8
        # The opcode alone: MOV EAX becomes MOV EDX.
        xor     edx, edx
        mov     byte ptr [four], 0xba
        mov     eax, 1
        call    four
        check_eq edx, 7
        check_eq eax, 2
        mov     byte ptr [four], 0xb8
        call    four
        check_eq eax, 8
        # The same bytes again change nothing.
        mov     byte ptr [four], 0xb8
        mov     dword ptr [four + 1], 7
        call    four
        check_eq eax, 8
        # Sixteen bytes at once, unaligned: the whole function moves down by one NOP.
        movups  xmm1, [template]
        movups  [four], xmm1
        call    four
        check_eq eax, 0x77
        # A store to the running block further on, in a loop that has patched it before.
        mov     ecx, 20
        xor     ebx, ebx
3:      mov     [4f + 1], ecx
        nop
4:      mov     edx, 0
        add     ebx, edx
        loop    3b
        check_eq ebx, 210
        # Two entries into the same patched constant.
        mov     ecx, 50
5:      mov     [four + 3], ecx
        call    four
        check_eq eax, ecx
        call    four_inner
        check_eq eax, ecx
        loop    5b
        mov     dword ptr [four + 3], 0x77
        call    four
        done
.balign 16
template:
        .byte   0x90, 0x90, 0xb8, 0x77, 0, 0, 0, 0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xc3
.balign 4096
four:   mov     eax, 0
        nop
        nop
        ret
        .skip   32, 0x90
        ret
.set four_inner, four + 2
.balign 64
eight:  movabs  r15, 0x1122334455667788
eight_more:
        mov     r14d, 0
        mov     edx, 5
        ret
