# REP MOVS and REP STOS in every size: short runs inside a page, runs that end at a page's end and cross it, none at all,
# overlap, downwards, faults in the middle with the registers at the faulting element, read-only and absent pages, onto code.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.include "pages.inc"
.set FROM, 0x200000
.set TO, 0x203000
.globl start

# Registers after a string instruction.
.macro check_run si:req, di:req, cx:req
        check_eq rsi, \si
        check_eq rdi, \di
        check_eq rcx, \cx
.endm
.macro run op:req, si:req, di:req, cx:req
        mov     esi, \si
        mov     edi, \di
        mov     ecx, \cx
        rep \op
.endm

start:  small_pages
        map     0x202000, 0                     # behind FROM's second page
        map     0x205000, (0x205000 | P | U)    # behind TO's second page: read only
        map     0x210000, (0x203000 | P | W | U) # a second name for TO
        map     0x241000, (0x242000 | P | W | U) # a source whose second and third page are exchanged
        map     0x242000, (0x241000 | P | W | U)
        mov     dword ptr [0x240ffc], 0x3a
        mov     dword ptr [0x241000], 0x3c
        mov     dword ptr [0x242000], 0x3b
        mov     dword ptr [0x243000], 0x3d
        begin_user
        # FROM: 0, 1, 2, ... of 8192 bytes.
        mov     edi, FROM
        xor     eax, eax
1:      mov     [rdi], al
        mov     [rdi + 0x3000], ah
        inc     eax
        inc     edi
        cmp     eax, 8192
        jb      1b

        # Twice each: the first run meets cold entries, the second warm ones.
        mov     ebp, 2
2:      run     movsb, (FROM+3), (TO+5), 7
        check_run (FROM+10), (TO+12), 0
        mov     rax, 0x09080706050403
        mov     rbx, [TO + 4]
        shr     rbx, 8
        check_eq rbx, rax
        run     movsw, (FROM+2), (TO+0x20), 3
        check_run (FROM+8), (TO+0x26), 0
        check_eq "dword ptr [TO + 0x20]", 0x05040302
        run     movsd, (FROM+1), (TO+0x30), 2
        check_run (FROM+9), (TO+0x38), 0
        check_eq "dword ptr [TO + 0x34]", 0x08070605
        run     movsq, (FROM+8), (TO+0x40), 3
        check_run (FROM+32), (TO+0x58), 0
        mov     rax, 0x1f1e1d1c1b1a1918
        check_eq "qword ptr [TO + 0x50]", rax
        # A whole page, and the last bytes of one.
        run     movsq, FROM, TO, 512
        check_run (FROM+4096), (TO+4096), 0
        mov     rax, 0xfffefdfcfbfaf9f8
        check_eq "qword ptr [TO + 4088]", rax
        run     movsb, (FROM+4093), (TO+4093), 3
        check_run (FROM+4096), (TO+4096), 0
        # Over the end of the source's page, and of the target's.
        run     movsb, (FROM+4090), (TO+100), 20
        check_run (FROM+4110), (TO+120), 0
        check_eq "dword ptr [TO + 104]", 0x0100fffe
        run     movsd, (FROM+17), (TO+4090), 9
        check_run (FROM+53), (TO+4126), 0
        check_eq "dword ptr [TO + 4094]", 0x18171615
        # None.
        mov     rsi, 0x800000000000             # not canonical, and never looked at
        mov     rdi, rsi
        xor     ecx, ecx
        rep movsb
        rep stosq
        check_eq rsi, rdi
        # Flags survive; the direction flag counts.
        xor     eax, eax
        stc
        run     movsb, FROM, TO, 8
        check_flags CF|ZF|PF|SF|OF, CF|ZF|PF
        std
        run     movsb, (FROM+7), (TO+7), 8
        check_run (FROM-1), (TO-1), 0
        mov     eax, 0x55
        run     stosb, FROM, (TO+0x90), 4
        cld
        check_eq rdi, (TO+0x8c)
        check_eq "dword ptr [TO + 0x8d]", 0x55555555
        # Overlap upwards repeats the pattern; through the second name as well.
        mov     word ptr [TO + 0x100], 0xbbaa
        run     movsb, (TO+0x100), (TO+0x102), 6
        mov     rax, 0xbbaabbaabbaabbaa
        check_eq "qword ptr [TO + 0x100]", rax
        mov     word ptr [TO + 0x100], 0xddcc
        run     movsb, 0x210100, (TO+0x102), 6
        mov     rax, 0xddccddccddccddcc
        check_eq "qword ptr [TO + 0x100]", rax
        mov     dword ptr [TO + 0x110], 0x11223344
        mov     dword ptr [TO + 0x114], 0
        run     movsd, (TO+0x110), (TO+0x112), 1
        check_eq "dword ptr [TO + 0x112]", 0x11223344
        # STOS.
        mov     rax, 0x0123456789abcdef
        run     stosb, 0, (TO+0x201), 3
        check_run 0, (TO+0x204), 0
        check_eq "byte ptr [TO + 0x203]", 0xef
        run     stosw, 0, (TO+0x210), 3
        check_run 0, (TO+0x216), 0
        check_eq "word ptr [TO + 0x214]", 0xcdef
        run     stosd, 0, (TO+0x220), 3
        check_run 0, (TO+0x22c), 0
        check_eq "dword ptr [TO + 0x228]", 0x89abcdef
        run     stosq, 0, (TO+0x230), 3
        check_run 0, (TO+0x248), 0
        check_eq "qword ptr [TO + 0x240]", rax
        run     stosq, 0, TO, 512
        check_run 0, (TO+4096), 0
        check_eq "qword ptr [TO + 4088]", rax
        check_eq rax, "qword ptr [TO]"
        dec     ebp
        jnz     2b

        # Long runs over pages that are neighbours in memory, and over some that are not, in every size; again once warm.
        mov     ebp, 2
