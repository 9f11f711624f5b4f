# SMEP: ring 0 does not run user pages; SMAP: nor read or write them unless AC is set; CLAC and STAC.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software does not know STAC and CLAC
.include "guest.inc"
.include "catch64.inc"
.include "pages.inc"
.globl start
start:  need_cpuid 7, 0, ebx, 20
        need_cpuid 7, 0, ebx, 7
        install_idt
        # Everything is a user page at the start: take that away but for 200000h..3fffffh.
        small_pages
        mov     byte ptr [0x201000], 0xc3
        mov     eax, PAGE_TABLES + 0x2000
        mov     ecx, 512 * 4
1:      and     dword ptr [rax], ~U
        add     rax, 8
        loop    1b
        or      dword ptr [PAGE_TABLES + 0x2008], U
        reload_cr3
        mov     rax, cr4
        or      eax, 3 << 20
        mov     cr4, rax
        catch   1f
2:      mov     ecx, [0x200000]
        fail
1:      check_caught 14, 1, 2b
        catch   1f
2:      mov     [0x200000], ecx
        fail
1:      check_caught 14, 3, 2b
        stac
        mov     dword ptr [0x200000], 0x55
        mov     ecx, [0x200000]
        check_eq ecx, 0x55
        clac
        catch   1f
2:      mov     ecx, [0x200000]
        fail
1:      check_caught 14, 1, 2b
        mov     edx, 0x201000
        catch0  1f
        call    rdx
        fail
1:      check_caught 14, 0x11, 0x201000
        stac                                    # SMEP knows no AC
        catch0  1f
        call    rdx
        fail
1:      check_caught 14, 0x11, 0x201000
        push    AC | 2
        popfq
        mov     ecx, [0x200000]
        clac
        btr     eax, 21
        mov     cr4, rax
        mov     ecx, [0x200000]                 # SMAP off again
        done
