# What a return to an outer level leaves in the registers: null selectors become 0 whatever their RPL was, data segments of the inner
# level become null with the bases of FS and GS kept, conforming code and segments of the outer level stay; a 16-bit stack
# takes SP alone, from IRETQ and from RETFQ. (Linux's espfix exists because of the last.)
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software keeps descriptor tables of its own for ring 3
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set CONFORMING, 0x48
.set STACK16, 0x50
.set BASE, 0x12345678
.macro inner_segments
        mov     eax, 3
        mov     ds, ax
        mov     eax, DATA
        mov     es, ax
        mov     fs, ax
        mov     eax, CONFORMING
        mov     gs, ax
        mov     ecx, 0xc0000100                 # FS base
        mov     eax, BASE
        xor     edx, edx
        wrmsr
.endm
.macro outer_segments
        .irp    segment, ds, es, fs
        mov     eax, -1
        mov     eax, \segment
        check_eq eax, 0
        .endr
        mov     eax, gs
        check_eq eax, CONFORMING
.endm
.macro check_base
        mov     ecx, 0xc0000100
        rdmsr
        check_eq eax, BASE
        mov     eax, DATA
        mov     ds, ax
        mov     es, ax
.endm
.globl start
start:  install_idt
        load_tss
        mov     dword ptr [GDT + CONFORMING], 0xffff
        mov     dword ptr [GDT + CONFORMING + 4], 0x00af9f00
        mov     dword ptr [GDT + STACK16], 0xffff
        mov     dword ptr [GDT + STACK16 + 4], 0x0000f300
        inner_segments
        catch0  4f
        enter_ring3 2f
        .set in_user, 1
2:      outer_segments
        ud2
        .set in_user, 0
4:      check_caught 6
        check_base

        inner_segments
        catch0  4f
        mov     rax, rsp
        push    USERDATA
        push    rax
        push    USER64
        push    offset 2f
        rex.w retf
        .set in_user, 1
2:      outer_segments
        ud2
        .set in_user, 0
4:      check_caught 6
        check_base

        # A 16-bit stack, in compatibility code: ESP is made of SP from the frame and of what RSP was.
        catch0  4f
        push    (STACK16 | 3)
        push    0x11117a00
        push    2
        push    USER32
        push    offset 3f
        mov     ebx, esp
        mov     eax, esp
        and     eax, 0xffff0000
        iretq
.code32
3:      mov     ecx, esp
        ud2
.code64
4:      check_caught 6
        lea     edx, [rax + 0x7a00]
        check_eq ecx, edx
        mov     rsp, 0xffffffff00110000         # the stack by another name
        mov     rax, [PAGE_TABLES]
        mov     [PAGE_TABLES + 511 * 8], rax
        mov     rax, [PAGE_TABLES + 0x1000]
        mov     [PAGE_TABLES + 0x1000 + 508 * 8], rax
        mov     rax, cr3
        mov     cr3, rax
        catch0  4f
        push    (STACK16 | 3)
        push    0x11117a00
        push    USER32
        push    offset 3f
        rex.w retf
.code32
3:      mov     ecx, esp
        ud2
.code64
4:      check_caught 6
        check_eq ecx, 0x00107a00
        mov     rsp, STACK_TOP
        done
