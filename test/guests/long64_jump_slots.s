# Ring 3 calls two functions by turns whose addresses want the same slot of the engine's jump table, with flags that they
# read; while one is patched, gets another frame by INVLPG and by MOV CR3, is absent, and is itself again.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set ONE, 0x210020              # the slot is made of (RIP >> 6) + (RIP << 3): these share it (mmu/tlb.h)
.set TWO, 0x214000
.set ELSE, 0x220000             # a frame for the second
.set ROUNDS, 60

# LEA EAX, [RDI + imm8]; SETC DL; RET
.macro function at:req, add:req
        mov     dword ptr [\at], 0x0f00478d + (\add << 16)
        mov     dword ptr [\at + 4], 0x00c3c292
.endm
# Both by turns: the first adds R8D, the second R9D.
.macro by_turns
        mov     ebx, 6
7783:   lea     edi, [rbx + 1000]
        bt      ebx, 0
        call    r14
        mov     ecx, edx
        sub     eax, edi
        cmp     eax, r8d
        check_if e
        bt      r12d, 0
        call    r15
        sub     eax, edi
        cmp     eax, r9d
        check_if e
        movzx   ecx, cl
        mov     eax, ebx
        and     eax, 1
        cmp     ecx, eax
        check_if e
        movzx   edx, dl
        mov     eax, r12d
        and     eax, 1
        cmp     edx, eax
        check_if e
        dec     ebx
        jnz     7783b
.endm

.globl start
start:  install_idt
        load_tss
        small_pages
        function ONE, 1
        function TWO, 2
        function ELSE, 3
        enter_ring3 user
user:
        .set in_user, 1
        lea     r14, [ONE]
        lea     r15, [TWO]
        mov     r12d, ROUNDS
1:      mov     r8d, 1
        mov     r9d, 2
        by_turns
        # The one and the other are patched.
        lea     r8d, [r12 + 4]
        mov     [ONE + 2], r8b
        by_turns
        lea     r9d, [r12 + 5]
        mov     [TWO + 2], r9b
        by_turns
        # Another frame, and the old one again.
        in_kernel map TWO, (ELSE | P | W | U)
        mov     r9d, 3
        by_turns
        in_kernel set_pte TWO, (TWO | P | W | U)
        in_kernel reload_cr3
        lea     r9d, [r12 + 5]
        by_turns
        # Absent: the fetch faults, while the other goes on.
        in_kernel map TWO, 0
        catch   2f
        call    r15
        fail
2:      check_eq "dword ptr [caught_vector]", 14
        pop     rax
        mov     edi, 7
        call    r14
        lea     ecx, [r8 + 7]
        check_eq eax, ecx
        in_kernel map TWO, (TWO | P | W | U)
        by_turns
        mov     byte ptr [ONE + 2], 1
        mov     byte ptr [TWO + 2], 2
        dec     r12d
        jnz     1b
        .set in_user, 0
        catch0  3f
        ud2
3:      done
