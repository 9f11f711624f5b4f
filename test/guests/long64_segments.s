# Segment registers in 64-bit mode: null selectors, LAR, LSL, VERR, VERW, LDT, ARPL's absence, what a MOV to SS refuses,
# STR and SLDT, LTR's busy bit.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.globl start
start:  install_idt
        load_tss
        str     eax
        check_eq eax, 0xf0
        check_eq "byte ptr [GDT + 0xf5]", 0x8b  # busy
        mov     eax, 0xf0
        catch   1f
2:      ltr     ax                              # busy already
        fail
1:      check_caught 13, 0xf0, 2b
        xor     eax, eax
        mov     ds, ax
        mov     es, ax
        mov     fs, ax
        mov     gs, ax
        mov     ecx, [cell]                     # null DS is fine in 64-bit mode
        mov     ss, ax                          # so is a null SS in ring 0
        push    rax
        pop     rax
        mov     ax, DATA
        mov     ss, ax
        mov     ds, ax
        mov     ax, USERDATA
        catch   1f
2:      mov     ss, ax
        fail
1:      check_caught 13, (USERDATA - 3), 2b
        mov     ax, CODE64
        catch   1f
2:      mov     ss, ax
        fail
1:      check_caught 13, CODE64, 2b
        kvm_differs 3f                          # LAR, LSL and others are missing from its emulator
        lar     ecx, ax
        check_if z
        and     ecx, 0xff00
        check_eq ecx, 0x9b00
        mov     ax, DATA
        lsl     ecx, ax
        check_if z
        check_eq ecx, -1
        mov     ecx, 0x55
        mov     ax, 0xe8                        # empty descriptor
        lsl     ecx, ax
        check_if nz
        check_eq ecx, 0x55
        mov     ax, CODE64
        verr    ax
        check_if z
        verw    ax
        check_if nz
3:      # LDT with one data segment.
        mov     dword ptr [GDT + 0x60], 0x00000f | (0x1100 << 16)
        mov     dword ptr [GDT + 0x64], 0x8200
        mov     qword ptr [GDT + 0x68], 0
        mov     rax, [GDT + DATA]
        mov     [0x1108], rax
        mov     eax, 0x60
        lldt    ax
        sldt    ecx
        check_eq ecx, 0x60
        mov     ax, 0x0c                        # LDT entry 1
        mov     es, ax
        mov     cx, es
        check_eq cx, 0x0c
        mov     ax, 0x14                        # beyond its limit
        catch   1f
2:      mov     es, ax
        fail
1:      check_caught 13, 0x14, 2b
        xor     eax, eax
        lldt    ax
        mov     ax, 0x0c
        catch   1f
2:      mov     fs, ax
        fail
1:      check_caught 13, 0x0c, 2b
        mov     ax, 0x68                        # GDT entry of zeros
        catch   1f
2:      mov     gs, ax
        fail
1:      check_eq "dword ptr [caught_vector]", 13
        done
cell:   .quad 0
