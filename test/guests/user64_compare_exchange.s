# CMPXCHG, XADD, XCHG, CMPXCHG8B and CMPXCHG16B: success, failure, every width, LOCK, and what 16B asks of alignment.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     qword ptr [cell], 5
        mov     eax, 5
        mov     ecx, 9
        cmpxchg [cell], rcx
        check_if e
        check_eq "qword ptr [cell]", 9
        check_eq rax, 5
        cmpxchg [cell], rcx
        check_if b                              # flags of 5 - 9
        check_eq rax, 9
        mov     rax, 0xffffffff00000009
        mov     ebx, 7
        lock cmpxchg [cell], ebx                # equal: RAX keeps its upper half
        check_if e
        shr     rax, 32
        check_eq eax, 0xffffffff
        mov     rax, 0xffffffff00000001
        lock cmpxchg [cell], ebx                # not equal: EAX is written, upper half cleared
        check_if ne
        check_eq rax, 7
        mov     rdx, 0x1111111122222222
        mov     eax, 0x22222222
        mov     ecx, 0x33333333
        cmpxchg edx, ecx                        # register form
        check_if e
        check_eq rdx, 0x33333333
        mov     al, 7
        mov     ah, 1
        mov     byte ptr [cell], 7
        cmpxchg [cell], ah
        check_if e
        check_eq "byte ptr [cell]", 1
        mov     qword ptr [cell], 100
        mov     eax, 0xffffffff
        lock xadd [cell], eax
        check_if c
        check_eq "dword ptr [cell]", 99
        check_eq rax, 100
        mov     rbx, -1
        xadd    rbx, rbx                        # both operands the same register: the sum wins
        check_eq rbx, -2
        mov     ax, 0x1234
        xchg    [cell], ax
        check_eq "word ptr [cell]", 0x1234
        check_eq ax, 99
        mov     qword ptr [cell], -1
        mov     eax, 1
        mov     edx, 2
        mov     ebx, 3
        mov     ecx, 4
        lock cmpxchg8b [cell]
        check_if nz
        check_eq eax, -1
        check_eq edx, -1
        set_flags (CF | PF | AF | SF | OF)
        cmpxchg8b [cell]
        check_flags ARITH, ARITH                # ZF set, all others kept
        mov     rcx, 0x400000003
        check_eq rcx, [cell]
        mov     eax, 3
        mov     edx, 0
        mov     ebx, 0x55
        mov     ecx, 0x66
        lock cmpxchg16b [cell]
        check_if nz
        mov     rsi, 0x400000003
        check_eq rax, rsi
        check_eq rdx, 0
        lock cmpxchg16b [cell]
        check_if z
        check_eq "qword ptr [cell]", 0x55
        check_eq "qword ptr [cell + 8]", 0x66
        catch   1f
2:      cmpxchg16b [cell + 8]
1:      check_caught 13, 0, 2b
        mov     byte ptr [cell + 3], 0          # LOCK across a cache line
        mov     eax, 1
        lock add [line + 62], eax
        check_eq "dword ptr [line + 62]", 1
        done
.balign 64
line:   .fill 128, 1, 0
cell:   .quad 0, 0
