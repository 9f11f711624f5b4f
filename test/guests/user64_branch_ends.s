# Direct branches across the end of the lower half of the address space: #GP at the branch, with nothing pushed or counted;
# not when they are not taken. Code that runs on over the end faults behind it.
#! start:  long64
#! expect: done
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.set LAST, 0x7fffffe00000       # the last 2 MiB, mapped to 200000h
# Run the code at the end of the last page: the bytes, and where the exception is to be.
.macro at_end bytes:vararg
        .set count, 0
        .irp byte, \bytes
        .set count, count + 1
        .endr
        .set where, 0
        .irp byte, \bytes
        mov     byte ptr [0x3fffff - count + 1 + where], \byte
        .set where, where + 1
        .endr
        mov     rbx, LAST + 0x1fffff - count + 1
        catch   7771f
        jmp     rbx
7771:
        .ifeq running_off
        check_eq "dword ptr [caught_vector]", 13
        check_eq "dword ptr [caught_error]", 0
        .else
        kvm_differs 7772f                       # AMD's processors report a page fault there
        check_eq "dword ptr [caught_vector]", 13
        check_eq "dword ptr [caught_error]", 0
7772:
        .endif
.endm
.set running_off, 0
.macro runs_off bytes:vararg
        .set running_off, 1
        at_end  \bytes
        .set running_off, 0
.endm
.globl start
start:  mov     qword ptr [PAGE_TABLES + 255 * 8], 0x91000 | 7
        mov     qword ptr [0x91000 + 511 * 8], 0x92000 | 7
        mov     qword ptr [0x92000 + 511 * 8], 0x200000 | 0x87
        begin_user
        at_end  0xeb, 0                         # jmp
        check_eq "qword ptr [caught_rip]", rbx
        mov     qword ptr [0x7bf8], 0x55
        at_end  0xe8, 0x20, 0, 0, 0             # call
        check_eq "qword ptr [caught_rip]", rbx
        check_eq rsp, 0x7c00
        check_eq "qword ptr [0x7bf8]", 0x55
        stc
        runs_off 0x72, 0, 0x90                  # jc: to the last byte, and beyond
        inc     rbx
        inc     rbx
        inc     rbx
        check_eq "qword ptr [caught_rip]", rbx
        stc
        at_end  0x72, 1, 0x90
        check_eq "qword ptr [caught_rip]", rbx
        test    dword ptr [caught_rflags], 1
        check_if nz
        at_end  0x73, 2, 0xeb, 0x10             # jnc: CF is clear after the check above
        check_eq "qword ptr [caught_rip]", rbx
        stc
        at_end  0x73, 2, 0xeb, 0x10             # not taken; the jump behind it faults
        inc     rbx
        inc     rbx
        check_eq "qword ptr [caught_rip]", rbx
        mov     ecx, 5
        at_end  0xe2, 1, 0x90                   # loop
        check_eq "qword ptr [caught_rip]", rbx
        check_eq rcx, 5
        bts     rcx, 40
        mov     rdx, rcx
        at_end  0x67, 0xe2, 1, 0x90             # loop by ECX: the upper half is still there too
        check_eq "qword ptr [caught_rip]", rbx
        check_eq rcx, rdx
        mov     ecx, 1
        runs_off 0xe2, 1, 0x90                  # not taken, counts
        check_eq rcx, 0
        add     rbx, 3
        check_eq "qword ptr [caught_rip]", rbx
        at_end  0xe3, 3, 0x90                   # jrcxz
        check_eq "qword ptr [caught_rip]", rbx
        runs_off 0xff, 0xc1                     # inc ecx, and nothing behind
        check_eq ecx, 1
        add     rbx, 2
        check_eq "qword ptr [caught_rip]", rbx
        done
