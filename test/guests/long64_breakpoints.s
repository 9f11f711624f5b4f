# DR0..DR3: data breakpoints of all lengths and both kinds, by plain, pushing, page-crossing, read-modify-write and string
# instructions; instruction breakpoints are faults that RF holds off once; port breakpoints with CR4.DE; general detect; MOV SS
# holds a trap for one instruction; bits of DR6 and DR7; DR4 and DR5.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no breakpoints there
.include "guest.inc"
.include "catch64.inc"
.set WATCH, SCRATCH + 0x100

# DR7 for breakpoint 0: condition 0 execute, 1 write, 2 port, 3 access; length 0: 1, 1: 2, 2: 8, 3: 4.
.macro arm0 at:req, condition:req, length:req
        mov     rax, \at
        mov     dr0, rax
        mov     eax, 0x401 | (\condition) << 16 | (\length) << 18
        mov     dr7, rax
.endm
.macro disarm
        xor     eax, eax
        mov     dr7, rax
.endm
# The instruction traps: RIP behind it, these bits in DR6.
.macro traps bits:req, insn:vararg
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        catch   7774f
7773:   \insn
7775:   nop
        fail
7774:   check_caught 1, 0, 7775b
        mov     rdx, dr6
        check_eq edx, 0xffff0ff0 | (\bits)
.endm
.macro quiet insn:vararg
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        \insn
        mov     rdx, dr6
        check_eq edx, 0xffff0ff0
.endm

.globl start
start:  install_idt
        mov     ebx, WATCH
        # Writes of four bytes.
        arm0    WATCH, 1, 3
        traps   1, mov [rbx], eax
        traps   1, mov [rbx + 3], al
        traps   1, mov [rbx - 7], rax
        traps   1, inc dword ptr [rbx]
        traps   1, xchg [rbx], ecx
        traps   1, movups [rbx - 12], xmm0
        quiet   mov ecx, [rbx]
        quiet   mov [rbx + 4], rax
        quiet   mov [rbx - 8], rax
        quiet   mov [rbx + 0x1000], rax
        mov     rsp, WATCH + 8
        traps   1, push rax
        mov     rsp, WATCH + 4
        traps   1, push rax
        mov     esp, 0x7c00
        mov     edi, WATCH - 3
        traps   1, stosd
        mov     edi, WATCH - 3
        mov     esi, SCRATCH
        traps   1, movsd
        # REP: the trap comes with the iteration that hits (a processor may be late, but not by this much).
        mov     edi, WATCH - 16
        mov     ecx, 2000
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        catch   1f
2:      rep stosb
        fail
1:      check_caught 1, 0, 2b
        check_eq edi, "WATCH - 16 + 17"
        check_eq ecx, "2000 - 17"
        disarm
        rep stosb
        # Reads and writes of eight bytes; the low bits of the address do not count.
        arm0    "WATCH + 5", 3, 2
        traps   1, mov rcx, [rbx]
        traps   1, cmp byte ptr [rbx + 7], 0
        traps   1, mov [rbx + 4], cx
        traps   1, movdqu xmm1, [rbx - 9]
        quiet   mov rcx, [rbx + 8]
        quiet   mov rcx, [rbx - 8]
        # Across a page's end, from either side.
        arm0    "SCRATCH + 0x2000", 1, 0
        mov     esi, SCRATCH + 0x2000
        traps   1, mov [rsi - 2], eax
        quiet   mov [rsi - 2], ax
        # Two at once, and one that is not enabled.
        mov     rax, WATCH
        mov     dr0, rax
        mov     dr1, rax
        mov     dr2, rax
        mov     dr3, rax
        mov     eax, (0x400 | 1 | 8 | 0x80) | (1 << 16) | (3 << 20) | (3 << 24) | (1 << 28)
        mov     dr7, rax
        traps   0xb, mov [rbx], al
        traps   2, mov al, [rbx]
        disarm
        quiet   mov [rbx], al
        # A fault takes the trap along; MOV SS and POP SS hold it for one instruction.
        mov     ecx, DATA
        mov     [rbx], ecx
        arm0    WATCH, 3, 3
        catch   1f
        mov     ss, [rbx]
