# Memory that is not RAM: each access reaches the device exactly once and at its own width; read-modify-writes read once
# and write once.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.set LOG, MMIO + 0x800
.macro check_log writes:req, value:req, width:req, reads:req
        check_eq "dword ptr [rbx + 0x800]", \writes
        check_eq "dword ptr [rbx + 0x804]", \value
        check_eq "dword ptr [rbx + 0x808]", \width
        check_eq "dword ptr [rbx + 0x80c]", \reads
.endm
.globl start
start:  mov     ebx, MMIO
        mov     al, [rbx + 1]
        check_eq al, 0x12
        mov     ax, [rbx + 2]
        check_eq ax, 0x1413
        mov     eax, [rbx + 4]
        check_eq eax, 0x18171615
        mov     rax, [rbx + 8]
        mov     rcx, 0x201f1e1d1c1b1a19
        check_eq rax, rcx
        check_log 0, 0, 0, 4
        mov     byte ptr [rbx], 0x55
        check_log 1, 0x55, 1, 4
        mov     word ptr [rbx + 2], 0x6677
        check_log 2, 0x6677, 2, 4
        mov     dword ptr [rbx + 4], 0x8899aabb
        check_log 3, 0x8899aabb, 4, 4
        mov     rax, 0x1122334455667788
        mov     [rbx + 8], rax
        check_log 4, 0x55667788, 8, 4
        movzx   eax, byte ptr [rbx + 3]
        check_eq eax, 0x14
        movsx   rax, word ptr [rbx + 0xee]      # 00ffh
        check_eq rax, 0xff
        check_log 4, 0x55667788, 8, 6
        add     dword ptr [rbx], 1              # reads 14131211h
        check_log 5, 0x14131212, 4, 7
        xchg    [rbx + 1], al
        check_eq al, 0x12
        mov     esi, MMIO + 0x10
        mov     edi, SCRATCH
        mov     ecx, 2
        rep movsd
        check_eq "dword ptr [SCRATCH + 4]", 0x28272625
        mov     ecx, 3
        mov     edi, MMIO + 0x20
        mov     eax, 0x77
        rep stosb
        check_eq "dword ptr [rbx + 0x800]", 9
        check_eq "dword ptr [rbx + 0x808]", 1
        done
