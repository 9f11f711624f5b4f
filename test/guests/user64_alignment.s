# Alignment checking (CR0.AM, EFLAGS.AC, ring 3): #AC(0) for operands of 2, 4, 8, 10 and 16 bytes, pushes and string elements,
# with the TLB warm or cold; 32-byte operands need 16; none for bytes, for aligned operands, or with AC clear; an operand that must
# be aligned is #GP as ever; #AC comes before the page fault.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro misaligned insn:vararg
        catch   7774f
7773:   \insn
        fail
7774:   check_caught 17, 0, 7773b
.endm
.globl start
start:  mov     rax, cr0
        bts     eax, 18
        mov     cr0, rax
        begin_user
        mov     ebx, SCRATCH
        fninit
        push    AC | 2
        popfq
        mov     [rbx], rax                      # warm
        mov     rax, [rbx + 8]
        misaligned mov [rbx + 1], ax
        misaligned mov ax, [rbx + 3]
        misaligned mov [rbx + 2], eax
        misaligned add [rbx + 1], eax
        misaligned mov rax, [rbx + 4]
        misaligned xchg [rbx + 4], rax
        misaligned fld qword ptr [rbx + 4]
        misaligned fld tbyte ptr [rbx + 4]
        misaligned movups xmm0, [rbx + 8]
        misaligned movdqu [rbx + 1], xmm0
        misaligned movsd xmm0, [rbx + 4]
        mov     esi, SCRATCH + 1
        mov     edi, SCRATCH + 0x40
        misaligned movsd
        check_eq esi, SCRATCH + 1
        mov     ecx, 3
        misaligned rep movsw
        check_eq ecx, 3
        lea     rsp, [rsp - 4]
        misaligned push rax
        misaligned pop rax
        lea     rsp, [rsp + 4]
        mov     al, [rbx + 1]
        mov     ax, [rbx + 2]
        mov     eax, [rbx + 4]
        mov     rax, [rbx + 8]
        movups  xmm0, [rbx + 16]
        fld     tbyte ptr [rbx + 8]
        fstp    st(0)
        catch   1f
2:      movaps  xmm0, [rbx + 8]
        fail
1:      check_caught 13, 0, 2b
        mov     esi, 0x80000001                 # not RAM, but mapped
        mov     rdi, 0x7fffffffe001             # not mapped
        misaligned mov eax, [rdi]
        mov     edi, SCRATCH + 0x1ffe           # across pages
        misaligned mov eax, [rdi]
        push    2
        popfq
        mov     eax, [rbx + 1]
        mov     rax, [rbx + 4]
        movups  xmm0, [rbx + 1]
        done
