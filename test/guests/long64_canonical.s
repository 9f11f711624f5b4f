# Addresses that are not canonical, wherever the system takes one: descriptor-table bases, LDT and TSS descriptors, bases of segments,
# gates, stacks of the TSS, far returns and IRETQ, SYSEXIT, INVPCID are #GP or #SS before anything changed; INVLPG ignores them, and
# an IRETQ may load such an RSP, whose first use is #SS. The last canonical address is good everywhere.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software lacks INT n, call gates and most of these checks
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set HIGH, 0xffff800000000000           # the lowest of the upper half
.macro faults vector:req, error:req, insn:vararg
        catch   7774f
7773:   \insn
        fail
7774:   check_caught \vector, \error, 7773b
.endm
.macro pointer64 base:req               # limit and base at [RBX] for LGDT and LIDT
        mov     rax, \base
        mov     [rbx + 2], rax
.endm
.globl start
start:  install_idt
        load_tss
        mov     word ptr [idt_pointer64], 0x3ff
        lidt    [idt_pointer64]
        mov     ebx, SCRATCH
        # The descriptor tables: #GP(0), and the register keeps what it had.
        mov     word ptr [rbx], 0xff
        pointer64 0x800000000000
        faults  13, 0, lgdt [rbx]
        faults  13, 0, lidt [rbx]
        pointer64 0xffff7fffffffffff
        faults  13, 0, lgdt [rbx]
        faults  13, 0, lidt [rbx]
        sgdt    [rbx + 16]
        check_eq "qword ptr [rbx + 18]", GDT
        sidt    [rbx + 16]
        check_eq "qword ptr [rbx + 18]", IDT
        pointer64 0x7fffffffffff
        lidt    [rbx]                           # canonical, if of no use
        sidt    [rbx + 16]
        mov     rax, [rbx + 18]
        lidt    [idt_pointer64]
        mov     rcx, 0x7fffffffffff
        check_eq rax, rcx
        # LDT and TSS descriptors of 16 bytes: #GP(selector).
        mov     dword ptr [GDT + 0x50], 0xffff
        mov     dword ptr [GDT + 0x54], 0x8200
        mov     dword ptr [GDT + 0x58], 0x8000
        mov     dword ptr [GDT + 0x5c], 0
        mov     eax, 0x50
        faults  13, 0x50, lldt ax
        sldt    ecx
        check_eq ecx, 0
        mov     dword ptr [GDT + 0x54], 0x8900
        faults  13, 0x50, ltr ax
        str     ecx
        check_eq ecx, 0xf0
        check_eq "dword ptr [GDT + 0x54]", 0x8900 # and not busy
        mov     dword ptr [GDT + 0x54], 0x8200
        mov     dword ptr [GDT + 0x58], 0xffff8000
        lldt    ax                              # the lowest of the upper half
        xor     eax, eax
        lldt    ax
        # Segment bases by MSR; each keeps its old value.
        .irp msr, 0xc0000100, 0xc0000101, 0xc0000102, 0xc0000082, 0xc0000083, 0x175, 0x176
        mov     ecx, \msr
        mov     eax, 0x1234
        xor     edx, edx
        wrmsr
        xor     eax, eax
        mov     edx, 0x8000
        faults  13, 0, wrmsr
        rdmsr
        check_eq eax, 0x1234
        check_eq edx, 0
        mov     eax, -1
        mov     edx, 0x7fff
        wrmsr
        xor     eax, eax
        xor     edx, edx
        wrmsr
        .endr
        # Far transfers: RIP.
        mov     rax, 0x800000000000
        mov     [rbx], rax
        mov     word ptr [rbx + 8], CODE64
        faults  13, 0, .byte 0x48, 0xff, 0x2b   # jmp far [rbx], 64-bit offset
        faults  13, 0, .byte 0x48, 0xff, 0x1b   # call far [rbx]
        check_eq rsp, STACK_TOP
        push    CODE64
        push    rax
        faults  13, 0, retfq
        check_eq rsp, (STACK_TOP - 16)
        lea     rsp, [rsp + 16]
        push    DATA
        push    STACK_TOP
        push    2
        push    CODE64
        push    rax
        faults  13, 0, iretq
        check_eq rsp, (STACK_TOP - 40)
        lea     rsp, [rsp + 40]
        # IRETQ may load an RSP that is not canonical; what uses it is #SS(0).
        mov     rcx, rsp
        push    DATA
        push    rax
        push    2
        push    CODE64
        push    offset 1f
        iretq
