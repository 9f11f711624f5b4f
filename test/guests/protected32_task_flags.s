# The flags that a switch through a task gate saves in the old TSS: RF set for a fault, so that the instruction is not stopped at
# again by its breakpoint; as they were for INT n. And a TSS of the 80286 in TR keeps long mode from being entered.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no task switches
.include "guest.inc"
.code32
.include "catch32.inc"
.set TSS_A, 0x110000
.set TSS_B, 0x111000
.set SEL_A, 0x48
.set SEL_B, 0x50
.set SEL_286, 0x58
.globl start
start:  install_idt
        descriptor SEL_A, TSS_A, 0x67, 0x089
        descriptor SEL_B, TSS_B, 0x67, 0x089
        mov     eax, SEL_A
        ltr     ax
        mov     word ptr [idt_pointer32], 0x1ff
        lidt    [idt_pointer32]
        mov     dword ptr [TSS_B + 0x20], offset task_b
        mov     dword ptr [TSS_B + 0x24], 2
        mov     dword ptr [TSS_B + 0x38], STACK_RING0
        .irp    segment, 0x48, 0x50, 0x54
        mov     dword ptr [TSS_B + \segment], DATA
        .endr
        mov     dword ptr [TSS_B + 0x4c], CODE32
        .irp    vector, 6, 0x30
        mov     dword ptr [IDT + \vector * 8], SEL_B << 16
        mov     dword ptr [IDT + \vector * 8 + 4], 0xe500
        .endr
        mov     edx, 2
1:      ud2
        check_eq edi, 0x10
        xor     edx, edx
        int     0x30
        check_eq edi, 0

        descriptor SEL_286, TSS_A, 0x2b, 0x081
        mov     eax, SEL_286
        ltr     ax
        mov     eax, cr4
        or      eax, 0x20
        mov     cr4, eax
        mov     eax, PAGE_TABLES
        mov     cr3, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x100
        wrmsr
        mov     eax, cr0
        bts     eax, 31
        catch   1f
2:      mov     cr0, eax
        fail
1:      check_caught 13, 0, 2b
        mov     ecx, 0xc0000080
        rdmsr
        and     eax, 0x500                      # LME, but not LMA
        check_eq eax, 0x100
        done
# EDI of A: RF as it was saved, in bit 4. Goes back EDX bytes behind where it came from; the next switch begins behind IRET.
task_b: mov     eax, [TSS_A + 0x24]
        shr     eax, 12
        and     eax, 0x10
        mov     [TSS_A + 0x44], eax             # EDI
        mov     eax, [TSS_A + 0x30]             # EDX
        add     [TSS_A + 0x20], eax
        iretd
        jmp     task_b
