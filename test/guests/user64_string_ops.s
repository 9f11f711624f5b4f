# String instructions: both directions, overlap, all widths, REP with count 0, the flags and counts after REPE/REPNE,
# 32-bit addressing.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  begin_user
        lea     rsi, [text]
        mov     edi, SCRATCH
        mov     ecx, 16
        rep movsb
        check_eq rcx, 0
        check_eq rdi, SCRATCH + 16
        check_eq rsi, "offset text + 16"
        mov     rax, [SCRATCH + 8]
        check_eq rax, [text + 8]
        # Overlap forward by one: REP MOVSB spreads the first byte.
        mov     esi, SCRATCH
        mov     edi, SCRATCH + 1
        mov     ecx, 15
        rep movsb
        mov     rax, 0x6161616161616161
        check_eq rax, [SCRATCH + 8]
        # Overlap by four with MOVSB: a period of four bytes.
        mov     dword ptr [SCRATCH], 0x64636261
        mov     esi, SCRATCH
        mov     edi, SCRATCH + 4
        mov     ecx, 61
        rep movsb
        mov     rax, 0x6463626164636261
        check_eq rax, [SCRATCH + 56]
        check_eq "byte ptr [SCRATCH + 64]", 0x61
        # Backwards, overlapping: a plain move up by 3.
        lea     rsi, [text]
        mov     edi, SCRATCH
        mov     ecx, 2
        rep movsq
        std
        mov     esi, SCRATCH + 15
        mov     edi, SCRATCH + 18
        mov     ecx, 16
        rep movsb
        check_eq rdi, SCRATCH + 2
        mov     rax, [SCRATCH + 3]
        check_eq rax, [text]
        mov     rax, [SCRATCH + 11]
        check_eq rax, [text + 8]
        mov     esi, SCRATCH + 8                # wider elements, backwards
        mov     edi, SCRATCH + 0x108
        mov     ecx, 2
        rep movsq
        check_eq rdi, SCRATCH + 0xf8
        mov     rax, [SCRATCH]
        check_eq rax, [SCRATCH + 0x100]
        cld
        # Count 0 touches neither memory nor pointers nor flags.
        xor     ecx, ecx
        mov     rsi, 0x800000000000
        mov     rdi, rsi
        set_flags ARITH
        rep movsb
        repe cmpsb
        repne scasb
        rep stosq
        rep lodsw
        check_flags ARITH, ARITH
        mov     rax, 0x800000000000
        check_eq rsi, rax
        check_eq rdi, rax
        # STOS and LODS of all widths.
        mov     rax, 0x1122334455667788
        mov     edi, SCRATCH
        stosb
        stosw
        stosd
        stosq
        check_eq rdi, SCRATCH + 15
        check_eq "dword ptr [SCRATCH]", 0x88778888
        mov     esi, SCRATCH
        mov     rax, -1
        lodsb
        check_eq rax, 0xffffffffffffff88
        lodsw
        check_eq ax, 0x7788
        lodsd
        mov     ecx, 0x55667788
        check_eq rax, rcx
        # CMPS and SCAS stop where they should.
        lea     rsi, [text]
        lea     rdi, [almost]
        mov     ecx, 16
        repe cmpsb
        check_if b
        check_eq rcx, 5
        check_eq rsi, "offset text + 11"
        lea     rdi, [text]
        mov     al, 'd'
        mov     rcx, -1
        repne scasb
        check_if e
        check_eq rcx, -5
        lea     rdi, [text]
        mov     eax, 0x64636261
        mov     ecx, 4
        repe scasd
        check_if ne
        check_eq ecx, 2
        # 32-bit addressing wraps ESI, EDI and ECX only.
        mov     rsi, 0x500000000 + SCRATCH
        mov     rdi, 0x600000000 + SCRATCH + 0x40
        mov     rcx, 0x700000004
        addr32 rep movsb
        check_eq rcx, 0
        check_eq esi, SCRATCH + 4
        done
text:   .ascii "abcdefghijklmnop"
almost: .ascii "abcdefghijzlmnop"
