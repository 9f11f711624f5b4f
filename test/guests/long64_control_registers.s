# What MOV CR, LMSW, WRMSR refuse with #GP, and what reads back.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.macro refused insn:vararg
        catch   7774f
7775:   \insn
        fail
7774:   check_caught 13, 0, 7775b
.endm
.globl start
start:  install_idt
        mov     rbx, cr0
        mov     rax, rbx
        btr     rax, 0                          # PE off with PG on
        refused mov cr0, rax
        mov     rax, rbx
        bts     rax, 29                         # NW without CD
        refused mov cr0, rax
        mov     rax, rbx
        bts     rax, 32
        kvm_differs 1f                          # it ignores the upper half
        refused mov cr0, rax
1:        mov     rax, cr4
        mov     rcx, rax
        btr     rax, 5                          # PAE off in long mode
        refused mov cr4, rax
        mov     rax, rcx
        bts     rax, 31
        refused mov cr4, rax
        mov     rax, 0x8000000000000000
        refused mov cr3, rax
        mov     ecx, 0xc0000080
        rdmsr
        mov     esi, eax
        btr     eax, 8                          # LME off while paging
        refused wrmsr
        mov     eax, esi
        bts     eax, 1
        refused wrmsr
        mov     ecx, 0x12345678
        refused rdmsr
        mov     rax, cr0
        check_eq rax, rbx
        smsw    eax
        check_eq ax, bx
        mov     eax, 0
        lmsw    ax                              # cannot clear PE
        mov     rax, cr0
        bt      eax, 0
        check_if c
        mov     cr0, rbx
        mov     rax, 0x10
        refused mov cr8, rax
        mov     eax, 0x123
        mov     rcx, rax
        mov     cr2, rcx
        mov     rdx, cr2
        check_eq rdx, 0x123
        catch   1f
2:      .byte   0x0f, 0x20, 0xc8                # MOV EAX,CR1
        nop
        fail
1:      check_caught 6, 0, 2b
        sgdt    [cell]
        check_eq "qword ptr [cell + 2]", GDT
        sidt    [cell]
        check_eq "word ptr [cell]", 0xfff
        check_eq "qword ptr [cell + 2]", IDT
        kvm_differs 9f                          # it takes any PAT
        mov     ecx, 0x277                      # PAT: a reserved memory type
        mov     eax, 0x02020202
        mov     edx, 0x07040600
        refused wrmsr
9:      done
.balign 8
cell:   .quad   0, 0
