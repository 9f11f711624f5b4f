# SYSCALL and SYSRET: RCX, R11, SFMASK, selectors from STAR, LSTAR; SYSRET to 64-bit and to compatibility mode; #UD when
# EFER.SCE is off.
#! start:  long64
#! expect: r15=2
#! kvm-differs: a KVM whose ring 0 is emulated in software goes on in ring 3 behind SYSCALL
.include "guest.inc"
.include "catch64.inc"
.include "user64.inc"
.macro write_msr number:req, low:req, high=0
        mov     ecx, \number
        mov     eax, \low
        mov     edx, \high
        wrmsr
.endm
.globl start
start:  install_idt
        load_tss
        write_msr 0xc0000081, 0, ((0x33 << 16) | CODE64)
        write_msr 0xc0000082, "offset kernel"
        write_msr 0xc0000084, (CF | DF | IF)
        catch0  out_of_user
        enter_ring3 user, (2 | CF | ZF)
.set in_user, 1
user:   set_flags (CF | ZF)
        std
        mov     rcx, -1
        mov     r11, -1
        mov     eax, 0x55
1:      syscall
2:      cld
        check_eq rcx, "offset 2b"
        check_eq rbx, "offset 2b"
        mov     rax, r12
        and     eax, (CF | ZF | DF)
        check_eq eax, (CF | ZF | DF)            # R11 as pushed
        check_eq r13d, ZF                       # CF and DF masked in the kernel
        mov     ax, cs
        check_eq ax, USER64
        mov     ax, ss
        check_eq ax, USERDATA
        check_eq rsp, 0x7c00
        ud2
.set in_user, 0
out_of_user:
        check_eq "dword ptr [caught_vector]", 6
        check_eq "qword ptr [caught_rip]", "offset out_of_user - 2"
        inc     r15d
        # SYSRET without REX.W: compatibility mode.
        catch0  4f
        mov     ecx, offset compat
        mov     r11d, 2
        sysretd
.code32
compat: inc     eax
        dec     eax
        mov     cx, cs
3:      ud2
.code64
4:      check_caught 6, 0, 3b
        check_eq cx, USER32
        inc     r15d
        mov     ecx, 0xc0000080
        rdmsr
        btr     eax, 0
        wrmsr
        catch   1f
2:      syscall
        fail
1:      check_caught 6, 0, 2b
        done
kernel: mov     rbx, rcx
        mov     r12, r11
        pushfq
        pop     r13
        and     r13d, (CF | ZF | DF)
        mov     ax, cs
        check_eq ax, CODE64
        sysretq
