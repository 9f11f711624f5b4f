# What ring 3 may not do: #GP(0) for privileged instructions, for ports without permission, for INT to a gate of ring 0;
# POPF and STI leave IF alone or fault by IOPL.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro forbidden insn:vararg
        catch   7774f
7775:   \insn
        fail
7774:   check_caught 13, 0, 7775b
.endm
.globl start
start:  begin_user
        forbidden hlt
        forbidden cli
        forbidden sti
        forbidden mov rax, cr0
        forbidden mov cr3, rax
        forbidden mov rax, dr7
        forbidden lidt [rsp]
        forbidden lgdt [rsp]
        forbidden ltr ax
        forbidden lldt ax
        forbidden lmsw ax
        forbidden clts
        forbidden invlpg [rsp]
        forbidden invd
        forbidden wbinvd
        forbidden rdmsr
        forbidden wrmsr
        forbidden swapgs
        forbidden sysretq
        forbidden in al, 0x60
        forbidden out 0x60, al
        mov     edx, 0x300
        forbidden in eax, dx
        forbidden outsb
        xor     ecx, ecx
        set_flags CF
        pushfq
        pop     rax
        or      eax, IF | IOPL3
        push    rax
        popfq                                   # silently keeps IF and IOPL
        pushfq
        pop     rax
        and     eax, IOPL3
        check_eq eax, 0
        mov     eax, cs
        and     eax, 3
        check_eq eax, 3
        catch   1f
2:      mov     ds, eax                         # CS of ring 3 is readable code: fine
        mov     ax, CODE64
        mov     ds, ax                          # ring 0 segment
        fail
1:      check_eq "dword ptr [caught_vector]", 13
        check_eq "dword ptr [caught_error]", CODE64
        done
