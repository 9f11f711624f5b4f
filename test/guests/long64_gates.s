# Interrupt gates clear IF, trap gates keep it, both clear TF and NT; INT n returns behind itself; IST; a gate of ring 0
# refuses INT from ring 3; a gate that is not present gives #NP; stack alignment on delivery; gates of the 80286 and task gates are refused.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no INT n in protected mode
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  install_idt
        load_tss
        mov     word ptr [idt_pointer64], 0x3ff # vectors up to 3fh
        lidt    [idt_pointer64]
        set_gate 0x30, flags_to_rbx, 0x8e
        set_gate 0x31, flags_to_rbx, 0x8f
        set_gate 0x32, flags_to_rbx, 0x8e, 1
        set_gate 0x33, flags_to_rbx, 0x0e       # not present
        mov     al, 0xff                        # both PICs masked: IF may be set
        out     0x21, al
        out     0xa1, al
        sti
        set_flags (IF | CF | NT)
        int     0x30
        check_eq ebx, (CF | 2)
        set_flags (IF | CF)
        int     0x31
        check_eq ebx, (IF | CF | 2)
        pushfq
        pop     rax
        test    eax, IF
        check_if nz
        cli
        # 16-byte alignment of the frame.
        lea     rsp, [rsp - 4]
        int     0x30
        check_eq rcx, (0x7bf0 - 40)
        lea     rsp, [rsp + 4]
        int     0x32
        check_eq rcx, (STACK_IST - 40)
        check_eq rsp, 0x7c00
        catch   1f
2:      int     0x33
        fail
1:      check_caught 11, (0x33 * 8 + 2), 2b
        catch   1f
2:      int     0x55                            # beyond the limit
        fail
1:      check_caught 13, (0x55 * 8 + 2), 2b
        # Gates of the 80286 and task gates are no gates in long mode.
        .irp type, 0x84, 0x85, 0x86, 0x87
        set_gate 0x34, flags_to_rbx, \type
        catch   7101f
7102:   int     0x34
        fail
7101:   check_caught 13, (0x34 * 8 + 2), 7102b
        mov     dword ptr [GDT + 0x50], (CODE64 << 16) | 0x8000
        mov     dword ptr [GDT + 0x54], \type << 8
        mov     qword ptr [GDT + 0x58], 0
        mov     dword ptr [SCRATCH + 4], 0x50
        catch   7101f
7102:   call    fword ptr [SCRATCH]
        fail
7101:   check_caught 13, 0x50, 7102b
        .endr
        # From ring 3.
        catch0  1f
        enter_ring3 3f
3:      int     0x30
        nop
1:      check_caught 13, (0x30 * 8 + 2), 3b
        # Nested exceptions on IST reuse the same stack; on the ring-0 stack they stack up.
        set_gate 0x31, nested_int, 0xee
        catch0  1f
        enter_ring3 4f
4:      int     0x31
        ud2
1:      check_eq "dword ptr [caught_vector]", 6
        check_eq rdx, (STACK_RING0 - 40 - 8 - 40)
        done
flags_to_rbx:
        mov     rcx, rsp
        pushfq
        pop     rbx
        and     ebx, (IF | CF | TF | NT | 2)
        iretq
nested_int:
        push    rax
        int     0x30
        mov     rdx, rcx
        pop     rax
        iretq