1:      mov     rdx, rsp
        mov     rsp, rcx
        check_eq rdx, rax
        # Gates: the handler's address is #GP(EXT), a call gate's #GP(0).
        set_gate 0x30, stub0, 0x8e
        mov     dword ptr [IDT + 0x30 * 16 + 8], 0x8000
        faults  13, 0, int 0x30
        set_gate 7, stub0, 0x8e
        mov     dword ptr [IDT + 7 * 16 + 8], 0x8000
        mov     rax, cr0
        or      eax, 8
        mov     cr0, rax                        # CR0.TS: x87 instructions are #NM
        faults  13, 1, fnop
        clts
        mov     dword ptr [GDT + 0x50], CODE64 << 16
        mov     dword ptr [GDT + 0x54], 0x8c00
        mov     dword ptr [GDT + 0x58], 0x8000
        mov     dword ptr [GDT + 0x5c], 0
        mov     dword ptr [rbx + 4], 0x50
        faults  13, 0, call fword ptr [rbx]
        check_eq rsp, STACK_TOP
        # Stacks of the TSS: #SS(EXT), on a stack of its own.
        set_gate 12, "stub0 + 12 * 16", 0x8e, 1
        set_gate 0x30, stub0, 0xee
        mov     rax, 0x800000000000
        mov     [TSS + 4], rax                  # RSP0
        catch0  1f
        enter_ring3 2f
2:      int     0x30
        nop
1:      check_caught 12, 0, 2b
        catch0  1f
        enter_ring3 2f
2:      ud2
        nop
1:      check_caught 12, 1, 2b
        # A call gate that leads inward: #SS(0).
        mov     dword ptr [GDT + 0x50], (CODE64 << 16) | 0x8000
        mov     dword ptr [GDT + 0x54], 0xec00
        mov     dword ptr [GDT + 0x58], 0
        catch0  1f
        enter_ring3 2f
2:      call    fword ptr [rbx]
        nop
1:      check_caught 12, 0, 2b
        mov     qword ptr [TSS + 4], STACK_RING0
        mov     rax, 0xffff7ffffffffff8
        mov     [TSS + 0x2c], rax               # IST2
        set_gate 0x31, stub0, 0x8e, 2
        faults  12, 0, int 0x31
        check_eq rsp, STACK_TOP
        # SYSEXIT: RDX for RIP, RCX for RSP. AMD's processors do not have it in long mode.
        xor     eax, eax
        cpuid
        cmp     ebx, 0x756e6547                 # "Genu"
        jne     3f
        mov     ecx, 0x174
        mov     eax, 0x28
        xor     edx, edx
        wrmsr
        mov     rdx, 0x800000000000
        mov     ecx, STACK_TOP
        faults  13, 0, sysexitq
        mov     rcx, rdx
        mov     edx, STACK_TOP
        faults  13, 0, sysexitq
3:      # INVLPG does nothing, INVPCID of one address is #GP(0).
        mov     rax, 0x800000000000
        invlpg  [rax]
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        bt      ebx, 10
        mov     ebx, SCRATCH
        jnc     1f
        mov     qword ptr [rbx], 0
        mov     rax, 0x800000000000
        mov     [rbx + 8], rax
        xor     eax, eax
        faults  13, 0, invpcid rax, [rbx]
1:      # FS and GS bases by instruction, where there are such.
        mov     eax, 7
        xor     ecx, ecx
        cpuid
        bt      ebx, 0
        jnc     1f
        mov     rax, cr4
        bts     rax, 16
        mov     cr4, rax
        mov     rdx, 0xffff7fffffffffff
        faults  13, 0, wrfsbase rdx
        faults  13, 0, wrgsbase rdx
        mov     rdx, HIGH
        wrfsbase rdx
        rdfsbase rcx
        check_eq rcx, rdx
        mov     ecx, 0xffffffff
        wrfsbase ecx                            # 32 bits are always canonical
        # A base and an offset that are, whose sum is not.
        mov     rdx, 0x7fffffffff00
        wrfsbase rdx
        mov     eax, 0x100
        faults  13, 0, mov cl, fs:[rax]
1:      done
