# Pages of 1 GiB: reads and writes anywhere in one, accessed and dirty bits, page faults and their error codes, NX, read-only, reserved
# bits, a page that becomes a table of smaller ones and back after INVLPG, and an alias whose two ends are not neighbours.
#! start:  long64
#! expect: done
#! kvm-differs: a KVM whose ring 0 is emulated in software has no pages of 1 GiB
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set PDPT, PAGE_TABLES + 0x1000
.set HUGE, 0x80
.set P, 1
.set W, 2
.set U, 4
.set A, 0x20
.set D, 0x40
.set NX, 1 << 63
.set AT, 16 << 30                       # entry 16 of the PDPT: RAM again from address 0
.macro entry index:req, value:req
        mov     rax, \value
        mov     [PDPT + \index * 8], rax
        mov     rax, (\index << 30)
        invlpg  [rax]
.endm
.macro entry_bits index:req, want:req
        mov     rax, [PDPT + \index * 8]
        and     eax, A | D
        check_eq eax, \want
.endm
.macro page_fault error:req, address:req, insn:vararg
        catch   7774f
7773:   \insn
        fail
7774:   check_caught 14, \error, 7773b
        mov     rax, \address
        check_eq rax, "qword ptr [caught_cr2]"
.endm
.globl start
start:  need_cpuid 0x80000001, 0, edx, 26
        install_idt
        load_tss
        mov     rbx, AT
        entry   16, (HUGE | P | W)
        mov     dword ptr [SCRATCH], 0x11223344
        check_eq "dword ptr [rbx + SCRATCH]", 0x11223344
        entry_bits 16, A
        mov     dword ptr [rbx + SCRATCH + 4], 0x55667788
        check_eq "dword ptr [SCRATCH + 4]", 0x55667788
        entry_bits 16, (A | D)
        # Across 4 KiB and 2 MiB borders inside it.
        mov     rcx, 0x0123456789abcdef
        mov     [rbx + 0x1ffffc], rcx
        check_eq rcx, "qword ptr [0x1ffffc]"
        mov     [rbx + 0x200ffd], rcx
        check_eq rcx, "qword ptr [0x200ffd]"
        # Code in it.
        mov     dword ptr [SCRATCH + 0x100], 0xc3c0ff90 # nop; inc eax; ret
        mov     eax, 5
        lea     rdx, [rbx + SCRATCH + 0x100]
        call    rdx
        check_eq eax, 6
        # NX, absent, read-only, of ring 0, reserved bits between the frame and the flags.
        entry   16, (NX | HUGE | P | W)
        catch   1f
        mov     [SCRATCH + 0x200], rsp
        lea     rdx, [rbx + SCRATCH + 0x100]
        call    rdx
        fail
1:      mov     rsp, [SCRATCH + 0x200]
        check_eq "dword ptr [caught_vector]", 14
        check_eq "dword ptr [caught_error]", 0x11
        check_eq "qword ptr [caught_rip]", rdx
        entry   16, HUGE
        page_fault 0, AT + SCRATCH, mov ecx, [rbx + SCRATCH]
        page_fault 2, AT + SCRATCH, mov [rbx + SCRATCH], ecx
        entry   16, (HUGE | P)
        page_fault 3, AT + SCRATCH, mov [rbx + SCRATCH], ecx
        mov     ecx, [rbx + SCRATCH]
        entry_bits 16, A
        entry   16, (HUGE | P | W | 0x2000)
        page_fault 9, AT + SCRATCH, mov ecx, [rbx + SCRATCH]
        entry   16, (HUGE | P | W | 0x20000000)
        page_fault 11, AT + SCRATCH, mov [rbx + SCRATCH], ecx
        entry_bits 16, 0
        entry   16, (HUGE | P | W | 0x1000)     # bit 12 is PAT: not reserved
        mov     ecx, [rbx + SCRATCH]
        entry   16, (HUGE | P | W)
        catch0  1f
        enter_ring3 2f
2:      mov     ecx, [rbx + SCRATCH]
        nop
1:      check_caught 14, 5, 2b
        entry   16, (HUGE | P | W | U)
        mov     rcx, [PAGE_TABLES]
        catch0  1f
        enter_ring3 2f
2:      mov     ecx, [rbx + SCRATCH]
3:      ud2
        nop
1:      check_caught 6, 0, 3b
        check_eq ecx, 0x11223344
        # It becomes a directory: the first of the machine's own, whose 2 MiB pages lead to the same memory; and back.
        mov     rcx, [PDPT]
        and     ecx, ~0xfff
        or      ecx, P | W | U
        mov     edx, [rbx + SCRATCH]
        mov     [PDPT + 16 * 8], rcx
        lea     rax, [rbx + SCRATCH]
        invlpg  [rax]
        check_eq "dword ptr [rbx + SCRATCH]", 0x11223344
        mov     dword ptr [rbx + SCRATCH], 0x99
        check_eq "dword ptr [SCRATCH]", 0x99
        entry   16, (HUGE | P)
        page_fault 3, AT + SCRATCH, mov [rbx + SCRATCH], ecx
        # INVLPG of any address in it takes all of it.
        entry   16, (HUGE | P | W)
        mov     ecx, [rbx + SCRATCH]
        mov     ecx, [rbx + 0x200000]
        mov     qword ptr [PDPT + 16 * 8], HUGE
        lea     rax, [rbx + 0x3fe00000]
        invlpg  [rax]
        page_fault 0, AT + SCRATCH, mov ecx, [rbx + SCRATCH]
        page_fault 0, AT + 0x200000, mov ecx, [rbx + 0x200000]
        # Its last bytes and the first of the next page, which is elsewhere: a device's memory lies above RAM there.
        entry   16, (HUGE | P | W)
        mov     rax, AT + 0x3ffffffe
        page_fault 0, AT + 0x40000000, mov ecx, [rax]
        done
