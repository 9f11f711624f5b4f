# Stores across a page's end, many times: neighbours in RAM, frames that are apart, a page that changes its frame, its
# rights or its being code between two of them. Each store does all or nothing, and the dirty bits of both pages tell.
#! start:  long64
#! kvm-differs: one whose ring 0 is emulated in software stores the bytes before a page fault
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.set FIRST, 0x210000
.set SECOND, 0x211000           # holds code at first: `routine`
.set ELSEWHERE, 0x218000
.set AT, SECOND - 3             # of a qword: 3 bytes before the page's end, 5 behind

# RAX + 1 .. RAX + times, stored one after the other; the last one stays in RAX. Spoils ECX.
.macro store_often times
        mov     ecx, \times
7777:   inc     rax
        mov     [AT], rax
        dec     ecx
        jnz     7777b
.endm

# Qword in the frames: bytes 0..2 at the end of frame `low`, bytes 3..7 at the start of frame `high`. Spoils RDX.
.macro check_frames low:req, high:req, want:req
        mov     rdx, \want
        check_eq "dx", "word ptr [\low + 0xffd]"
        shr     rdx, 16
        check_eq "dl", "byte ptr [\low + 0xfff]"
        shr     rdx, 8
        check_eq "edx", "dword ptr [\high]"
        shr     rdx, 32
        check_eq "dl", "byte ptr [\high + 4]"
.endm

.globl start
start:  install_idt
        small_pages
        # mov eax, imm32 with its immediate across the page's end; ret
        mov     byte ptr [SECOND - 2], 0xb8
        mov     dword ptr [SECOND - 1], 0
        mov     byte ptr [SECOND + 3], 0xc3
        mov     ebx, SECOND - 2
        # Code on both pages, rewritten by stores across the end.
        mov     esi, 100
1:      mov     [SECOND - 1], esi
        call    rbx
        check_eq eax, esi
        dec     esi
        jnz     1b
        # Code on the second page only, behind what is stored.
        mov     byte ptr [SECOND + 0x80], 0xb8
        mov     dword ptr [SECOND + 0x81], 0x1234
        mov     byte ptr [SECOND + 0x85], 0xc3
        mov     ebp, SECOND + 0x80
        mov     rax, 0x0102030405060708
        mov     esi, 50
2:      mov     rdi, rax
        call    rbp
        check_eq eax, 0x1234
        mov     rax, rdi
        store_often 3
        check_frames FIRST, SECOND, rax
        dec     esi
        jnz     2b
        # Neighbours without code; wider stores; pushes.
        map     FIRST, (FIRST + 0x10000) | P | W
        map     SECOND, (SECOND + 0x10000) | P | W
        mov     rax, 0x1112131415161718
        store_often 300
        check_frames (FIRST + 0x10000), (SECOND + 0x10000), rax
        check_pte FIRST, D, D
        check_pte SECOND, D, D
        mov     rax, 0x2122232425262728
        mov     rdi, rsp
        mov     esi, 100
3:      lea     rsp, [AT + 16]
        inc     rax
        push    rax
        push    rax
        dec     esi
        jnz     3b
        mov     rsp, rdi
        check_frames (FIRST + 0x10000), (SECOND + 0x10000), rax
        # The second page moves to another frame, which is no neighbour: the old one keeps what it has.
        mov     rdi, rax
        map     SECOND, ELSEWHERE | P | W
        store_often 300
        check_frames (FIRST + 0x10000), ELSEWHERE, rax
        check_eq "byte ptr [SECOND + 0x10004]", 0x21
        check_pte SECOND, D, D
        # Back to being neighbours, the other way round: the second page's frame comes before the first's.
        map     FIRST, (ELSEWHERE + 0x1000) | P | W
        store_often 300
        check_frames (ELSEWHERE + 0x1000), ELSEWHERE, rax
        map     FIRST, (ELSEWHERE - 0x1000) | P | W
        store_often 300
        check_frames (ELSEWHERE - 0x1000), ELSEWHERE, rax
        # Read-only or absent from one store to the next: nothing is stored, on either page.
        mov     rdi, rax
        mov     rax, cr0
        or      eax, 0x10000    # WP
        mov     cr0, rax
        mov     rax, rdi
        map     SECOND, ELSEWHERE | P
        catch   4f
        store_often 5
        fail
4:      check_caught 14, 3
        check_eq "qword ptr [caught_cr2]", SECOND
        check_frames (ELSEWHERE - 0x1000), ELSEWHERE, rdi
        map     SECOND, ELSEWHERE | P | W
        mov     rax, rdi
        store_often 5
        map     FIRST, 0
        mov     rdi, rax
        catch   5f
        store_often 5
        fail
5:      check_caught 14, 2
        check_eq "qword ptr [caught_cr2]", AT
        check_frames (ELSEWHERE - 0x1000), ELSEWHERE, rdi
        # A dirty bit that is taken back is set again by the next store.
        map     FIRST, (ELSEWHERE - 0x1000) | P | W
        map     SECOND, ELSEWHERE | P | W
        mov     rax, rdi
        store_often 2
        map     SECOND, ELSEWHERE | P | W
        check_pte SECOND, D, 0
        store_often 2
        mov     rdi, rax
        check_pte SECOND, D, D
        mov     rax, rdi
        check_frames (ELSEWHERE - 0x1000), ELSEWHERE, rax
        # Memory operands that are read and written, and a locked one.
        mov     esi, 100
6:      add     qword ptr [AT], 1
        inc     rax
        lock add qword ptr [AT], 1
        inc     rax
        dec     esi
        jnz     6b
        check_frames (ELSEWHERE - 0x1000), ELSEWHERE, rax
        done
