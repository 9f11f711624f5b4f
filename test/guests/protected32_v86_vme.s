# V8086 mode with CR4.VME and IOPL below 3: CLI, STI, PUSHF, POPF and IRET work on VIF; INT n goes through the redirection map,
# to the task's own vector table or to the IDT as #GP; what enables with VIP set, and
# 32-bit forms, are #GP(0), and so is the first instruction of a task that has VIF and VIP; PVI is the same for ring 3.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no V8086 mode
.include "guest.inc"
.code32
.include "catch32.inc"
.set VIF, 1 << 19
.set VIP, 1 << 20
.set VM, 1 << 17
.set TSS_V86, 0x110000
# Run the 16-bit code at `label` in V8086 mode until it faults, which comes back here.
.macro v86 label:req, flags=0
        catch0  7776f
        push    0                               # GS, FS, DS, ES
        push    0
        push    0
        push    0
        push    0                               # SS
        push    0x7000
        push    VM | 2 | (\flags)
        push    0
        push    offset \label
        iretd
7776:
.endm
.macro check_v86_flag bit:req, want:req
        mov     eax, [caught_rflags]
        and     eax, \bit
        check_eq eax, \want
.endm
.globl start
start:  need_vme:
        mov     eax, 1
        cpuid
        bt      edx, 1
        jc      1f
        skip
1:      install_idt
        descriptor 0xf0, TSS, 0x1ff, 0x089
        mov     dword ptr [TSS + 4], STACK_RING0
        mov     dword ptr [TSS + 8], DATA
        mov     word ptr [TSS + 0x66], 0x88     # 32 bytes of redirection map at 68h
        mov     dword ptr [TSS + 0x68], 0
        mov     dword ptr [TSS + 0x6c], 2       # INT 21h through the IDT
        mov     eax, 0xf0
        ltr     ax
        mov     eax, cr4
        or      eax, 1
        mov     cr4, eax
        mov     word ptr [0x20 * 4], offset vector20
        mov     word ptr [0x20 * 4 + 2], 0
        v86     sti16
        check_caught 13, 0, at_hlt1
        check_v86_flag VIF, VIF
        check_v86_flag IF, 0
        check_eq "word ptr [0x6ffe]", (IF | 0x3002)
        v86     cli16, VIF
        check_caught 13, 0, at_hlt2
        check_v86_flag VIF, 0
        check_eq "word ptr [0x6ffe]", 0x3002
        v86     popf16
        check_caught 13, 0, at_hlt3
        check_v86_flag VIF, VIF
        check_v86_flag (IF | 0x3000), 0
        v86     popf_tf16
        check_caught 13, 0, at_popf_tf
        v86     sti16, VIP
        check_caught 13, 0, sti16
        # VIP set: POPF and IRET that would enable are refused and change nothing; others are not.
        v86     popf16, VIP
        check_caught 13, 0, popf16_itself
        check_v86_flag VIF, 0
        mov     eax, [caught_rsp]
        check_eq "dword ptr [eax]", 0x6ffe
        v86     popf_off16, VIP
        check_caught 13, 0, at_hlt5
        v86     iret16, VIP
        check_caught 13, 0, iret16_itself
        check_v86_flag VIF, 0
        mov     eax, [caught_rsp]
        check_eq "dword ptr [eax]", 0x6ffa
        v86     iret_tf16
        check_caught 13, 0, iret_tf16_itself
        v86     iret16
        check_caught 13, 0, at_hlt6
        check_v86_flag VIF, VIF
        # Both set on the way in: #GP(0) before the first instruction, unless IOPL is 3.
        v86     cli16, VIF | VIP
        check_caught 13, 0, cli16
        check_v86_flag (VIF | VIP), (VIF | VIP)
        v86     nop16, VIF | VIP | 0x3000
        check_caught 13, 0, at_hlt7
        v86     int20, VIF
        check_caught 13, 0, at_hlt4
        check_v86_flag VIF, VIF                 # IRET got it back
        check_eq "word ptr [0x6f80]", 0x3002    # VIF was clear in the handler
        check_eq "word ptr [0x6ffe]", (IF | 0x3002)
        v86     int21
        check_caught 13, 0, int21
        v86     pushfd16
        check_caught 13, 0, pushfd16
        v86     iretd16
        check_caught 13, 0, iretd16
        # IOPL 3: the real flags.
        v86     cli16, 0x3000 | IF
        check_caught 13, 0, at_hlt2
        check_v86_flag IF, 0
        # CR4.PVI does the same for ring 3 outside V8086 mode.
        mov     eax, cr4
        or      eax, 2
        mov     cr4, eax
        catch0  1f
        mov     eax, esp
        push    USERDATA
        push    eax
        push    VIF | VIP | 2
        push    USER32
        push    offset 2f
        iretd
2:      cli
        nop
1:      check_caught 13, 0, 2b
        check_v86_flag (VIF | VIP), (VIF | VIP)
        mov     eax, cr4
        and     eax, ~2
        mov     cr4, eax
        # A task switch brings both in too.
        descriptor 0xe0, TSS_V86, 0x67, 0x089
        mov     dword ptr [TSS_V86 + 4], STACK_RING0
        mov     dword ptr [TSS_V86 + 8], DATA
        mov     dword ptr [TSS_V86 + 0x20], offset cli16
        mov     dword ptr [TSS_V86 + 0x24], VM | VIF | VIP | 2
        mov     dword ptr [TSS_V86 + 0x38], 0x7000
        catch0  1f
        jmp     0xe0:0
1:      check_caught 13, 0, cli16
        check_v86_flag (VM | VIF | VIP), (VM | VIF | VIP)
        descriptor 0xf0, TSS, 0x1ff, 0x089      # the first task again
        mov     eax, 0xf0
        ltr     ax
        # Without VME neither means anything.
        mov     eax, cr4
        and     eax, ~1
        mov     cr4, eax
        v86     nop16, VIF | VIP
        check_caught 13, 0, at_hlt7
        # The others are #GP(0) below IOPL 3 then.
        v86     sti16
        check_caught 13, 0, sti16
        v86     popf16
        check_caught 13, 0, popf16_itself
        v86     pushf16
        check_caught 13, 0, pushf16
        v86     int20
        check_caught 13, 0, int20
        done

.code16
sti16:  sti
pushf16: pushf
at_hlt1: hlt
cli16:  cli
        pushf
at_hlt2: hlt
popf16: push    IF | 0x3002
popf16_itself: popf
at_hlt3: hlt
popf_tf16: push TF | 2
at_popf_tf: popf
        hlt
popf_off16: push 0x3002
        popf
at_hlt5: hlt
iret16: push    IF | 0x3002
        push    0
        push    offset at_hlt6
iret16_itself: iret
at_hlt6: hlt
iret_tf16: push TF | 2
        push    0
        push    offset at_hlt6
iret_tf16_itself: iret
nop16:  nop
at_hlt7: hlt
int20:  int     0x20
at_hlt4: hlt
int21:  int     0x21
        hlt
pushfd16: pushfd
        hlt
iretd16: iretd
        hlt
vector20: pushf
        pop     ax
        mov     ds:[0x6f80], ax
        iret
.code32
