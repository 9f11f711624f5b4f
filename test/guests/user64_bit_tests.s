# BT, BTS, BTR and BTC: a register bit offset addresses memory far from the operand, negative offsets too; immediate
# offsets are masked. BSF and BSR of zero keep the destination. POPCNT-like counts are elsewhere.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        mov     rax, -1
        bts     dword ptr [bits], eax           # offset -1: the top bit of the dword before
        check_if nc
        check_eq "dword ptr [bits - 4]", 0x80000000
        mov     rax, -65
        bts     qword ptr [bits], rax
        check_if nc
        mov     rcx, 0x8000000000000000
        check_eq rcx, [bits - 16]
        mov     eax, 1000
        bts     qword ptr [bits], rax
        check_eq "byte ptr [bits + 125]", 1
        btc     dword ptr [bits], eax
        check_if c
        check_eq "byte ptr [bits + 125]", 0
        mov     ax, -16
        lock bts word ptr [bits], ax
        check_eq "word ptr [bits - 2]", 0x8001
        lock btr word ptr [bits], ax
        check_if c
        check_eq "word ptr [bits - 2]", 0x8000
        mov     rcx, 0x500000021                # 32-bit offset: 33
        bts     dword ptr [bits], ecx
        check_eq "dword ptr [bits + 4]", 2
        mov     ebx, 0
        mov     ecx, 33
        bts     ebx, ecx                        # register operand: offset modulo 32
        check_eq ebx, 2
        bt      dword ptr [bits + 4], 33        # immediate: modulo 32, no address change
        check_if c
        bts     rbx, 63
        btr     rbx, 1
        check_if c
        mov     rcx, 0x8000000000000000
        check_eq rbx, rcx
        set_flags (ZF | SF)
        bt      rbx, 63
        check_flags (ZF | CF), (ZF | CF)        # only CF is written
        mov     rdx, 0x1234
        xor     eax, eax
        bsf     rdx, rax
        check_if z
        check_eq rdx, 0x1234
        bsr     rdx, rax
        check_eq rdx, 0x1234
        bsf     rdx, rbx
        check_if nz
        check_eq rdx, 63
        mov     eax, 0x00100010
        bsr     edx, eax
        check_eq edx, 20
        bsf     edx, eax
        check_eq edx, 4
        done
.balign 64
        .fill 64, 1, 0
bits:   .fill 128, 1, 0