9:      mov     eax, 0x11
        run     stosb, 0, 0x220010, 0x5000
        check_run 0, 0x225010, 0
        mov     rax, 0x2222222222222222
        run     stosq, 0, 0x221008, 0x600
        check_run 0, 0x224008, 0
        run     movsb, 0x220000, 0x230003, 0x6000
        check_run 0x226000, 0x236003, 0
        check_eq "byte ptr [0x231002]", 0x11
        check_eq "byte ptr [0x23100b]", 0x22
        check_eq "byte ptr [0x23400a]", 0x22
        check_eq "byte ptr [0x23400b]", 0x11
        check_eq "byte ptr [0x235012]", 0x11
        check_eq "byte ptr [0x235013]", 0
        run     movsd, 0x240000, 0x250000, 0x1000
        check_run 0x244000, 0x254000, 0
        check_eq "dword ptr [0x250ffc]", 0x3a
        check_eq "dword ptr [0x251000]", 0x3c
        check_eq "dword ptr [0x252000]", 0x3b
        check_eq "dword ptr [0x253000]", 0x3d
        # REPNE SCASB and REPE CMPSB to where they must stop.
        mov     al, 0x22
        mov     edi, 0x220010
        mov     ecx, 0x5000
        repne scasb
        check_eq rdi, 0x221009
        mov     esi, 0x220000
        mov     edi, 0x230003
        mov     ecx, 0x6000
        mov     byte ptr [0x234000], 0x99
        repe cmpsb
        check_eq rdi, 0x234001
        check_eq rsi, 0x223ffe
        dec     ebp
        jnz     9b

        # A fault at the source's next page: what came before is done.
        catch   4f
        mov     esi, (FROM+8192-5)
        mov     edi, TO
        mov     ecx, 9
3:      rep movsb
        fail
4:      check_caught 14, 4, 3b
        check_run (FROM+8192), (TO+5), 4
        check_eq "qword ptr [caught_cr2]", (FROM+8192)
        # At the target's: read-only.
        catch   4f
        mov     esi, FROM
        mov     edi, (TO+8192-16)
        mov     ecx, 5
3:      rep movsq
        fail
4:      check_caught 14, 7, 3b
        check_run (FROM+16), (TO+8192), 3
        catch   4f
        mov     eax, 0x77
        mov     edi, (TO+8192-3)
        mov     ecx, 8
3:      rep stosb
        fail
4:      check_caught 14, 7, 3b
        check_eq rdi, (TO+8192)
        check_eq rcx, 5
        check_eq "byte ptr [TO + 8191]", 0x77
        # An element over the end: nothing of it is written.
        mov     dword ptr [TO + 8188], 0
        catch   4f
        mov     eax, 0x66666666
        mov     edi, (TO+8190)
        mov     ecx, 1
3:      rep stosd
        fail
4:      check_caught 14, 7, 3b
        check_eq rcx, 1
        check_eq "dword ptr [TO + 8188]", 0

        # Onto code: a function, and the very next instruction.
        mov     dword ptr [TO], 0x000001b8      # MOV EAX,1; RET
        mov     word ptr [TO + 4], 0xc300
        mov     edx, TO
        mov     ebp, 5
5:      call    rdx
        mov     [FROM], bp
        run     movsb, FROM, (TO+1), 1
        call    rdx
        check_eq eax, ebp
        mov     al, 0
        run     stosb, 0, (TO+1), 1
        call    rdx
        check_eq eax, 0
        dec     ebp
        jnz     5b
        mov     ecx, 7f - 6f
        lea     rdi, [6f]
        mov     al, 0x90
        rep stosb
6:      ud2
        int3
7:      # The instruction itself: it goes on as it began.
        lea     rdi, [8f]
        mov     ecx, 2
        mov     al, 0x90
8:      rep stosb
        check_eq rcx, 0
        done
