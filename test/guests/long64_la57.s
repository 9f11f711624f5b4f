# 5-level paging: entered from 4-level paging by way of protected mode, where alone CR4.LA57 may change; the wider canonical
# range, for data, RIP and FS base; a sixth page-table index; the same address with LA57 off is #GP.
#! start:  long64
#! expect: done
#! cpu:    host+la57
#! kvm-differs: a KVM whose ring 0 is emulated in software leaves long mode badly
.include "guest.inc"
.include "catch64.inc"
.set PML5, 0x90000
.set WIDE, 0x0023456789000000 & ~0x1fffff        # needs 57 bits

.globl start
start:  need_cpuid 7, 0, ecx, 16
        install_idt
        mov     eax, 0x80000008
        cpuid
        check_eq ah, 57
        mov     rbx, WIDE
        catch   1f
2:      mov     rcx, [rbx]
        fail
1:      check_caught 13, 0, 2b
        mov     rax, cr4
        mov     rcx, rax
        bts     rcx, 12
        catch   1f
2:      mov     cr4, rcx                        # not in long mode
        fail
1:      check_caught 13, 0, 2b
        # WRMSR takes addresses of the widest mode at any time.
        mov     ecx, 0xc0000100
        mov     edx, WIDE >> 32
        xor     eax, eax
        wrmsr
        xor     edx, edx
        wrmsr
        # So do LGDT, LIDT, LLDT, LTR and INVPCID; what is in none of its modes they refuse.
        sgdt    [SCRATCH]
        mov     rax, [SCRATCH + 2]
        mov     [SCRATCH + 0x12], rax
        mov     word ptr [SCRATCH + 0x10], 0xff
        mov     [SCRATCH + 2], rbx
        lidt    [SCRATCH]
        sidt    [SCRATCH + 0x20]
        check_eq "qword ptr [SCRATCH + 0x22]", rbx
        lgdt    [SCRATCH]
        lgdt    [SCRATCH + 0x10]
        lidt    [idt_pointer64]
        .irp    type, 0x8200, 0x8900
        mov     dword ptr [GDT + 0x60], 0x67
        mov     dword ptr [GDT + 0x64], \type
        mov     qword ptr [GDT + 0x68], WIDE >> 32
        mov     eax, 0x60
        .if     \type == 0x8200
        lldt    ax
        .else
        ltr     ax
        .endif
        .endr
        mov     dword ptr [GDT + 0x68], 0x01234567      # 58 bits
        mov     byte ptr [GDT + 0x65], 0x89
        catch   1f
2:      ltr     ax
        fail
1:      check_caught 13, 0x60, 2b
        mov     byte ptr [SCRATCH + 9], 1
        catch   1f
2:      lgdt    [SCRATCH]
        fail
1:      check_caught 13, 0, 2b
        mov     dword ptr [SCRATCH + 0x30], 0
        mov     dword ptr [SCRATCH + 0x34], 0
        mov     [SCRATCH + 0x38], rbx
        xor     eax, eax
        invpcid rax, [SCRATCH + 0x30]
        mov     byte ptr [SCRATCH + 0x3f], 1
        catch   1f
2:      invpcid rax, [SCRATCH + 0x30]
        fail
1:      check_caught 13, 0, 2b
        # PML5: entry 0 is the old tree; the entry of WIDE leads to a chain of its own, to the large page at 200000h.
        mov     qword ptr [PML5], PAGE_TABLES | 7
        mov     qword ptr [PML5 + (WIDE >> 48 & 0x1ff) * 8], 0x91000 | 7
        mov     qword ptr [0x91000 + (WIDE >> 39 & 0x1ff) * 8], 0x92000 | 7
        mov     qword ptr [0x92000 + (WIDE >> 30 & 0x1ff) * 8], 0x93000 | 7
        mov     qword ptr [0x93000 + (WIDE >> 21 & 0x1ff) * 8], 0x200000 | 0x87
        mov     dword ptr [0x200000], 0x12345678
        mov     dword ptr [0x200010], 0xc3c0ff90  # nop; inc eax; ret
        push    CODE32
        push    offset off
        retfq
.code32
off:    mov     eax, DATA
        mov     ds, eax
        mov     ss, eax
        mov     eax, cr0
        btr     eax, 31
        mov     cr0, eax
        mov     ecx, PML5
        mov     cr3, ecx
        mov     ecx, cr4
        bts     ecx, 12
        mov     cr4, ecx
        bts     eax, 31
        mov     cr0, eax
        jmp     CODE64:on
.code64
on:     mov     ecx, [rbx]
        check_eq ecx, 0x12345678
        xor     eax, eax
        lea     rdx, [rbx + 0x10]
        call    rdx
        check_eq eax, 1
        bts     rbx, 57                         # beyond 57 bits
        catch   1f
2:      mov     rcx, [rbx]
        fail
1:      check_caught 13, 0, 2b
        btr     rbx, 57
        mov     rdx, rbx
        bts     rdx, 57
        catch   1f
2:      jmp     rdx                             # faults at the branch
        fail
1:      check_caught 13, 0, 2b
        bts     rbx, 45                         # canonical, not mapped
        catch   1f
2:      mov     rcx, [rbx]
        fail
1:      check_caught 14, 0, 2b
        check_eq "qword ptr [caught_cr2]", rbx
        done
