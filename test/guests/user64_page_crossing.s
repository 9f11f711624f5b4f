# Accesses that cross into an absent or read-only page: nothing may have changed when they fault, and CR2 is the first byte
# of the page that is missing. The same accesses work when both pages are there but not contiguous.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.macro faults code:req, insn:vararg
        catch   7774f
7775:   \insn
        fail
7774:   check_caught 14, \code, 7775b
        check_eq "qword ptr [caught_cr2]", 0x201000
        check_eq "dword ptr [0x200ffc]", 0x44332211
.endm
.globl start
start:  small_pages
        map     0x201000, 0
        map     0x202000, (0x202000 | P | W | U)
        map     0x203000, (0x203000 | P | U)
        map     0x204000, (0x206000 | P | W | U)
        map     0x205000, (0x208000 | P | W | U)
        begin_user
        mov     dword ptr [0x200ffc], 0x44332211
        mov     rax, 0x1111
        faults  4, mov rax, [0x200ffc]
        check_eq rax, 0x1111
        faults  6, mov [0x200ffd], rax
        faults  6, add qword ptr [0x200ffa], 1
        faults  6, xchg [0x200ffe], eax
        check_eq rax, 0x1111
        faults  6, lock xadd [0x200ffd], eax
        faults  6, mov word ptr [0x200fff], 0x5555
        faults  4, movups xmm0, [0x200ff8]
        faults  6, movups [0x200ff8], xmm0
        faults  4, fld tbyte ptr [0x200ffc]
        catch   1f
2:      fxsave  [0x200f00]                      # CR2 may be any missing byte of the 512
        fail
1:      check_caught 14, 6, 2b
        faults  4, cmp qword ptr [0x200ffc], 0
        mov     rsp, 0x200ffc
        faults  4, pop rcx
        check_eq rsp, 0x200ffc
        mov     rsp, 0x201004
        faults  6, push rax
        check_eq rsp, 0x201004
        mov     rsp, 0x201000
        faults  4, ret
        mov     rsp, 0x7c00
        push    0x77
        faults  6, pop qword ptr [0x200ffd]
        check_eq rsp, 0x7bf8
        pop     rax
        # Second page read-only: 0x7 and CR2 at the boundary.
        mov     dword ptr [0x202ffc], 0x44332211
        catch   1f
2:      mov     [0x202ffc], rsp
        fail
1:      check_caught 14, 7, 2b
        check_eq "qword ptr [caught_cr2]", 0x203000
        check_eq "dword ptr [0x202ffc]", 0x44332211
        mov     rax, [0x202ffc]
        # Both there, frames apart.
        mov     rax, 0x8877665544332211
        mov     [0x204ffb], rax
        check_eq rax, [0x204ffb]
        check_eq "dword ptr [0x206ffb]", 0x44332211  # through the identity map
        check_eq "byte ptr [0x208002]", 0x88
        add     qword ptr [0x204ffb], 1
        add     byte ptr [0x205002], 1
        sub     rax, [0x204ffb]
        mov     rcx, 0xfeffffffffffffff
        check_eq rax, rcx
        mov     ecx, 3
        lock bts qword ptr [0x204ffc], rcx
        inc     dword ptr [0x204ffe]
        mov     ax, [0x204fff]
        check_eq al, [0x206fff]
        check_eq ah, [0x208000]
        done
