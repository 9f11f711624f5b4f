# The limit of CS: branches to beyond it fault at the branch, with nothing pushed or popped; instructions that reach beyond
# it; code that runs on over it. The same code under a wider segment works, and faults under the narrow one again.
#! start:  protected32
#! expect: done
.include "guest.inc"
.code32
.include "catch32.inc"
# Run bytes at offset `at` of segment `cs`; the exception is caught with its EIP in EBX.
.macro run cs:req, at:req, bytes:vararg
        .set where, 0
        .irp byte, \bytes
        mov     byte ptr ds:[0x100000 + \at + where], \byte
        .set where, where + 1
        .endr
        catch0  7771f
        jmp     \cs:\at
7771:   mov     ebx, ds:[caught_rip]
        check_eq "dword ptr ds:[caught_error]", 0
.endm
.globl start
start:  install_idt
        descriptor 0x48, 0x100000, 0xfff, 0x49b         # 4 KiB
        descriptor 0x50, 0x100000, 0x1f, 0xc9b          # 128 KiB
        mov     dword ptr ds:[0x101000], 0x0b0f0b0f     # UD2
        kvm_differs 9f                                  # a software ring 0 finds out too late
        mov     ecx, 3
3:      run     0x48, 0xf00, 0xe9, 0xfb, 0, 0, 0        # jmp 1000h
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xf00
        run     0x50, 0xf00, 0xe9, 0xfb, 0, 0, 0
        check_eq "dword ptr ds:[caught_vector]", 6
        check_eq ebx, 0x1000
        run     0x48, 0xf00, 0xe9, 0xfa, 0, 0, 0        # jmp fffh
        dec     ecx
        jnz     3b
        mov     dword ptr [esp - 4], 0x55
        run     0x48, 0xf00, 0xe8, 0xfb, 0, 0, 0        # call
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xf00
        xor     eax, eax
        run     0x48, 0xf00, 0x0f, 0x84, 0xfa, 0, 0, 0  # jz: ZF is set by the check above
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xf00
        mov     eax, 0x1000
        run     0x48, 0xf00, 0xff, 0xe0                 # jmp eax
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xf00
        run     0x50, 0xf00, 0xff, 0xe0
        check_eq "dword ptr ds:[caught_vector]", 6
        check_eq ebx, 0x1000
        run     0x48, 0xf00, 0x50, 0xc3                 # push eax; ret
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xf01
        run     0x48, 0xffe, 0x40, 0x40                 # inc eax, twice, and on
        check_eq eax, 0x1002
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0x1000
        mov     dword ptr ds:[0x101000], 0
        run     0x48, 0xffd, 0x40, 0xa8, 0x01           # inc eax; test al, 1: the last byte just fits
        check_eq eax, 0x1003
        check_eq ebx, 0x1000
        run     0x48, 0xffe, 0x40, 0xa8                 # its immediate is outside
        check_eq eax, 0x1004
        check_eq "dword ptr ds:[caught_vector]", 13
        check_eq ebx, 0xfff
9:      done
