# A page fault whose handler cannot be called becomes #DF with error code 0; benign pairs do not.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.globl start
start:  install_idt
        mov     byte ptr [IDT + 14 * 16 + 5], 0x0e # #PF gate not present
        mov     rax, 0x40000000000
        catch0  1f
2:      mov     rax, [rax]
        fail
1:      check_caught 8, 0
        check_eq "dword ptr [caught_cr2 + 4]", 0x400
        # #UD whose gate is not present: #NP, no double fault.
        kvm_differs 3f                          # it escalates any second exception
        mov     byte ptr [IDT + 6 * 16 + 5], 0x0e
        catch   1f
2:      ud2
        fail
1:      check_caught 11, (6 * 8 + 3), 2b   # EXT: while another exception was delivered
        # #GP whose gate is not present: contributory after contributory.
3:      mov     byte ptr [IDT + 13 * 16 + 5], 0x0e
        catch0  1f
        mov     rax, 0x800000000000
        mov     rax, [rax]
        fail
1:      check_caught 8, 0
        done
