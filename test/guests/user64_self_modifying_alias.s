# Code changed through another mapping of its page, instructions that cross a page boundary and are changed in their second
# page, and stores that cross into a code page.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.globl start
start:  small_pages
        map     0x210000, (0x200000 | P | W | U) # a second name for the page at 200000h
        map     0x211000, (0x203000 | P | W | U) # the two halves of a pair whose frames are apart
        map     0x212000, (0x205000 | P | W | U)
        begin_user
        mov     dword ptr [0x200000], 0x000001b8 # MOV EAX,1; RET
        mov     word ptr [0x200004], 0xc300
        mov     edx, 0x200000
        call    rdx
        check_eq eax, 1
        mov     byte ptr [0x210001], 2          # through the alias
        call    rdx
        check_eq eax, 2
        mov     ebx, 0x210000                   # run the alias, write the first name
        call    rbx
        check_eq eax, 2
        mov     dword ptr [0x200001], 3
        call    rbx
        check_eq eax, 3
        call    rdx
        check_eq eax, 3
        lock inc byte ptr [0x210001]
        call    rdx
        check_eq eax, 4
        # MOV EAX,imm32 with its opcode in the first page and two bytes of the immediate in the second.
        mov     byte ptr [0x211ffd], 0xb8
        mov     word ptr [0x211ffe], 0x2211
        mov     dword ptr [0x212000], 0xc34433
        mov     edx, 0x211ffd
        mov     byte ptr [0x212002], 0xc3
        call    rdx
        check_eq eax, 0x44332211
        mov     byte ptr [0x212001], 0x55       # second page, by its own name
        call    rdx
        check_eq eax, 0x55332211
        mov     byte ptr [0x205000], 0x66       # second page, by its frame's identity name
        call    rdx
        check_eq eax, 0x55662211
        mov     byte ptr [0x203ffe], 0x77       # first page, likewise
        call    rdx
        check_eq eax, 0x55662277
        mov     dword ptr [0x211ffe], 0x00010203 # one store into both
        call    rdx
        check_eq eax, 0x00010203
        # XMM store over code.
        mov     dword ptr [0x202000], 0x000001b8
        mov     dword ptr [0x202004], 0x0000c300
        mov     qword ptr [0x202008], 0
        mov     edx, 0x202000
        call    rdx
        movups  xmm0, [0x202000]
        mov     byte ptr [0x202001], 9
        call    rdx
        check_eq eax, 9
        movups  [0x202000], xmm0
        call    rdx
        check_eq eax, 1
        done
