# 32-bit paging: 4 KiB and 4 MiB pages without PAE, then PAE with 2 MiB pages; faults, dirty bits, PDPTEs loaded with CR3.
#! start:  protected32
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software may have paging in long mode only
.include "guest.inc"
.code32
.include "catch32.inc"
.set PD, 0x90000
.set PT, 0x91000
.set PDPT, 0x92000
.set PAE_PD, 0x93000
.globl start
start:  install_idt
        mov     dword ptr [PD], PT | 7
        mov     ecx, 512
        xor     eax, eax
1:      mov     edx, eax
        shl     edx, 12
        or      edx, 7
        mov     [PT + eax * 4], edx
        inc     eax
        loop    1b
        mov     dword ptr [PT + 0x200 * 4], 0x201000 | 7  # 200000h -> 201000h
        mov     dword ptr [PD + 4], 0x400000 | 0x87       # 4 MiB page
        mov     dword ptr [0x201000], 0x1122
        mov     dword ptr [0x400010], 0x3344
        mov     eax, cr4
        or      eax, 0x10                       # PSE
        mov     cr4, eax
        mov     eax, PD
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80010000                 # PG, WP
        mov     cr0, eax
        check_eq "dword ptr [0x200000]", 0x1122
        check_eq "dword ptr [0x400010]", 0x3344
        catch   1f
2:      mov     eax, [0x800000]
        fail
1:      check_caught 14, 0, 2b
        check_eq "dword ptr [caught_cr2]", 0x800000
        mov     dword ptr [PT + 0x1f0 * 4], 0x1f0000 | 5
        invlpg  [0x1f0000]
        mov     eax, [0x1f0000]
        catch   1f
2:      mov     [0x1f0000], eax
        fail
1:      check_caught 14, 3, 2b
        mov     dword ptr [0x200000], 0x5566
        mov     eax, [PT + 0x200 * 4]
        and     eax, 0x60
        check_eq eax, 0x60
        mov     eax, [PD + 4]
        and     eax, 0x60
        check_eq eax, 0x20
        # PAE.
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        mov     dword ptr [PDPT], PAE_PD | 1
        mov     dword ptr [PAE_PD], 0x87
        mov     dword ptr [PAE_PD + 8], 0x400000 | 0x87   # 200000h -> 400000h
        mov     eax, cr4
        or      eax, 0x20
        mov     cr4, eax
        mov     eax, PDPT
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        check_eq "dword ptr [0x200010]", 0x3344
        catch   1f
2:      mov     eax, [0x40000000]               # second PDPTE: absent
        fail
1:      check_caught 14, 0, 2b
        mov     dword ptr [PDPT + 8], PAE_PD | 1 # does not count until CR3 is loaded
        mov     eax, cr3
        mov     cr3, eax
        check_eq "dword ptr [0x40200010]", 0x3344
        done