2:      nop
3:      nop
        fail
1:      check_caught 1, 0, 3b
        # Single step and a breakpoint are one trap.
        push    TF | 2
        catch   1f
        popfq
2:      mov     eax, [rbx]
3:      nop
        fail
1:      check_caught 1, 0, 3b
        mov     rdx, dr6
        and     edx, 0x4001
        check_eq edx, 0x4001

        # Instruction breakpoints.
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        arm0    "offset 2f", 0, 0
        catch   1f
        xor     ecx, ecx
2:      inc     ecx
        fail
1:      check_caught 1, 0, 2b
        check_eq ecx, 0                         # a fault: not executed
        mov     rdx, dr6
        check_eq edx, 0xffff0ff1
        mov     eax, [caught_rflags]            # and RF is the handler's business
        and     eax, RF
        check_eq eax, 0
        # RF in the image of IRET holds it off for one instruction, so a loop meets it every time but the first.
        set_gate 1, resume
        xor     ecx, ecx
        mov     r8d, 0
        arm0    "offset 2f", 0, 0
        jmp     2f
        .balign 64
2:      inc     ecx
        cmp     ecx, 10
        jb      2b
        check_eq r8d, 10
        # REP under RF goes on to its end.
        mov     edi, SCRATCH
        mov     ecx, 5000
        mov     r8d, 0
        arm0    "offset 2f", 0, 0
2:      rep stosb
        check_eq r8d, 1
        check_eq ecx, 0
        # Reached by an indirect jump from another page, and by falling into its page.
        mov     r8d, 0
        arm0    0x300010, 0, 0
        mov     dword ptr [0x300010], 0xc3909090
        mov     dword ptr [0x2ffffc], 0x90909090
        mov     dword ptr [0x300000], 0x90909090
        mov     dword ptr [0x300004], 0x90909090
        mov     dword ptr [0x300008], 0x90909090
        mov     dword ptr [0x30000c], 0x90909090
        mov     r9d, 0x300010
        mov     r10d, 0x2ffffc
        mov     r11d, 50
3:      call    r9
        call    r10
        dec     r11d
        jnz     3b
        check_eq r8d, 100
        disarm
        call    r9
        check_eq r8d, 100
        install_idt

        # Ports, with CR4.DE only.
        arm0    0x80, 2, 1
        quiet   in al, 0x81
        mov     rcx, cr4
        or      ecx, 8
        mov     cr4, rcx
        traps   1, in al, 0x81
        traps   1, out 0x80, al
        traps   1, in eax, 0x7e
        quiet   out 0x82, al
        catch   1f                              # DR4 and DR5 are gone with DE
2:      mov     rax, dr4
        fail
1:      check_caught 6, 0, 2b
        and     ecx, ~8
        mov     cr4, rcx
        disarm
        mov     rax, dr5
        check_eq eax, 0x400
        # General detect: a fault on the next access to a debug register, and off in the handler.
        mov     edx, 0xffff0ff0
        mov     dr6, rdx
        mov     eax, 0x2400
        mov     dr7, rax
        catch   1f
2:      mov     rax, dr0
        fail
1:      check_caught 1, 0, 2b
        mov     rdx, dr6
        check_eq edx, 0xffff2ff0
        mov     rax, dr7
        check_eq eax, 0x400
        # Fixed bits.
        mov     eax, 0xffffffff & ~0x2000
        mov     rcx, 0
        mov     dr0, rcx
        mov     eax, 0xdc00                     # nothing enabled
        mov     dr7, rax
        mov     rax, dr7
        check_eq eax, 0x400
        catch   1f
        mov     rax, 0x100000000
2:      mov     dr7, rax
        fail
1:      check_caught 13, 0, 2b
        catch   1f
2:      mov     dr6, rax
        fail
1:      check_caught 13, 0, 2b
        xor     eax, eax
        mov     dr6, rax
        mov     rax, dr6
        check_eq eax, 0xffff0ff0
        done

# #DB that sets RF in its frame.
resume: inc     r8d
        or      dword ptr [rsp + 16], RF
        iretq
